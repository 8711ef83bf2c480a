"""A module's database as a SQLite file of its own."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from placet.platform.query import Description, QueryResult, ask, describe, sqlite_place
from placet.platform.schema import apply_schema, changing_schema, check_schema, undo_schema
from placet.platform.schema_files import Changes, Wanted

_PARTS = ("-journal", "-wal", "-shm", "")


class SqliteModuleDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """The file at ``path``, which need not exist. ``deleted`` is where it is put aside."""

    path: Path
    deleted: Path
    kind: str = "sqlite"

    @property
    def address(self) -> str:
        """What the module's worker is told: the path."""
        return str(self.path.absolute())

    def exists(self) -> bool:
        """Tell whether there is a file."""
        return self.path.exists()

    def check(self, wanted: Wanted, *, empty: bool = False) -> Changes:
        """Answer what :meth:`apply` would change, ``empty``: as if there were nothing; raises ``ModuleProblem``."""
        return check_schema(None if empty else self.path, wanted)

    def apply(self, wanted: Wanted) -> Changes:
        """Bring it to what is wanted, in one transaction, and answer what was changed; raises ``ModuleProblem``."""
        return apply_schema(self.path, wanted)

    def changing(self, wanted: Wanted) -> AbstractContextManager[Changes]:
        """Do the same, committed when the body has ended, and not at all where that raises."""
        return changing_schema(self.path, wanted)

    def undo(self, names: Sequence[str], *, existed: bool) -> None:
        """Take back what :meth:`apply` created: the names, or all of it where it had not existed."""
        if existed and not self.path.exists():
            return
        undo_schema(self.path, names, existed=existed)

    def put_aside(self, now: datetime) -> str | None:
        """Keep the data where nobody uses it, and answer the name it has there; ``None`` where there is none."""
        if not self.path.exists():
            return None
        # A process that was killed leaves its log beside the database; together they are safe at any moment only once
        # SQLite has put the one into the other. What is no database is kept as it is.
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = self.deleted / f"{self.path.stem}-{now:%Y%m%dT%H%M%S.%f}.sqlite3"
        for suffix in _PARTS:  # a log left behind would be taken for the next database's
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return aside.name

    def test_query(self, sql: str, **options: Any) -> QueryResult:
        """Ask it like :func:`placet.platform.query.ask`."""
        return ask(sqlite_place(self.path), sql, **options)

    def describe(self, queries: Sequence[str]) -> list[Description]:
        """Say what the parameters of queries are, by the engine's word."""
        return describe(sqlite_place(self.path), queries)
