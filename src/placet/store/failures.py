"""What a database fails at, in words of this package, so that a caller can tell what to do about it.

1. :class:`DatabaseUnavailable`: nothing was changed, and trying again is right.
2. :class:`OutcomeUnknown`: it was lost while it made a transaction durable. Nobody knows whether that was stored.
3. :class:`DatabaseDamaged`: nothing was changed, and trying again does not help.

The error of the driver, or of SQLAlchemy, is the ``__cause__``. What a database refuses because of what it was asked (a
constraint, a table that is not there) is not its failure, and is raised as it is.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

RAISED = SQLAlchemyError
"""What may tell of a failure. An error of a driver alone may be of another database that the caller works with."""

LONGEST_REASON = 300


class DatabaseFailed(Exception):
    """The database, as a whole, fails. One of the three below."""


class DatabaseUnavailable(DatabaseFailed):
    """It cannot be reached, is busy, full or read-only. Nothing was changed: try again."""


class DatabaseLost(DatabaseUnavailable):
    """It was not reached a moment ago, and somebody else is trying to reach it right now."""

    def __init__(self) -> None:
        super().__init__(
            "The database cannot be reached: it was not a moment ago, and is being tried again. Nothing was changed; "
            "try again."
        )


class OutcomeUnknown(DatabaseFailed):
    """It was lost while it made a transaction durable: that was stored as a whole, or not at all."""


class DatabaseDamaged(DatabaseFailed):
    """What it has stored cannot be read. Nothing was changed."""


class NestedTransaction(RuntimeError):
    """A write transaction was begun within another of the same thread: the caller's mistake. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "A write transaction was begun within another of the same thread, for instance an allocation inside an "
            "allocation. Nothing of the inner one was changed. Do its work on the connection of the outer one, or "
            "after it."
        )


_BUSY, _READ_ONLY, _FULL = "is busy", "is read-only", "has no space left"
_NOT_REACHED, _DAMAGED = "cannot be reached", "is damaged"

_SQLITE = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _NOT_REACHED,
    sqlite3.SQLITE_IOERR: _NOT_REACHED,
    sqlite3.SQLITE_PERM: _NOT_REACHED,
    sqlite3.SQLITE_AUTH: _NOT_REACHED,
    sqlite3.SQLITE_NOMEM: _NOT_REACHED,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
}
"""By the primary result code, the last eight bits."""
_POSTGRESQL = {
    "25006": _READ_ONLY,
    "53100": _FULL,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "55P03": _BUSY,
    "57014": _BUSY,
    "53": _BUSY,
    "40": _BUSY,
    "08": _NOT_REACHED,
    "57": _NOT_REACHED,
    "58": _NOT_REACHED,
    "25P03": _NOT_REACHED,
    "28": _NOT_REACHED,
    "3D000": _NOT_REACHED,
}
"""By SQLSTATE, or by its class."""


def failure_of(error: BaseException, *, commits: bool) -> DatabaseFailed | None:
    """Answer what an error says of the database, if anything; ``commits``: it was making a transaction durable."""
    what = _what(error)
    if what is None:
        return None
    reason = " ".join(str(getattr(error, "orig", None) or error).split())[:LONGEST_REASON].rstrip(".")
    if commits and what is _NOT_REACHED:
        return OutcomeUnknown(
            f"The database was lost while it made this durable, and nobody knows yet whether it is: {reason}. Look, or "
            "do the same again where that changes nothing: an allocation, or consumption with the same key."
        )
    if what is _DAMAGED:
        return DatabaseDamaged(
            f"The database {what}: {reason}. Nothing was changed; see what `placet admin doctor` says."
        )
    return DatabaseUnavailable(f"The database {what}: {reason}. Nothing was changed; try again.")


def _what(error: BaseException) -> str | None:
    if isinstance(error, PoolTimeout):
        return _BUSY
    if isinstance(error, PendingRollbackError):  # its connection was lost, and who was told has gone on
        return _NOT_REACHED
    if not isinstance(error, DBAPIError):
        return None
    found = _of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _of_postgresql(error)
    return found or (_NOT_REACHED if error.connection_invalidated else None)


def _of_sqlite(error: sqlite3.Error) -> str | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _SQLITE.get(code & 0xFF)


def _of_postgresql(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    is_operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    return _NOT_REACHED if is_operational else None  # the connection itself: there was no answer with a state
