"""Statements that are given to the driver directly: what they answer, and what is told where they fail."""

from contextlib import suppress

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from placet.store.database import Database
from placet.store.hot import Hot, together
from placet.store.schema import totals

ADD = Hot("INSERT INTO totals (feature, used) VALUES (?, ?)")
FIND = Hot("SELECT used FROM totals WHERE feature = ?")


def used(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {row.feature: row.used for row in connection.execute(select(totals))}


def test_a_statement_works_in_the_transaction_it_is_given(database: Database) -> None:
    with suppress(ZeroDivisionError), database.write() as connection:
        ADD.run(connection, "a", 1)
        assert FIND.run(connection, "a").fetchone() == (1,)
        raise ZeroDivisionError
    assert used(database) == {}
    with database.write() as connection:
        ADD.run(connection, "a", 2)
        connection.execute(insert(totals).values(feature="b", used=3))
    assert used(database) == {"a": 2, "b": 3}


def test_rows_are_written_with_one_statement(database: Database) -> None:
    with database.write() as connection:
        ADD.run_many(connection, [("a", 1), ("b", 2), ("c", 3)])
    assert used(database) == {"a": 1, "b": 2, "c": 3}


def test_statements_together_answer_in_their_order(database: Database) -> None:
    with database.write() as connection:
        cursors = together(connection, [(ADD, ("a", 1)), (FIND, ("a",)), (FIND, ("b",))])
        assert cursors[0].rowcount == 1
        assert cursors[1].fetchall() == [(1,)]
        assert cursors[2].fetchone() is None
    assert used(database) == {"a": 1}


def test_where_one_fails_those_after_it_have_not_happened(database: Database) -> None:
    calls = [(ADD, ("a", 1)), (ADD, ("a", 2)), (ADD, ("b", 3))]
    with pytest.raises(IntegrityError), database.write() as connection:
        together(connection, calls)
    assert used(database) == {}
    with database.write() as connection:  # the connection is as good as before
        together(connection, calls[2:])
    assert used(database) == {"b": 3}


def test_errors_are_those_of_sqlalchemy_with_the_statement(database: Database) -> None:
    with database.write() as connection:
        ADD.run(connection, "a", 1)
    with pytest.raises(IntegrityError) as raised, database.write() as connection:
        ADD.run(connection, "a", 2)
    assert "INSERT INTO totals" in str(raised.value.statement)
    assert not raised.value.connection_invalidated
    with pytest.raises(IntegrityError), database.write() as connection:
        ADD.run_many(connection, [("b", 1), ("b", 2)])
    with pytest.raises((OperationalError, ProgrammingError)), database.write() as connection:
        Hot("SELECT * FROM nothing_of_the_kind").run(connection)
    assert used(database) == {"a": 1}
