"""The one place that knows which database it is: everything else is SQLAlchemy Core that any dialect compiles.

SQLite: write-ahead log, every commit on disk (``synchronous=FULL``), foreign keys on. Writing transactions begin
``IMMEDIATE``, so that what they read cannot change before they write; reading ones do not lock writers out.

PostgreSQL: psycopg. What is written is locked by row (``READ COMMITTED``), reading transactions see one state. Nothing
waits for ever: not for a server that is gone, a lock somebody holds, or a client that was lost in a transaction. A
connection that was idle is asked whether it lives before it is used; asking always would cost each transaction a round
trip.
"""

import sqlite3
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    String,
    TypeDecorator,
    event,
    false,
    func,
    select,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from placet.store import sqlite
from placet.store.current import CURRENT
from placet.store.hot import Hot
from placet.store.turns import Turns

if TYPE_CHECKING:
    from placet.store.postgresql import Listener

_POSTGRESQL_DRIVER = "postgresql+psycopg"
_POSTGRESQL_CONNECTING: dict[str, Any] = {
    "connect_timeout": 3,  # seconds, for each address of the server
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
    "application_name": "placet",
}
_POSTGRESQL_SETTINGS = {
    "lock_timeout": "3s",
    "statement_timeout": "6s",
    "idle_in_transaction_session_timeout": "60s",  # a client that is gone gives its locks back
    "timezone": "UTC",
}
_INTEGRITY = Hot("PRAGMA integrity_check(20)")
_DATA_VERSION = Hot("PRAGMA data_version")
_NOTIFY = Hot("SELECT pg_notify('placet', '')")
_SET_UP_LOCK = 0x706C61636574  # "placet"
_IDLE_SECONDS, _PING_SECONDS = 1.0, 2.0
"""How long a connection may have been idle and still be used unasked; how long it has for its answer when asked."""


def complete(url: URL) -> URL:
    """Answer a URL with the driver this code uses; raises ``ArgumentError`` where it names another database."""
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername=_POSTGRESQL_DRIVER)
    if url.drivername not in {"sqlite", "sqlite+pysqlite", _POSTGRESQL_DRIVER}:
        raise ArgumentError(f"{url.drivername!r} is neither SQLite nor PostgreSQL by way of psycopg")
    return url


def engine_arguments(url: URL) -> dict[str, Any]:
    """Answer what ``create_engine`` needs beside the URL; what the URL itself says is left to it.

    A SQLite file that is not there is made, readable by its owner alone. Raises ``ArgumentError`` for a URL that names
    none, ``OSError`` where it cannot be made.
    """
    pool = {"pool_size": 16, "max_overflow": 48, "pool_timeout": 5.0}
    if url.get_backend_name() == "sqlite":
        _make_private(url)
        return pool | {"connect_args": {"check_same_thread": False}}
    connecting = {name: value for name, value in _POSTGRESQL_CONNECTING.items() if name not in url.query}
    connecting["client_encoding"] = "UTF8"  # whatever the environment or the URL says: it is what is sent
    own = url.query.get("options", ())
    settings = [f"-c {name}={value}" for name, value in _POSTGRESQL_SETTINGS.items()]
    connecting["options"] = " ".join([*settings, *([own] if isinstance(own, str) else own)])  # the last one wins
    return pool | {"connect_args": connecting, "isolation_level": "READ COMMITTED"}


def _make_private(url: URL) -> None:
    if url.database in {None, "", ":memory:"} or "uri" in url.query:
        raise ArgumentError("it names no file, and what a server knows has to outlive it")
    with suppress(FileExistsError):
        Path(str(url.database)).touch(mode=0o600, exist_ok=False)


def reader_options(engine: Engine) -> dict[str, Any]:
    """Answer the execution options of transactions that see one state of the database and change nothing."""
    if engine.dialect.name == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {sqlite.READ_ONLY: True}


