"""A guard for each test, on each kind of database there is."""

from collections.abc import Iterator

import pytest

from guard_support.guards import Clock, install, opened
from placet.guard import Guard
from store_support.fixtures import database_url, database_urls

__all__ = ["database_url", "database_urls"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server without a license."""
    found = opened(database_url, clock)
    yield found
    found.close()


@pytest.fixture
def licensed(guard: Guard) -> Guard:
    """A server with a license for everything, for another 265 days."""
    install(guard)
    return guard
