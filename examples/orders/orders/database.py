"""The way to the data: one short-lived SQLite connection per use, one transaction per connection.

- `reading()` sees one consistent state, however many statements it takes, and changes nothing.
- `writing()` takes the write lock first (`BEGIN IMMEDIATE`), so that what it reads still holds when it
  writes. It commits at the end, or rolls everything back when an exception passes through.

Both work in any journal mode. The mode is a property of the file and left to whoever created it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

LOCK_TIMEOUT = 10.0  # seconds to wait for another writer


class Database:
    """The SQLite database at `path`. The file must exist, made from `schema.sql`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def require(self) -> None:
        """Raise `FileNotFoundError`, with what to do, when there is no database: at start, not at the first user."""
        if not self.path.is_file():
            raise FileNotFoundError(f"No database at {self.path}. Make it: sqlite3 {self.path} < schema.sql")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; writing through it is an `sqlite3.OperationalError`."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one write transaction; all of it happens, or nothing."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a wrong path is an error, not a new and empty database.
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", uri=True, timeout=LOCK_TIMEOUT, isolation_level=None
        )
        connection.row_factory = _as_dict
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
