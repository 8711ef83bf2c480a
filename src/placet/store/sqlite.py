"""Connections to SQLite, and its writing transactions, which the driver begins and ends itself.

What SQLAlchemy does for a transaction costs as much as the statements of a short one.
"""

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection

from placet.store.hot import Hot

BUSY_TIMEOUT_MS = 30_000
READ_ONLY = "placet_read_only"

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
_BEGIN_READING, _BEGIN_WRITING = Hot("BEGIN"), Hot("BEGIN IMMEDIATE")
_COMMIT, _ROLLBACK = Hot("COMMIT"), Hot("ROLLBACK")


def configure(connection: Any, _record: object) -> None:
    """Set up a new connection of the driver's."""
    connection.isolation_level = None  # transactions are begun here, not by the driver's guesses
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


def begin_by_sqlalchemy(connection: Connection) -> None:
    """Begin the transaction that SQLAlchemy is about to be in, unless :func:`begin` has."""
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:  # by `begin`
        return
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    (_BEGIN_READING if read_only else _BEGIN_WRITING).run(connection)


def begin(connection: Connection) -> None:
    """Begin a writing transaction. SQLAlchemy joins it once it is given a statement of its own."""
    _BEGIN_WRITING.run(connection)


def commit(connection: Connection) -> None:
    """Make durable what :func:`begin` has begun."""
    if connection.in_transaction():
        connection.commit()
    else:
        _COMMIT.run(connection)


def roll_back(connection: Connection) -> None:
    """Take back what :func:`begin` has begun, if it is still under way: SQLite ends one itself on some errors."""
    if connection.in_transaction():
        connection.rollback()
    if _is_under_way(connection):
        _ROLLBACK.run(connection)


def _is_under_way(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)
