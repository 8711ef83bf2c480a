"""A guard for each test, on each kind of database there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from guard_support.guards import Clock, install, opened
from placet.guard import Guard
from store_support.databases import KINDS, new_databases

settings.register_profile("placet", deadline=None)
settings.load_profile("placet")


@pytest.fixture(params=KINDS)
def database_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes a new database each time."""
    with new_databases(request.param, tmp_path) as make:
        yield make


@pytest.fixture
def database_url(database_urls: Callable[[], str]) -> str:
    return database_urls()


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
