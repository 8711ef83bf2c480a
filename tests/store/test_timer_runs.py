from datetime import timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from builders import NOW
from placet.store import modules, timer_runs
from placet.store.database import Database
from placet.store.schema import modules as modules_table
from placet.store.timer_runs import Due

EARLIER = {
    "due_at": "UPDATE timer_runs SET due_at = due_at - :by",
    "held_until": "UPDATE timer_runs SET held_until = held_until - :by",
}
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def module(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            insert(modules_table).values(name="shop", active_version="1", created_at=NOW, changed_at=NOW)
        )


def enter(database: Database, every: timedelta = MINUTE, module: str = "shop") -> None:
    with database.write() as connection:
        timer_runs.enter(connection, module, "tidy", every)


def due(database: Database) -> list[Due]:
    with database.read() as connection:
        return timer_runs.due(connection)


def claim(database: Database, run: str, every: timedelta = MINUTE) -> bool:
    with database.write() as connection:
        return timer_runs.claim(connection, "shop", "tidy", run, every)


def pass_time(database: Database, by: timedelta, column: str = "due_at") -> None:
    with database.write() as connection:
        connection.execute(text(EARLIER[column]), {"by": by // timedelta(microseconds=1)})


def test_a_timer_is_due_after_its_period_and_runs_once(database: Database) -> None:
    enter(database)
    assert (due(database), claim(database, "a")) == ([], False)
    pass_time(database, MINUTE)
    assert due(database) == [Due("shop", "tidy")]
    assert [claim(database, run) for run in ("a", "b")] == [True, False]
    assert due(database) == []


def test_a_run_that_lasts_is_not_joined_by_another(database: Database) -> None:
    enter(database)
    pass_time(database, MINUTE)
    assert claim(database, "a")
    pass_time(database, 2 * MINUTE)
    assert (due(database), claim(database, "b")) == ([], False)
    with database.write() as connection:
        timer_runs.release(connection, "a", MINUTE)
    assert due(database) == [], "the next comes after another period"
    pass_time(database, MINUTE)
    assert claim(database, "b")


def test_a_run_that_is_not_held_any_more_is_anybodys(database: Database) -> None:
    enter(database)
    pass_time(database, MINUTE)
    assert claim(database, "a")
    pass_time(database, MINUTE)
    pass_time(database, timer_runs.HELD, "held_until")
    with database.write() as connection:
        timer_runs.hold(connection, ["a"])
    assert not claim(database, "b")
    pass_time(database, timer_runs.HELD, "held_until")
    assert claim(database, "b")
    with database.write() as connection:
        timer_runs.release(connection, "a", MINUTE)  # too late, and nothing of the other's
    pass_time(database, MINUTE)
    assert not claim(database, "c")


def test_a_shorter_period_holds_at_once_and_entering_again_changes_nothing(database: Database) -> None:
    enter(database, timedelta(days=9))
    enter(database, MINUTE)
    enter(database, MINUTE)
    pass_time(database, MINUTE)
    assert due(database) == [Due("shop", "tidy")]
    enter(database, MINUTE)
    assert due(database) == [Due("shop", "tidy")]


def test_the_timers_of_a_module_go_with_it_and_do_not_come_back(database: Database) -> None:
    enter(database)
    with database.write() as connection:
        assert modules.delete_module(connection, "shop")
    try:
        enter(database)
    except IntegrityError:  # pragma: no cover - where the deletion is committed between the look and the row
        pytest.fail("a module that is not there has no timers to enter")
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM timer_runs")).scalar_one() == 0
