"""Statements that go to PostgreSQL as one packet, prepared on the way."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from placet.store.database import Database
from placet.store.failures import DatabaseUnavailable
from placet.store.hot import Hot, together
from placet.store.postgresql import BoundedConnection
from store_support.postgres import lent_database

INSERT = Hot("INSERT INTO numbers (number, name) VALUES (?, ?)")
READ = Hot("SELECT number, name FROM numbers WHERE number >= ? ORDER BY number")
UPDATE = Hot("UPDATE numbers SET name = ? WHERE number >= ?")


@pytest.fixture
def url() -> Iterator[str]:
    with lent_database() as lent:
        yield lent


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database.open(url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE numbers (number BIGINT PRIMARY KEY, name TEXT)"))
    try:
        yield database
    finally:
        database.close()


def numbers(database: Database) -> list[tuple[int, str | None]]:
    with database.read() as connection:
        (found,) = together(connection, [(READ, (0,))])
        return list(found.fetchall())


@contextmanager
def driver(database: Database) -> Iterator[Any]:
    """The driver's connection of the one that is in the pool."""
    with database.engine.connect() as connection:
        yield connection.connection.driver_connection


def test_each_is_answered_in_its_order(database: Database) -> None:
    names = [None, "", "it's \"\\ {a,b}", "Zoë \U0001f600"]
    with database.write() as connection:
        calls = [(INSERT, (number * 10**15, name)) for number, name in enumerate(names)]
        *_, found, changed, none = together(
            connection, [*calls, (READ, (0,)), (UPDATE, ("x", 10**15)), (READ, (10**18,))]
        )
        assert found.fetchone() == (0, None)
        assert found.fetchall() == [(number * 10**15, name) for number, name in enumerate(names)]
        assert changed.rowcount == 3
        assert none.fetchone() is None
    assert numbers(database) == [(0, None), *((number * 10**15, "x") for number in (1, 2, 3))]


def test_many_large_ones_are_sent_while_answers_come(database: Database) -> None:
    echo, long = Hot("SELECT CAST(? AS TEXT)"), "x" * 100_000
    with database.write() as connection:
        answers = together(connection, [(echo, (f"{number} {long}",)) for number in range(100)])
    assert [answer.fetchone() for answer in answers] == [(f"{number} {long}",) for number in range(100)]


def test_where_one_fails_none_has_happened_and_the_connection_goes_on(database: Database) -> None:
    with pytest.raises(IntegrityError, match="duplicate key"), database.write() as connection:
        together(connection, [(INSERT, (1, "a")), (INSERT, (1, "b")), (INSERT, (2, "c"))])
    assert numbers(database) == []
    with driver(database) as before:
        pass
    with database.write() as connection:
        together(connection, [(INSERT, (1, "a")), (INSERT, (2, "c"))])
        assert connection.connection.driver_connection is before
    assert numbers(database) == [(1, "a"), (2, "c")]


def test_what_cannot_be_stored_is_not_cut_short(database: Database) -> None:
    with pytest.raises(DataError, match="null character"), database.write() as connection:
        together(connection, [(INSERT, (1, "a")), (INSERT, (2, "b\0c"))])
    assert numbers(database) == []


def test_the_driver_forgets_what_it_prepared_and_this_is_prepared_again(database: Database) -> None:
    def insert(number: int) -> None:
        with database.write() as connection:
            together(connection, [(INSERT, (number, None)), (UPDATE, ("a", 0))])

    insert(1)
    with driver(database) as connection:
        for _ in range(connection.prepare_threshold + 2):
            connection.execute("SELECT 1")
        names = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0]
        connection.rollback()  # it forgets all: a table may be another one now
        after = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0]
    assert (names >= 3, after) == (True, 0)
    insert(2)
    assert numbers(database) == [(1, "a"), (2, "a")]


def test_rolling_back_again_and_again_prepares_nothing_anew(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            together(connection, [(INSERT, (1, None)), (UPDATE, ("a", 0))])
            raise ValueError("taken back")

    for _ in range(20):
        with pytest.raises(ValueError, match="taken back"):
            fail()
    with driver(database) as connection:
        query = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'placet%'"
        assert connection.execute(query).fetchone()[0] <= 2


def test_a_connection_that_ends_is_not_used_again(database: Database, url: str) -> None:
    def insert() -> None:
        with database.write() as connection:
            ((pid,),) = together(connection, [(Hot("SELECT pg_backend_pid()"), ())])[0].fetchall()
            with psycopg.connect(url) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            together(connection, [(INSERT, (1, "a")), (INSERT, (2, "b"))])

    with pytest.raises(DatabaseUnavailable) as caught:
        insert()
    assert isinstance(caught.value.__cause__, OperationalError)
    assert caught.value.__cause__.connection_invalidated
    assert numbers(database) == []


def test_one_that_is_interrupted_leaves_nothing_unread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_connection: BoundedConnection, _gen: object) -> None:
        raise KeyboardInterrupt

    def insert(patched: pytest.MonkeyPatch) -> None:
        with database.write() as connection:
            patched.setattr(BoundedConnection, "wait", interrupted)
            together(connection, [(INSERT, (1, "a")), (INSERT, (2, "b"))])

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, DatabaseUnavailable)):
        insert(patched)
    assert numbers(database) == []


def test_threads_have_connections_of_their_own(database: Database) -> None:
    def insert(number: int) -> int:
        with database.write() as connection:
            found = together(connection, [(INSERT, (number, None)), (READ, (number,))])[1]
            return int(found.fetchall()[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(insert, range(40))) == list(range(40))


def test_it_begins_the_transaction_it_is_in(database: Database) -> None:
    with database.read() as connection:
        together(connection, [(READ, (0,)), (READ, (1,))])
        status = connection.connection.driver_connection.info.transaction_status  # type: ignore[union-attr]
        assert status == TransactionStatus.INTRANS
        (found,) = together(connection, [(Hot("SELECT current_setting('transaction_isolation')"), ())])
        assert found.fetchone() == ("repeatable read",)
