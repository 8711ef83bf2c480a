import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from placet.store import sqlite
from placet.store.database import Database, DatabaseUnusable
from placet.store.failures import DatabaseDamaged, DatabaseUnavailable, NestedTransaction, OutcomeUnknown, failure_of
from placet.store.schema import totals
from store_support.cuttable_proxy import CuttableProxy
from store_support.postgres import lent_database, shared_server


def put(connection: Connection, feature: str) -> None:
    connection.execute(totals.insert().values(feature=feature, used=0))


def write(database: Database, feature: str = "users") -> None:
    with database.write() as connection:
        put(connection, feature)


def test_what_is_busy_says_that_nothing_was_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_SQLITE_PRAGMAS", ("PRAGMA busy_timeout=1",))
    database = Database.open_file(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            DatabaseUnavailable, match=r"is busy: database is locked\. Nothing was changed; try"
        ) as caught:
            write(database)
        assert isinstance(caught.value.__cause__, OperationalError)
        other.execute("ROLLBACK")
    write(database)
    database.close()


def test_what_is_read_only_says_so(database: Database) -> None:
    pragma = "PRAGMA query_only=ON" if database.engine.dialect.name == "sqlite" else "SET TRANSACTION READ ONLY"

    def write_where_it_is_read_only() -> None:
        with database.write() as connection:
            connection.exec_driver_sql(pragma)
            put(connection, "users")

    with pytest.raises(DatabaseUnavailable, match="is read-only"):
        write_where_it_is_read_only()


def test_what_it_was_asked_is_no_failure_of_the_database(database: Database) -> None:
    write(database)
    with pytest.raises(IntegrityError):
        write(database)
    with pytest.raises(DatabaseError, match="nothing_here"), database.read() as connection:
        connection.execute(text("SELECT * FROM nothing_here"))


def test_a_database_that_is_damaged_says_so_and_what_to_do(path: Path) -> None:
    Database.open_file(path).close()
    pages = bytearray(path.read_bytes())
    pages[8192 : 8192 + 40 * 4096] = os.urandom(40 * 4096)
    path.write_bytes(pages)

    def read_all() -> None:
        database = Database.open_file(path)
        with database.read() as connection:
            for name in totals.metadata.tables:
                connection.execute(text(f"SELECT * FROM {name}")).all()  # noqa: S608

    with pytest.raises((DatabaseDamaged, DatabaseUnusable), match="damaged"):
        read_all()


def test_a_file_that_is_no_database_says_what_to_do(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(DatabaseUnusable, match=r"file is not a database\. It is damaged, .* restore a backup"):
        Database.open_file(path)


def test_a_server_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(DatabaseUnusable, match="See that it runs"):
        Database.open("postgresql://nobody@127.0.0.1:1/nothing")


def test_a_connection_lost_at_the_commit_leaves_the_outcome_unknown() -> None:
    with lent_database() as url, CuttableProxy(shared_server().port) as network:
        database = Database.open(url.replace(f":{shared_server().port}/", f":{network.port}/"))

        def lose_it(*, body: bool) -> None:
            with database.write() as connection:
                put(connection, f"{body}")
                network.cut()
                if body:
                    connection.execute(text("SELECT 1"))

        with pytest.raises(OutcomeUnknown, match=r"nobody knows yet whether it is") as caught:
            lose_it(body=False)
        assert isinstance(caught.value.__cause__, OperationalError)
        assert database.is_lost
        network.mend()
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            lose_it(body=True)
        network.mend()
        write(database)
        database.close()


def test_what_a_commit_is_refused_for_is_known(path: Path) -> None:
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    for error, expected in ((busy, DatabaseUnavailable), (broken, OutcomeUnknown)):
        assert type(failure_of(OperationalError("COMMIT", None, error), commits=True)) is expected
        assert type(failure_of(OperationalError("SELECT", None, error), commits=False)) is DatabaseUnavailable


def test_a_write_within_a_write_is_told_at_once_on_every_database(database: Database) -> None:
    def nest() -> None:
        with database.write() as connection:
            put(connection, "users")
            write(database, "others")

    with pytest.raises(NestedTransaction, match="an allocation inside an allocation"):
        nest()
    write(database)
