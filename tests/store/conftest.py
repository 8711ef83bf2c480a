"""A database for each test, of each kind there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.store.database import Database
from store_support.fixtures import database_url, database_urls

__all__ = ["database_url", "database_urls"]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite database is to be: for what only SQLite does."""
    return tmp_path / "only.sqlite3"