def prepare(engine: Engine) -> None:
    """Set up each connection and each transaction as this dialect needs it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", sqlite.configure)
        event.listen(engine, "begin", sqlite.begin_by_sqlalchemy)
    else:
        event.listen(engine, "do_connect", _connect_postgresql)
        event.listen(engine, "checkin", _note_idle)
        event.listen(engine, "checkout", _ask_idle)


def _connect_postgresql(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
    from placet.store.postgresql import BoundedConnection  # noqa: PLC0415 (psycopg takes time)

    return BoundedConnection.connect(*arguments, **options)


def _note_idle(connection: Any, record: Any) -> None:
    if connection is not None:
        connection.answer_within = type(connection).answer_within
        record.info["idle_since"] = time.monotonic()


def _ask_idle(connection: Any, record: Any, _proxy: object) -> None:
    """Ask a connection that was idle whether it lives; one that does not, and all others of its time, are given up."""
    if time.monotonic() - record.info.get("idle_since", float("inf")) < _IDLE_SECONDS:
        return
    connection.answer_within = _PING_SECONDS
    try:
        connection.autocommit = True  # one round trip, not three
        connection.execute("SELECT 1")
        connection.autocommit = False
    except connection.Error as error:
        raise InvalidatePoolError(str(error)) from error
    connection.answer_within = type(connection).answer_within


def unfit(connection: Connection) -> str | None:
    """Answer why a database cannot hold what Placet stores, in a sentence; ``None`` where it can."""
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            return f"Its encoding is {encoding}, in which not every name can be written. Make one with ENCODING 'UTF8'."
    return None


def damage(connection: Connection) -> list[str]:
    """Answer where a database is damaged below its tables, for one that does not look after that itself."""
    if connection.dialect.name != "sqlite":
        return []
    try:
        found = [str(row[0]) for row in _INTEGRITY.run(connection).fetchall()]
    except (DBAPIError, sqlite3.Error) as error:  # the one where it is executed, the other where it is read
        return [str(getattr(error, "orig", error))]
    return [line for line in found if line != "ok" and not line.startswith(("CHECK constraint", "NULL value"))]


def set_up_alone(connection: Connection) -> None:
    """Let one transaction at a time set up what has to be made once, for as long as that takes.

    SQLite's writing transactions are alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.connection.driver_connection.answer_within = None  # type: ignore[union-attr]
        for setting in ("lock_timeout", "statement_timeout"):
            connection.execute(select(func.set_config(setting, "0", True)))
        connection.execute(select(func.pg_advisory_xact_lock(_SET_UP_LOCK)))


def locks_rows(connection: Connection) -> bool:
    """Tell whether rows have to be locked before what they say is decided by."""
    return connection.dialect.name != "sqlite"


def has_arrays(connection: Connection) -> bool:
    """Tell whether one parameter can be a list of values, and a statement part of another."""
    return connection.dialect.name == "postgresql"


def parameters_at_once(connection: Connection) -> int:
    """Answer how many parameters one statement had best have.

    Psycopg remembers how to send a statement only where it has at most 50. SQLite takes 999, and each statement costs
    its thread a wait for the others.
    """
    return 480 if connection.dialect.name == "sqlite" else 48


_CLOCK_TERMS = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000",  # its day has milliseconds
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
}
_CLOCKS = {name: Hot(f"SELECT {term}") for name, term in _CLOCK_TERMS.items()}


def clock(connection: Connection) -> int:
    """Answer the moment by the database's own clock, in microseconds since the epoch: the same for all its clients.

    It is the moment of asking, not that at which the transaction began.
    """
    return int(_CLOCKS[connection.dialect.name].run(connection).fetchone()[0])


def turns(engine: Engine) -> Turns | None:
    """Answer the turns at writing, for a database that takes one writer at a time and does not queue them itself."""
    if engine.dialect.name == "sqlite":
        return Turns(Path(str(engine.url.database)))
    return None


def change_mark(connection: Connection) -> Hashable:
    """Answer a value that differs once what bears on the license has changed.

    SQLite tells each connection whether another one has changed the file. PostgreSQL has nothing like it: there the few
    rows themselves are the mark, since any number made of them (a sum, the newest ``xmin``) may be the same for two.
    """
    if connection.dialect.name == "sqlite":
        row = _DATA_VERSION.run(connection).fetchone()
        return int(row[0]) if row else 0
    return tuple(sorted(CURRENT.run(connection).fetchall()))


def marks_by_connection(engine: Engine) -> bool:
    """Tell whether :func:`change_mark` is to be asked of the same connection each time, outside of transactions."""
    return engine.dialect.name == "sqlite"


def tell_change(connection: Connection) -> None:
    """Tell the other servers, once the transaction is committed, that what bears on the license has changed."""
    if connection.dialect.name == "postgresql":
        _NOTIFY.run(connection)


def listener(engine: Engine) -> "Listener | None":
    """Answer what hears :func:`tell_change`, on a connection of its own; ``None`` where nothing is told."""
    if engine.dialect.name == "sqlite":
        return None
    from placet.store.postgresql import Listener  # noqa: PLC0415

    return Listener(engine.connect())


def is_of_another_type(connection: Connection, column: Column[Any]) -> ColumnElement[bool]:
    """Tell which values of a column are not of its type: SQLite stores what it is given, PostgreSQL refuses it."""
    if connection.dialect.name != "sqlite":
        return false()
    expected = {int: "integer", bool: "integer", bytes: "blob"}.get(_stored_as(column), "text")
    return func.typeof(column).not_in([expected, "null"])


def _stored_as(column: Column[Any]) -> type:
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return stored.python_type


class now_microseconds(FunctionElement[int]):  # noqa: N801 - it is a function of SQL
    """What :func:`clock` answers, as a part of a statement."""

    inherit_cache = True
    type = BigInteger()


@compiles(now_microseconds)
def _clock_term(_element: now_microseconds, compiler: SQLCompiler, **_options: Any) -> str:
    return f"({_CLOCK_TERMS[compiler.dialect.name]})"


class ByCodePoint(FunctionElement[str]):
    """A text in the order of its characters' code points, whatever order the database was made with."""

    inherit_cache = True
    type = String()


@compiles(ByCodePoint)
def _as_it_is(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByCodePoint, "postgresql")
def _collated(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'
