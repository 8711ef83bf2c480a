"""The one place that knows which database it is: everything else is SQLAlchemy Core that any dialect compiles.

SQLite: write-ahead log, every commit on disk (``synchronous=FULL``), foreign keys on. Writing transactions begin
``IMMEDIATE``, so that what they read cannot change before they write; reading ones do not lock writers out.
"""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

BUSY_TIMEOUT_MS = 30_000
READ_ONLY = "placet_read_only"

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
_SET_UP_LOCK = 0x706C61636574  # "placet"


def engine_arguments(url: URL) -> dict[str, Any]:
    """Answer what ``create_engine`` needs beside the URL.

    A SQLite file that is not there is made, readable by its owner alone. Raises ``ArgumentError`` for a URL that names
    none, ``OSError`` where it cannot be made.
    """
    if url.get_backend_name() == "sqlite":
        _make_private(url)
        return {"connect_args": {"check_same_thread": False}, "pool_size": 16, "max_overflow": 48}
    return {"isolation_level": "READ COMMITTED", "pool_size": 16, "max_overflow": 48, "pool_pre_ping": True}


def _make_private(url: URL) -> None:
    if url.database in {None, "", ":memory:"} or "uri" in url.query:
        raise ArgumentError("it names no file, and what a server knows has to outlive it")
    with suppress(FileExistsError):
        Path(str(url.database)).touch(mode=0o600, exist_ok=False)


def reader_options(engine: Engine) -> dict[str, Any]:
    """Answer the execution options of transactions that see one state of the database and change nothing."""
    if engine.dialect.name == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {READ_ONLY: True}


def prepare(engine: Engine) -> None:
    """Set up each connection and each transaction as this dialect needs it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver's guesses
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma).close()
    _switch_to_wal(connection)


def _switch_to_wal(connection: Any) -> None:
    """Switch to the write-ahead log. SQLite's busy time-out does not cover two that switch a new file at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def set_up_alone(connection: Connection) -> None:
    """Let one transaction at a time set up what has to be made once. SQLite's writing transactions are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SET_UP_LOCK)))


def serializes_writers(engine: Engine) -> bool:
    """Tell whether one writer at a time is all the database takes, so that waiting is better done in process."""
    return engine.dialect.name == "sqlite"


def tells_changes(engine: Engine) -> bool:
    """Tell whether the database can say cheaply that another connection has changed it."""
    return engine.dialect.name == "sqlite"


def change_mark(connection: PoolProxiedConnection) -> int:
    """Answer a number that differs once another connection has changed the database."""
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA data_version")
        row = cursor.fetchone()
    finally:
        cursor.close()
    return int(row[0]) if row else 0
