"""Consumption as it is recorded: all of a batch or nothing, whatever it is told of the limit."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from builders import NOW
from placet.store import metering
from placet.store.database import Database
from placet.store.metering import Entry
from placet.store.schema import consumptions, meters
from placet.store.usage import LimitPassed


def recorded(database: Database) -> tuple[int, int]:
    """The units of the meter, and how many consumptions there are."""
    with database.read() as connection:
        used = connection.execute(select(meters.c.used)).scalar_one()
        return used, connection.execute(select(func.count()).select_from(consumptions)).scalar_one()


def record(database: Database, *entries: Entry, limit: int | None, later: timedelta) -> None:
    with database.write() as connection:
        metering.ensure_meters(connection, ["calls"], NOW)
        metering.lock(connection, ["calls"])
        meter = metering.meters(connection)["calls"]
        metering.record(connection, "calls", meter, NOW + later, entries, limit=limit, now=NOW)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=31)], ids=["same-period", "new-period"])
def test_a_batch_past_the_limit_is_recorded_not_even_in_part(database: Database, later: timedelta) -> None:
    entries = [Entry(f"k{number}", 1, "Zoë") for number in range(200)]
    record(database, *entries[:100], limit=None, later=timedelta(0))
    assert recorded(database) == (100, 100)
    with pytest.raises(LimitPassed):
        record(database, *entries[100:], limit=99, later=later)
    assert recorded(database) == (100, 100)
    record(database, *entries[100:], limit=200, later=timedelta(0))
    assert recorded(database) == (200, 200)


def test_what_was_recorded_is_found_by_its_keys(database: Database) -> None:
    names = ['say "no"', "back\\slash", "{a,b}", "NULL", "Zoë", "a'b", "?", "%s", "$1"]
    entries = [Entry(name, number + 1, name) for number, name in enumerate(names)]
    record(database, *entries, limit=None, later=timedelta(0))
    with database.write() as connection:
        calls = metering.finding(connection, "calls", [*names, "unknown"])
        found = {key: amount for call, values in calls for key, amount in call.run(connection, *values).fetchall()}
        actors = set(connection.execute(select(consumptions.c.actor)).scalars())
    assert found == {entry.key: entry.amount for entry in entries}
    assert actors == set(names)


def test_any_number_of_keys_is_looked_for(database: Database) -> None:
    entries = [Entry(f"k{number}", 2, "me") for number in range(1100)]
    record(database, *entries, limit=None, later=timedelta(0))
    with database.write() as connection:
        calls = metering.finding(connection, "calls", [entry.key for entry in entries])
        rows = [row for call, values in calls for row in call.run(connection, *values).fetchall()]
    assert len(rows) == 1100
