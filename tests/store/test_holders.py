"""Who held how much on which day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select, text

from builders import DAY, SECOND
from placet.store import holders, usage
from placet.store.database import Database
from placet.store.history import HOUR, Retention
from placet.store.holders import HolderDay
from placet.store.schema import holder_days

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
UNITS = "software_units"


@pytest.fixture(autouse=True)
def _totals(database: Database) -> None:
    with database.write() as connection:
        usage.ensure_totals(connection, ["users", UNITS])


def put(connection: Connection, holder: str, amount: int, now: datetime, feature: str = UNITS) -> None:
    usage.set_amount(connection, feature, holder, amount, limit=None, now=now)


def note(connection: Connection, now: datetime) -> None:
    holders.note(connection, ["users", UNITS], now)


def told(connection: Connection, holder: str, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """The days, counted from the first of June, and the amounts."""
    found = holders.holder_history(connection, UNITS, holder, since, until)
    return [((item.day - MIDNIGHT) // DAY, item.amount) for item in found]


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(holder_days)).scalar_one())


def test_gaps_are_filled_with_what_was_held_before(database: Database) -> None:
    with database.write() as connection:
        put(connection, "orders", 3, MIDNIGHT + HOUR)
        note(connection, MIDNIGHT + 2 * HOUR)
        put(connection, "orders", 5, MIDNIGHT + 3 * DAY)
        note(connection, MIDNIGHT + 3 * DAY + HOUR)
        usage.release(connection, UNITS, "orders")
        note(connection, MIDNIGHT + 5 * DAY)
        assert count(connection) == 3
        whole = [(0, 3), (1, 3), (2, 3), (3, 5), (4, 5), (5, 0), (6, 0)]
        assert told(connection, "orders", MIDNIGHT - 9 * DAY, MIDNIGHT + 7 * DAY) == whole
        assert told(connection, "orders", MIDNIGHT + 2 * DAY, MIDNIGHT + 4 * DAY) == whole[2:4]
        assert told(connection, "orders", MIDNIGHT + 2 * DAY + HOUR, MIDNIGHT + 2 * DAY + 2 * HOUR) == whole[2:3]
        assert told(connection, "orders", MIDNIGHT - 9 * DAY, MIDNIGHT) == []
        assert told(connection, "billing", MIDNIGHT, MIDNIGHT + DAY) == []
        assert holders.holder_history(connection, "users", "orders", MIDNIGHT, MIDNIGHT + DAY) == []


def test_a_day_tells_what_was_held_last(database: Database) -> None:
    with database.write() as connection:
        for hour, amount in enumerate((3, 9, 4)):
            put(connection, "orders", amount, MIDNIGHT + hour * HOUR)
            note(connection, MIDNIGHT + hour * HOUR)
        found = holders.holder_history(connection, UNITS, "orders", MIDNIGHT, MIDNIGHT + DAY)
        assert found == [HolderDay(day=MIDNIGHT, amount=4)]


@pytest.mark.parametrize(("changed_at", "day"), [(-timedelta(microseconds=1), -1), (timedelta(0), 0)])
def test_a_change_belongs_to_the_day_it_was_made(database: Database, changed_at: timedelta, day: int) -> None:
    with database.write() as connection:
        put(connection, "orders", 3, MIDNIGHT + changed_at)
        note(connection, MIDNIGHT + HOUR)
        assert told(connection, "orders", MIDNIGHT - 9 * DAY, MIDNIGHT + DAY)[0] == (day, 3)


def test_a_change_by_a_clock_ahead_is_of_today_and_one_by_a_clock_behind_not_lost(database: Database) -> None:
    with database.write() as connection:
        put(connection, "orders", 3, MIDNIGHT + 9 * DAY)
        note(connection, MIDNIGHT)
        put(connection, "orders", 5, MIDNIGHT - 3 * DAY)
        note(connection, MIDNIGHT + DAY)
        assert told(connection, "orders", MIDNIGHT, MIDNIGHT + 2 * DAY) == [(0, 5), (1, 5)]


def test_a_change_committed_late_is_not_missed(database: Database) -> None:
    with database.write() as connection:
        put(connection, "orders", 3, MIDNIGHT)
        put(connection, "billing", 3, MIDNIGHT)
        note(connection, MIDNIGHT)
        put(connection, "orders", 2, MIDNIGHT - HOUR + SECOND)
        put(connection, "billing", 4, MIDNIGHT - HOUR + SECOND)  # the sum is the same
        note(connection, MIDNIGHT + HOUR)
        assert told(connection, "orders", MIDNIGHT, MIDNIGHT + DAY) == [(0, 2)]
        assert told(connection, "billing", MIDNIGHT, MIDNIGHT + DAY) == [(0, 4)]


def test_what_is_released_and_held_again_has_not_changed(database: Database) -> None:
    with database.write() as connection:
        put(connection, "orders", 3, MIDNIGHT)
        note(connection, MIDNIGHT)
        usage.release(connection, UNITS, "orders")
        put(connection, "orders", 3, MIDNIGHT + 2 * DAY)
        note(connection, MIDNIGHT + 2 * DAY)
        assert count(connection) == 1


def test_who_never_held_anything_is_not_noted(database: Database) -> None:
    with database.write() as connection:
        put(connection, "orders", 0, MIDNIGHT)
        note(connection, MIDNIGHT)
        assert count(connection) == 0


def test_ten_thousand_holders_cost_nothing_while_nothing_changes(database: Database) -> None:
    rows = [{"feature": UNITS, "holder": f"h{number}", "amount": 1, "changed_at": MIDNIGHT} for number in range(10_000)]
    with database.write() as connection:
        connection.execute(insert(usage.allocations), rows)
        connection.execute(text("UPDATE totals SET used = 10000 WHERE feature = 'software_units'"))
        note(connection, MIDNIGHT)
        assert count(connection) == 10_000
        later = MIDNIGHT + 9 * DAY
        note(connection, later)
        assert count(connection) == 10_000
        mark = holders._MARK.run(connection, UNITS).fetchone()
        assert holders._CHANGED.run(connection, UNITS, mark[0]).fetchall() == []  # nothing is looked up
        usage.release(connection, UNITS, "h17")
        note(connection, later + HOUR)
        assert count(connection) == 10_001
        assert told(connection, "h17", later, later + DAY) == [(9, 0)]


def test_past_the_retention_only_what_was_held_as_it_ended_is_known(database: Database) -> None:
    retention = Retention(hourly=DAY, daily=10 * DAY)
    with database.write() as connection:
        for day, amount in enumerate((3, 4, 5)):
            put(connection, "orders", amount, MIDNIGHT + day * DAY)
            put(connection, "billing", 1, MIDNIGHT)
            note(connection, MIDNIGHT + day * DAY)
        usage.release(connection, UNITS, "billing")
        note(connection, MIDNIGHT + 2 * DAY)
        holders.forget(connection, MIDNIGHT + DAY + retention.daily - SECOND, retention)
        assert count(connection) == 5
        holders.forget(connection, MIDNIGHT + DAY + retention.daily, retention)
        assert told(connection, "orders", MIDNIGHT - DAY, MIDNIGHT + 3 * DAY) == [(1, 4), (2, 5)]
        holders.forget(connection, MIDNIGHT + 30 * DAY, retention)
        assert told(connection, "orders", MIDNIGHT + 20 * DAY, MIDNIGHT + 21 * DAY) == [(20, 5)]
        assert told(connection, "billing", MIDNIGHT, MIDNIGHT + 30 * DAY) == []
        assert count(connection) == 1
        note(connection, MIDNIGHT + 30 * DAY)
        assert count(connection) == 1


STEPS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.integers(0, 3)), max_size=15)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example takes back what it did
@given(STEPS)
def test_what_is_told_is_what_was_held(database: Database, steps: list[tuple[int, str, int]]) -> None:
    with database.engine.connect() as connection:
        transaction = connection.begin()
        model: dict[str, dict[int, int]] = {"a": {}, "b": {}, "c": {}}
        for hours, holder, amount in sorted(steps, key=lambda step: step[0]):
            now = MIDNIGHT + hours * 4 * HOUR
            if amount:
                put(connection, holder, amount, now)
            else:
                usage.release(connection, UNITS, holder)
            note(connection, now)
            model[holder][(now - MIDNIGHT) // DAY] = amount
        note(connection, MIDNIGHT + 6 * DAY)
        for holder, amounts in model.items():
            assert _without_zeros_before(told(connection, holder, MIDNIGHT, MIDNIGHT + 7 * DAY)) == _filled(amounts)
        transaction.rollback()


def _filled(amounts: dict[int, int]) -> list[tuple[int, int]]:
    days, amount = [], 0
    for day in range(7):
        amount = amounts.get(day, amount)
        days.append((day, amount))
    return _without_zeros_before(days)


def _without_zeros_before(days: Any) -> list[tuple[int, int]]:
    first = next((number for number, (_, amount) in enumerate(days) if amount), len(days))
    return list(days[first:])
