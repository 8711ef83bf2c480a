"""Group commit: what comes together is one transaction, and nobody is told of another's failure."""

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from placet.store.batches import Batches
from placet.store.database import Database
from placet.store.failures import DatabaseUnavailable


class Journal:
    """Writes the numbers it is asked for, and notes which came together. Its first transaction waits to be let go."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.together: list[list[int]] = []
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        with database.write() as connection:
            connection.execute(text("CREATE TABLE numbers (number BIGINT PRIMARY KEY)"))
        self.batches: Batches[int, int] = Batches(database, self.do)

    def do(self, connection: Connection, numbers: Sequence[int]) -> list[int]:
        self.together.append(list(numbers))
        self.begun.set()
        assert self.may_go_on.wait(30)
        for number in numbers:
            connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
            if number < 0:
                raise ValueError(number)
            if number >= 1000:
                raise OperationalError(None, None, ConnectionError(number))
        return [number * 10 for number in numbers]

    def written(self) -> list[int]:
        with self.database.read() as connection:
            return list(connection.execute(text("SELECT number FROM numbers ORDER BY number")).scalars())

    def run_behind_one(self, numbers: Sequence[int]) -> list[int | Exception]:
        """Run all ``numbers`` while the transaction of another one is under way; answers what each was told."""

        def told(number: int) -> int | Exception:
            try:
                return self.batches.run(number)
            except (ValueError, DatabaseUnavailable) as error:
                return error

        with ThreadPoolExecutor(len(numbers) + 1) as pool:
            first = pool.submit(told, 0)
            assert self.begun.wait(30)
            others = [pool.submit(told, number) for number in numbers]
            while len(self.batches._waiting) < len(numbers):
                pass
            self.may_go_on.set()
            assert first.result(30) == 0
            return [other.result(30) for other in others]


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def test_those_who_come_meanwhile_share_the_next_transaction(journal: Journal) -> None:
    assert journal.run_behind_one([1, 2, 3, 4, 5]) == [10, 20, 30, 40, 50]
    assert [sorted(batch) for batch in journal.together] == [[0], [1, 2, 3, 4, 5]]
    assert journal.written() == [0, 1, 2, 3, 4, 5]


def test_one_that_fails_is_told_so_and_takes_nobody_along(journal: Journal) -> None:
    first, failed, last = journal.run_behind_one([1, -2, 3])
    assert (first, last) == (10, 30)
    assert isinstance(failed, ValueError)
    assert journal.written() == [0, 1, 3]


def test_where_the_database_fails_everybody_is_told_and_none_is_tried_again(journal: Journal) -> None:
    told = journal.run_behind_one([1, 1000, 3, 4])
    assert [type(error) for error in told] == [DatabaseUnavailable] * 4
    assert len(journal.together) == 2
    assert journal.written() == [0]


def test_one_by_one_they_stop_where_the_database_fails(journal: Journal) -> None:
    journal.may_go_on.set()
    answers = journal.batches.run_each([1, -2, 3, 1000, 5])
    assert answers[0] == 10
    assert [type(error) for error in answers[1:]] == [ValueError, int, DatabaseUnavailable, DatabaseUnavailable]
    assert [batch for batch in journal.together if 5 in batch] == [[1, -2, 3, 1000, 5]]
    assert journal.written() == [1, 3]


def test_after_a_failure_others_are_served(journal: Journal) -> None:
    journal.may_go_on.set()
    with pytest.raises(ValueError, match="-1"):
        journal.batches.run(-1)
    assert journal.batches.run(2) == 20
    assert journal.written() == [2]


def test_what_is_answered_is_written(journal: Journal) -> None:
    journal.may_go_on.set()

    def run(number: int) -> bool:
        return journal.batches.run(number) == number * 10 and number in journal.written()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(1, 41)))
    assert journal.written() == list(range(1, 41))


def test_an_interruption_while_gathering_leaves_nobody_waiting(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.may_go_on.set()
    with monkeypatch.context() as patched:
        patched.setattr(journal.batches, "_gather", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            journal.batches.run(1)
    assert journal.batches.run(2) == 20
    assert journal.written() == [2]


@pytest.mark.parametrize("begins", ["before it leads", "as it is to lead"])
def test_one_that_is_interrupted_while_it_waits_leaves_nobody_waiting(journal: Journal, begins: str) -> None:
    main = threading.get_ident()

    def interrupt() -> int:
        while len(journal.batches._waiting) < 1:
            pass
        behind = pool.submit(journal.batches.run, 2)
        while len(journal.batches._waiting) < 2:
            pass
        if begins == "as it is to lead":
            with journal.batches._mutex:
                signal.pthread_kill(main, signal.SIGINT)
                journal.may_go_on.set()
        else:
            signal.pthread_kill(main, signal.SIGINT)
        while len(journal.batches._waiting) > 1 and not behind.done():
            pass
        journal.may_go_on.set()
        return behind.result(30)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(journal.batches.run, 0)
        assert journal.begun.wait(30)
        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            journal.batches.run(1)
        assert (first.result(30), interrupting.result(30)) == (0, 20)
    assert journal.batches.run(3) == 30
    assert journal.written() == [0, 2, 3]
