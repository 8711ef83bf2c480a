"""Databases to fight for, and processes to fight."""

from collections.abc import Iterator

import pytest

from proof_support.nursery import Nursery
from store_support.fixtures import database_url, database_urls

__all__ = ["database_url", "database_urls"]


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found
