"""New databases for a test, which runs once for each kind there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

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


on_sqlite_alone = pytest.mark.parametrize("database_urls", ["sqlite"], indirect=True)
"""Marks tests of what is refused before a database is asked."""
