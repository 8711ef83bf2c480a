"""Opening, and transactions."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from placet.store import usage
from placet.store.database import Database, DatabaseUnusable
from placet.store.failures import NestedTransaction
from placet.store.hot import Hot
from placet.store.schema import allocations, totals
from store_support.databases import raw

SECRET = "s3cret-pass"


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(totals)).scalar_one()


def add(connection: Connection, feature: str) -> None:
    connection.execute(insert(totals).values(feature=feature, used=0))


# Transactions, on every database


def test_what_is_written_is_there_once_the_transaction_ends(database: Database) -> None:
    with database.write() as connection:
        add(connection, "users")
        with database.read() as other:
            assert count(other) == 0
    with database.read() as other:
        assert count(other) == 1


def test_an_exception_takes_back_what_was_written(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            add(connection, "users")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.read() as connection:
        assert count(connection) == 0
    with database.write() as connection:  # and the next one has its turn
        add(connection, "users")


def test_a_reading_transaction_sees_one_state(database: Database) -> None:
    with database.read() as reader:
        assert count(reader) == 0
        with database.write() as writer:
            add(writer, "users")
        assert count(reader) == 0
    with database.read() as reader:
        assert count(reader) == 1


def test_two_readers_do_not_wait_for_each_other(database: Database) -> None:
    with database.read() as one, database.read() as two:
        assert (count(one), count(two)) == (0, 0)


def test_foreign_keys_are_enforced(database: Database) -> None:
    orphan = insert(allocations).values(feature="nothing", holder="orders", amount=1, changed_at=None)
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(orphan)


def test_a_closed_database_opens_again(database_url: str) -> None:
    database = Database.open(database_url)
    with database.write() as connection:
        add(connection, "users")
    database.close()
    database.close()
    again = Database.open(database_url)
    with again.read() as connection:
        assert count(connection) == 1
    again.close()


# SQLite


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("by", ["url", "path"])
def test_a_new_file_is_readable_by_its_owner_alone(path: Path, by: str) -> None:
    before = os.umask(0)
    try:
        database = Database.open(f"sqlite:///{path}") if by == "url" else Database.open_file(path)
        with database.write() as connection:
            add(connection, "users")
            modes = {file.name: mode(file) for file in path.parent.iterdir()}
        database.close()
    finally:
        os.umask(before)
    beside = ("-wal", "-shm", "-queue", "-turn")
    assert modes == {path.name: 0o600} | {f"{path.name}{suffix}": 0o600 for suffix in beside}


def test_the_permissions_of_a_file_that_is_there_are_left_alone(path: Path) -> None:
    Database.open_file(path).close()
    path.chmod(0o640)
    Database.open_file(path).close()
    assert mode(path) == 0o640


@pytest.mark.parametrize("name", ["a b.sqlite3", "100%.sqlite3", "what?.sqlite3", "a#b.sqlite3", "ä:@.sqlite3"])
def test_a_path_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    Database.open_file(tmp_path / name).close()
    assert {file.name for file in tmp_path.iterdir()} == {name, f"{name}-queue", f"{name}-turn"}


def test_each_connection_is_durable_and_strict(path: Path) -> None:
    database = Database.open_file(path)
    settings = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
    with database.read() as one, database.read() as two, database.write() as three:
        for connection in (one, two, three):
            found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in settings]
            assert found == ["wal", 2, 1, 30_000]
    database.close()


def test_a_writing_transaction_begins_immediately(path: Path) -> None:
    """Nobody else may write from its first moment on, so that what it reads stays true; a reader locks nobody out."""
    database = Database.open_file(path)
    with raw(path) as other:
        with database.read() as connection:
            assert count(connection) == 0
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        with database.write():
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert other.execute("SELECT count(*) FROM totals").fetchone() == (0,)
    database.close()


@pytest.mark.parametrize("another_process", [False, True])
def test_a_second_writer_waits_and_a_reader_does_not(path: Path, another_process: bool) -> None:
    first = Database.open_file(path)
    second = Database.open_file(path) if another_process else first
    order: list[str] = []
    starts = threading.Event()

    def write() -> None:
        starts.set()
        with second.write() as connection:
            order.append("second begins")
            assert count(connection) == 1
            add(connection, "second")

    waiting = threading.Thread(target=write)
    with first.write() as connection:
        waiting.start()
        assert starts.wait(10)
        add(connection, "first")
        with second.read() as reader:
            assert count(reader) == 0
        order.append("first ends")
    waiting.join(10)
    assert order == ["first ends", "second begins"]
    with first.read() as connection:
        assert count(connection) == 2
    second.close()
    first.close()


def test_a_writing_transaction_within_another_is_told_rather_than_waited_for(path: Path) -> None:
    database = Database.open_file(path)

    def nest() -> None:
        with database.write() as connection:
            add(connection, "users")
            with database.write():
                pass

    with pytest.raises(NestedTransaction, match="A write transaction was begun within another of the same thread"):
        nest()
    with database.write() as connection:
        assert count(connection) == 0
    database.close()


def test_the_change_mark_tells_of_every_commit_and_of_nothing_else(path: Path) -> None:
    database, other = Database.open_file(path), Database.open_file(path)
    marks = [database.change_mark(), database.change_mark()]
    assert marks[0] == marks[1]
    for writer in (database, other):
        with writer.write() as connection:
            add(connection, f"feature {len(marks)}")
            marks.append(database.change_mark())
            assert marks[-1] == marks[-2]
        marks.append(database.change_mark())
        assert marks[-1] != marks[-2]
    with raw(path) as shell:
        shell.execute("BEGIN IMMEDIATE")
        shell.execute("DELETE FROM totals")
        shell.execute("ROLLBACK")
        assert database.change_mark() == marks[-1]
        shell.execute("DELETE FROM totals")
        assert database.change_mark() != marks[-1]
    other.close()
    database.close()


# What cannot be opened

IN_GENERAL = "No database can be opened with that URL (.*). Write sqlite:////path/to/file or postgresql"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "Could not parse"),
        ("a database", "Could not parse"),
        ("nonsense://host/name", "nonsense"),
        ("sqlite://", "it names no file"),
        ("sqlite:///:memory:", "it names no file"),
        ("sqlite:///file:placet?mode=memory&uri=true", "it names no file"),
        ("sqlite:////tmp/a\0b", "a character that cannot be there"),
        (f"postgresql://placet:{SECRET}@host:port/name", "its port is not a number"),
        (f"mysql://placet:{SECRET}@host/name", "'mysql' is neither SQLite nor PostgreSQL by way of psycopg"),
        (f"postgresql+psycopg2://placet:{SECRET}@host/name", "'postgresql.psycopg2' is neither SQLite nor PostgreSQL"),
        (f"postgresql+psycopg://{'x' * 64}/name", "its host has a name no host can have"),
        (f"postgresql+psycopg://host/{'x' * 100_000}", "it has 100,026 characters, and 2,000 is the most"),
    ],
)
def test_a_wrong_url_is_refused_with_a_sentence(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUnusable, match=reason) as caught:
        Database.open(url)
    assert SECRET not in str(caught.value)
    assert "\n  " not in str(caught.value)


@pytest.mark.parametrize("url", ["a database", "sqlite://", "nonsense://host/name", "postgresql://host:port/name"])
def test_the_sentence_says_what_to_write_instead(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match=IN_GENERAL):
        Database.open(url)


def test_a_database_server_that_does_not_answer_is_told_without_the_password() -> None:
    with pytest.raises(DatabaseUnusable, match="cannot be used: connection failed") as caught:
        Database.open(f"postgresql+psycopg://placet:{SECRET}@127.0.0.1:1/name")
    assert SECRET not in str(caught.value)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"database file .*/gone/x cannot be made: No such file or directory"):
        Database.open_file(tmp_path / "gone" / "x")


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="cannot be used: unable to open database file"):
        Database.open_file(tmp_path)


@pytest.mark.parametrize("content", [b"garbage " * 1000, b"my notes", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match=r"The database .* cannot be used: file is not a database"):
        Database.open_file(path)
    assert path.read_bytes() == content


def test_a_transaction_that_fails_in_the_driver_or_in_sqlalchemy_leaves_none_under_way(database: Database) -> None:
    def write(fail: str) -> None:
        with database.write() as connection:
            if fail != "before sqlalchemy":
                connection.execute(text("SELECT 1"))
            if fail == "in sqlalchemy":
                connection.execute(text("SELECT nothing"))
            raise ValueError(fail)

    for fail in ("before sqlalchemy", "in sqlalchemy", "after sqlalchemy"):
        with pytest.raises((ValueError, DBAPIError)):
            write(fail)
        with database.write() as connection:
            usage.ensure_totals(connection, [fail])
    with database.read() as connection:
        assert len(usage.usage(connection)) == 3


def test_what_the_driver_alone_has_written_is_durable_or_taken_back(database: Database) -> None:
    count = Hot("UPDATE totals SET used = used + 1 WHERE feature = ?")

    def counts(*, fails: bool) -> None:
        with database.write() as connection:
            count.run(connection, "a")
            if fails:
                raise ValueError

    with database.write() as connection:
        usage.ensure_totals(connection, ["a"])
    counts(fails=False)
    with pytest.raises(ValueError):  # noqa: PT011
        counts(fails=True)
    counts(fails=False)
    with database.read() as connection:
        assert usage.usage(connection) == {"a": 2}
