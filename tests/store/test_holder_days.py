"""Who had how many seats on which day, and who consumed how much."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from builders import DAY
from placet.enforcement.seating import Claim
from placet.enforcement.status import Meter
from placet.store import dialects, holders, metering, seats, usage
from placet.store.database import Database
from placet.store.history import HOUR, Retention
from placet.store.metering import Block, Entry
from placet.store.schema import holder_days

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _rows(database: Database) -> None:
    with database.write() as connection:
        usage.ensure_totals(connection, ["desks"])
        metering.ensure_meters(connection, ["calls"], MIDNIGHT)


def told(connection: Connection, feature: str, holder: str, days: int = 7) -> list[tuple[int, int]]:
    found = holders.day_history(connection, feature, holder, MIDNIGHT - DAY, MIDNIGHT + days * DAY)
    return [((item.day - MIDNIGHT) // DAY, item.amount) for item in found]


def lease(connection: Connection, holder: str, amount: int) -> seats.Lease:
    now = dialects.clock(connection)
    claim = Claim(holder, None, amount)
    return seats.add_lease(connection, "desks", claim, now=now, expires_at=now + 60_000_000, borrowed=False, limit=None)


def look(connection: Connection, now: datetime, later: timedelta = timedelta(0)) -> None:
    moment = dialects.clock(connection) + later // timedelta(microseconds=1)
    holders.sample_seats(connection, "desks", now, moment)


def consume(connection: Connection, now: datetime, *entries: Entry) -> None:
    meter = Meter(MIDNIGHT, 0)
    metering.record(connection, "calls", meter, MIDNIGHT, entries, limit=None, now=now)


def block(connection: Connection, now: datetime, spent: Block | None = None) -> Block:
    meter = Meter(MIDNIGHT, 0)
    return metering.take_block(
        connection, "calls", meter, MIDNIGHT, holder="ann", size=100, limit=None, now=now, spent=spent, by="ann"
    )


def test_a_day_tells_the_most_seats_that_were_seen(database: Database) -> None:
    with database.write() as connection:
        first = lease(connection, "ann", 2)
        look(connection, MIDNIGHT + HOUR)
        seats.remove_lease(connection, first)
        lease(connection, "ann", 1)
        look(connection, MIDNIGHT + 2 * HOUR)
        look(connection, MIDNIGHT + 2 * DAY)
        look(connection, MIDNIGHT + 3 * DAY, later=HOUR)  # it has ended by then
        assert told(connection, "desks", "ann", 4) == [(0, 2), (1, 0), (2, 1), (3, 0)]
        assert told(connection, "desks", "bob") == []


def test_what_is_consumed_is_added_up_by_holder_and_day(database: Database) -> None:
    with database.write() as connection:
        consume(connection, MIDNIGHT, Entry("a", 3, "ann"), Entry("b", 4, "bob"), Entry("c", 5, "ann"))
        consume(connection, MIDNIGHT + HOUR, Entry("d", 1, "ann"))
        consume(connection, MIDNIGHT + 2 * DAY, Entry("e", 7, "ann"))
        assert told(connection, "calls", "ann", 3) == [(0, 9), (1, 0), (2, 7)]
        assert told(connection, "calls", "bob", 1) == [(0, 4)]


def test_many_holders_at_once_are_each_told(database: Database) -> None:
    with database.write() as connection:
        consume(connection, MIDNIGHT, *(Entry(f"k{number}", 1 + number, f"h{number}") for number in range(200)))
        assert [told(connection, "calls", f"h{number}", 1) for number in (0, 99, 199)] == [
            [(0, 1)],
            [(0, 100)],
            [(0, 200)],
        ]


def test_a_block_counts_by_what_counts_as_used_of_it(database: Database) -> None:
    with database.write() as connection:
        first = block(connection, MIDNIGHT)
        second = block(connection, MIDNIGHT + DAY, spent=first)
        assert told(connection, "calls", "ann", 2) == [(0, 100), (1, 100)]
        assert metering.close_block(connection, second, used=30, by="ann", now=MIDNIGHT + 3 * DAY)
        assert told(connection, "calls", "ann", 2) == [(0, 100), (1, 30)]


def test_what_is_past_the_retention_is_forgotten_whole(database: Database) -> None:
    retention = Retention(hourly=DAY, daily=3 * DAY)
    with database.write() as connection:
        lease(connection, "ann", 2)
        look(connection, MIDNIGHT)
        left = block(connection, MIDNIGHT)
        holders.forget_days(connection, ["desks", "calls"], MIDNIGHT + 3 * DAY, retention)
        assert told(connection, "desks", "ann", 1) == [(0, 2)]
        holders.forget_days(connection, ["desks", "calls"], MIDNIGHT + 4 * DAY, retention)
        assert metering.close_block(connection, left, used=1, by="ann", now=MIDNIGHT + 4 * DAY)
        assert connection.execute(select(func.count()).select_from(holder_days)).scalar_one() == 0


def test_a_year_is_a_row_a_day_and_holder(database: Database) -> None:
    with database.write() as connection:
        lease(connection, "ann", 2)
        for day in range(365):
            for hour in range(3):
                look(connection, MIDNIGHT + day * DAY + hour * HOUR)
        assert connection.execute(select(func.count()).select_from(holder_days)).scalar_one() == 365
        until = MIDNIGHT + 365 * DAY
        assert len(holders.day_history(connection, "desks", "ann", MIDNIGHT, until)) == 365
