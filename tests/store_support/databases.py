"""The databases tests run on, and looks into them from outside."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import event, select

from placet.store.database import Database
from placet.store.schema import metadata
from store_support.postgres import lent_database, shared_server

KINDS = ["sqlite", "postgresql"]
"""What ``database_url`` is made of; each test of facts that every database keeps runs once for each."""

Dump = dict[str, list[tuple[Any, ...]]]


def new_database_url(kind: str, directory: Path) -> str:
    """The URL of a database that is new, and gone with ``directory``, or with the tests' database server."""
    if kind == "postgresql":
        server = shared_server()
        return server.url(server.new_database())
    return f"sqlite:///{mkdtemp(dir=directory)}/placet.sqlite3"


@contextmanager
def new_databases(kind: str, directory: Path) -> Iterator[Callable[[], str]]:
    """Make new databases, each at the URL answered, for as long as the block lasts. Much quicker on PostgreSQL."""
    with ExitStack() as lent:
        if kind == "postgresql":
            yield lambda: lent.enter_context(lent_database())
        else:
            yield lambda: new_database_url(kind, directory)


def dump(database: Database) -> Dump:
    """Every row of every table."""
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def differences(before: Dump, after: Dump) -> dict[str, int]:
    """How many rows each table has gained or lost; a changed row counts for two."""
    counts = {
        name: sum(row not in rows for row in after[name]) + sum(row not in after[name] for row in rows)
        for name, rows in before.items()
    }
    return {name: count for name, count in counts.items() if count}


@contextmanager
def raw(path: Path, *, busy_timeout_seconds: float = 0) -> Iterator[sqlite3.Connection]:
    """A connection beside Placet's: what somebody with a SQLite shell can do. It waits for nobody."""
    with closing(sqlite3.connect(path, timeout=busy_timeout_seconds, isolation_level=None)) as connection:
        yield connection


@contextmanager
def statements(database: Database) -> Iterator[list[Any]]:
    """The statements executed meanwhile, as SQLAlchemy's constructs."""
    seen: list[Any] = []

    def note(_connection: object, statement: object, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_execute", note)


@contextmanager
def database_traffic(database: Database) -> Iterator[list[str]]:
    """Everything sent to the database meanwhile, and every connection taken."""
    seen: list[str] = []

    def sent(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    def taken(*_: object) -> None:
        seen.append("connection taken")

    event.listen(database.engine, "before_cursor_execute", sent)
    event.listen(database.engine, "checkout", taken)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", sent)
        event.remove(database.engine, "checkout", taken)
