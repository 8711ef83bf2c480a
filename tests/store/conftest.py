"""A database for each test, of each kind there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from placet.store.database import Database
from store_support.databases import KINDS, new_databases

settings.register_profile("placet", deadline=None)
settings.load_profile("placet")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_databases(request.param, tmp_path) as make:
        yield make()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite database is to be: for what only SQLite does."""
    return tmp_path / "only.sqlite3"
