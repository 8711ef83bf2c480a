"""Opening a database: connections, transactions, and a schema that is as new as this code."""

import re
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from placet.store import dialects, sqlite
from placet.store.failures import (
    RAISED,
    DatabaseDamaged,
    DatabaseFailed,
    DatabaseUnavailable,
    NestedTransaction,
    failure_of,
)
from placet.store.reach import Reach

if TYPE_CHECKING:
    from placet.store.postgresql import Listener
    from placet.store.turns import Turns

SCHEMA_VERSION = "0006"
"""The newest migration. Compared without Alembic, which is imported only where the schema is behind."""

LONGEST_URL = 2000
_REVISION = re.compile("[0-9]{4}")


class DatabaseUnusable(Exception):
    """A database that cannot be opened; the message says which, why and what to do."""


class Database:
    """A database of facts. ``read`` and ``write`` are its transactions; both roll back when left by an exception.

    Where it fails as a whole they raise ``DatabaseUnavailable``, ``OutcomeUnknown`` or ``DatabaseDamaged``, within
    seconds; a ``write`` within another of the same thread raises ``NestedTransaction``.
    """

    def __init__(self, engine: Engine) -> None:
        dialects.prepare(engine)
        self.engine = engine
        self._reader = engine.execution_options(**dialects.reader_options(engine))
        self._turns = dialects.turns(engine)
        self._writer: Connection | None = None  # kept: those who write take turns, so that one is enough
        self._alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._watch: Connection | None = None
        self._watching = threading.Lock()
        self._reach = Reach()
        self._mine = threading.local()

    @classmethod
    def open(cls, url: str | URL) -> Self:
        """Open the database at a SQLAlchemy URL, bringing its schema up to date; raises :class:`DatabaseUnusable`.

        A SQLite file made anew is readable by its owner alone.
        """
        if isinstance(url, str) and len(url) > LONGEST_URL:
            raise _no_database(f"it has {len(url):,} characters, and {LONGEST_URL:,} is the most")
        try:
            parsed = dialects.complete(make_url(url))
            engine = create_engine(parsed, **dialects.engine_arguments(parsed))
        except ImportError as error:
            raise DatabaseUnusable(
                f"PostgreSQL needs the package psycopg, which cannot be loaded here ({error}). "
                "Install Placet with it: pip install 'placet[postgresql]'."
            ) from None
        except ArgumentError as error:
            raise _no_database(str(error)) from None
        except ValueError:  # what it says may hold a password
            raise _no_database("its port is not a number, or it holds a character that cannot be there") from None
        except OSError as error:
            raise DatabaseUnusable(f"The database file {error.filename} cannot be made: {error.strerror}.") from None
        database = cls(engine)
        try:
            database._bring_up_to_date()
        except (DBAPIError, DatabaseFailed) as error:
            database.close()
            raise DatabaseUnusable(
                f"The database {_shown(parsed)} cannot be used: {_reason(error)}. {_remedy(error)}"
            ) from error
        except AssertionError as error:  # SQLAlchemy's, of what speaks the protocol and is something else
            database.close()
            raise DatabaseUnusable(f"The database {_shown(parsed)} is not PostgreSQL: {error}.") from None
        except UnicodeError:
            database.close()
            raise _no_database("its host has a name no host can have") from None
        except DatabaseUnusable:
            database.close()
            raise
        return database

    @classmethod
    def open_file(cls, path: Path) -> Self:
        """Open a SQLite database file like :meth:`open`."""
        return cls.open(URL.create("sqlite", database=str(path)))

    def close(self) -> None:
        """Close every connection."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.engine.dispose()
        if self._turns is not None:
            self._turns.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._reached(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable once it is left without an exception."""
        self.check_not_writing()
        self._mine.writes = True
        try:
            with self._on_server() if self._turns is None else self._in_turn(self._turns) as connection:
                yield connection
        finally:
            self._mine.writes = False

    def check_not_writing(self) -> None:
        """Raise ``NestedTransaction`` where this thread is in a write transaction: what it begins would wait for it."""
        if getattr(self._mine, "writes", False):
            raise NestedTransaction

    @contextmanager
    def _on_server(self) -> Iterator[Connection]:
        with self._reached(), self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            try:
                transaction.commit()
            except RAISED as error:
                self._raise_failure(error, commits=True)
                raise

    @contextmanager
    def _in_turn(self, turns: "Turns") -> Iterator[Connection]:
        commits = False
        with turns:
            try:
                if self._writer is None:
                    self._writer = self.engine.connect()
                sqlite.begin(self._writer)
                yield self._writer
                commits = True
                sqlite.commit(self._writer)
            except BaseException as error:
                if self._writer is not None:
                    sqlite.roll_back(self._writer)
                self._raise_failure(error, commits=commits)
                raise

    def change_mark(self) -> Hashable:
        """Answer a value that differs once anything that bears on the license has changed. One statement."""
        if not dialects.marks_by_connection(self.engine):
            with self._reached(), self._alone.connect() as connection:
                return dialects.change_mark(connection)
        with self._watching:
            try:
                if self._watch is None:
                    self._watch = self.engine.connect()  # no transaction: it has to see every commit
                return dialects.change_mark(self._watch)
            except RAISED as error:
                self._raise_failure(error)
                raise

    def listener(self) -> "Listener | None":
        """Answer what hears at once of changes others make; ``None`` where the database tells nobody."""
        with self._reached():
            return dialects.listener(self.engine)

    @property
    def is_lost(self) -> bool:
        """Whether the database was not reached when it was last tried."""
        return self._reach.is_lost

    @contextmanager
    def _reached(self) -> Iterator[None]:
        tried = self._reach.enter()
        try:
            yield
        except BaseException as error:
            self._reach.leave(error, tried=tried)
            self._raise_failure(error)
            raise
        self._reach.leave(None, tried=tried)

    @staticmethod
    def _raise_failure(error: BaseException, *, commits: bool = False) -> None:
        """Raise what an error says of the database as a whole, if anything."""
        if isinstance(error, RAISED):
            failure = failure_of(error, commits=commits)
            if failure is not None:
                raise failure from error

    def _bring_up_to_date(self) -> None:
        with self.read() as connection:
            if _schema_version(connection) == SCHEMA_VERSION:
                return
        with self.write() as connection:
            dialects.set_up_alone(connection)
            found = _schema_version(connection)
            if found is not None and _REVISION.fullmatch(found) is None:
                raise DatabaseUnusable(
                    f"The database belongs to another program: its schema is {found[:40]!r}, which no Placet has made. "
                    "Give Placet a database of its own."
                )
            if found is not None and found > SCHEMA_VERSION:
                raise DatabaseUnusable(
                    f"The database has schema {found}, and this Placet knows schemas up to {SCHEMA_VERSION}. "
                    "Run the newer Placet that last used it."
                )
            if found != SCHEMA_VERSION:
                unfit = dialects.unfit(connection)
                if unfit is not None:
                    raise DatabaseUnusable(f"The database cannot hold what Placet stores. {unfit}")
                from placet.store.migrations import upgrade  # noqa: PLC0415 (costs half a second)

                upgrade(connection)


def _no_database(reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"No database can be opened with that URL ({reason}). Write sqlite:////path/to/file or "
        "postgresql://user:password@host/name."
    )


def _shown(url: URL) -> str:
    """A URL without what may be a secret."""
    return repr(url.set(query={}))


def _reason(error: BaseException) -> str:
    """What a database said, in one line."""
    cause = error.__cause__ if isinstance(error, DatabaseFailed) else error
    lines = [line.strip(" -\t") for line in str(getattr(cause, "orig", cause)).splitlines()]
    return " ".join(line for line in lines if line).rstrip(".")


def _remedy(error: BaseException) -> str:
    """What to do about a database that cannot be used."""
    if isinstance(error, DatabaseDamaged):
        return "It is damaged, or no database: restore a backup in its place, or name another one. Nothing was changed."
    if isinstance(error, DatabaseUnavailable):
        return "See that it runs, and that its address, name and password are right; then start again."
    return "Nothing was changed."


def _schema_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
