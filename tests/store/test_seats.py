"""Leases and their total, and the database's own clock."""

import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, text

from placet.enforcement.seating import Claim
from placet.store import dialects, seats, usage
from placet.store.database import Database
from placet.store.schema import instant, leases
from placet.store.seats import Lease
from placet.store.usage import LimitPassed

SECOND = 1_000_000


@pytest.fixture(autouse=True)
def _totals(database: Database) -> None:
    with database.write() as connection:
        usage.ensure_totals(connection, ["desks"])


def add(database: Database, holder: str, amount: int = 1, *, limit: int | None = 5, until: int = 60 * SECOND) -> Lease:
    with database.write() as connection:
        claim = Claim(holder, None, amount)
        return seats.add_lease(connection, "desks", claim, now=0, expires_at=until, borrowed=False, limit=limit)


def total(database: Database) -> int:
    with database.read() as connection:
        assert usage.drifts(connection) == []
        return usage.usage(connection)["desks"]


def test_the_databases_clock_shows_the_time_and_goes_on_within_a_transaction(database: Database) -> None:
    with database.write() as connection:
        before = dialects.clock(connection)
        assert abs(instant(before).timestamp() - time.time()) < 5
        time.sleep(0.05)
        assert 40_000 < dialects.clock(connection) - before < 5 * SECOND


def test_the_clock_is_in_utc(database: Database) -> None:
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL timezone = 'Pacific/Auckland'"))
        assert abs(dialects.clock(connection) - time.time() * SECOND) < 5 * SECOND


def test_the_total_is_the_sum_of_the_leases(database: Database) -> None:
    ann, bob = add(database, "ann", 2), add(database, "bob")
    assert total(database) == 3
    with database.write() as connection:
        changed = seats.change_lease(
            connection, ann, Claim("ann", "design", 4), expires_at=90 * SECOND, borrowed=True, limit=5
        )
        assert seats.read_lease(connection, ann.id) == changed
        assert (changed.amount, changed.group, changed.borrowed) == (4, "design", True)
    assert total(database) == 5
    with database.write() as connection:
        assert seats.remove_lease(connection, bob)
        assert not seats.remove_lease(connection, bob)
    assert total(database) == 4


def test_the_statement_itself_keeps_the_limit(database: Database) -> None:
    lease = add(database, "ann", 5)
    with pytest.raises(LimitPassed):
        add(database, "bob")
    with pytest.raises(LimitPassed), database.write() as connection:
        seats.change_lease(connection, lease, Claim("ann", None, 6), expires_at=1, borrowed=False, limit=5)
    assert total(database) == 5
    add(database, "bob", 100, limit=None)


def test_what_has_expired_is_taken_away_to_the_microsecond(database: Database) -> None:
    add(database, "ann", 2, until=10)
    add(database, "bob", 3, until=11)
    for now, freed in ((9, 0), (10, 2), (10, 0), (11, 3)):
        with database.write() as connection:
            assert seats.with_expired(connection, now) == (["desks"] if freed else [])
            assert {lease.holder for lease in seats.living_leases(connection, "desks", now)} == (
                {"ann", "bob"} if now == 9 else {"bob"} if now == 10 else set()
            )
            assert seats.expire(connection, "desks", now) == freed
    assert total(database) == 0


def test_a_drift_of_leases_is_found(database: Database) -> None:
    add(database, "ann", 2)
    with database.write() as connection:
        connection.execute(delete(leases))
        (drift,) = usage.drifts(connection)
    assert (drift.feature, drift.total, drift.sum) == ("desks", 2, 0)


def test_a_queue_is_in_the_order_of_priority_and_coming(database: Database) -> None:
    with database.write() as connection:
        for holder, priority in (("a", 0), ("b", 1), ("c", 1), ("d", -1), ("a", 0)):
            claim = Claim(holder, None, 1)
            seats.enqueue(connection, "desks", claim, priority=priority, now=5, expires_at=SECOND)

        def ahead(holder: str, priority: int) -> list[str]:
            return [claim.holder for claim in seats.room_for(connection, "desks", holder, priority).ahead]

        assert [request.holder for request in seats.queue_of(connection, "desks", 0)] == ["b", "c", "a", "d"]
        assert [ahead("b", 1), ahead("c", 1), ahead("a", 0), ahead("new", 0)] == [
            [],
            ["b"],
            ["b", "c"],
            ["b", "c", "a"],
        ]
        assert ahead("new", 2) == []
        assert seats.queue_of(connection, "desks", SECOND) == []
        (first, *_) = seats.queue_of(connection, "desks", 0)
        assert first.asked_at == datetime.fromtimestamp(0, first.asked_at.tzinfo) + timedelta(microseconds=5)
