"""The ledger of usage."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from builders import DAY, NOW
from placet.store import usage
from placet.store.database import Database
from placet.store.schema import allocations, totals
from placet.store.usage import Allocation, Drift, LimitPassed
from store_support import threads
from store_support.databases import dump


@pytest.fixture(autouse=True)
def _totals(database: Database) -> None:
    with database.write() as connection:
        usage.ensure_totals(connection, ["users", "software_units"])


def put(
    database: Database,
    holder: str,
    amount: int,
    *,
    limit: int | None = None,
    feature: str = "software_units",
    now: datetime = NOW,
) -> None:
    with database.write() as connection:
        usage.lock(connection, [feature])
        usage.set_amount(connection, feature, holder, amount, limit=limit, now=now)


def used(database: Database, feature: str = "software_units") -> int:
    with database.read() as connection:
        assert usage.drifts(connection) == []
        return usage.usage(connection)[feature]


def holders(connection: Connection, feature: str = "software_units") -> dict[str, int]:
    return {item.holder: item.amount for item in usage.allocations_of(connection, feature)}


def test_totals_are_made_once_and_start_at_nothing(database: Database) -> None:
    put(database, "orders", 3)
    with database.write() as connection:
        usage.ensure_totals(connection, ["users", "software_units", "mailboxes"])
        usage.ensure_totals(connection, [])
    with database.read() as connection:
        assert usage.usage(connection) == {"users": 0, "software_units": 3, "mailboxes": 0}


def test_threads_at_once_make_totals_once(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(4)]

    def ensure(number: int) -> None:
        with databases[number].write() as connection:
            usage.ensure_totals(connection, ["mailboxes", "users", "agents"])

    threads.race(4, ensure)
    assert used(databases[0], "agents") == 0
    for database in databases:
        database.close()


def test_an_amount_is_absolute(database: Database) -> None:
    put(database, "orders", 3)
    put(database, "orders", 5)
    put(database, "billing", 2)
    assert used(database) == 7
    put(database, "orders", 1)
    assert used(database) == 3


def test_setting_an_amount_again_changes_nothing(database: Database) -> None:
    put(database, "orders", 3)
    put(database, "billing", 0)
    before = dump(database)
    put(database, "orders", 3, now=NOW + DAY)
    put(database, "orders", 3, limit=1, now=NOW + DAY)
    put(database, "billing", 0, limit=0, now=NOW + DAY)
    assert dump(database) == before


def test_an_allocation_says_when_it_was_changed(database: Database) -> None:
    put(database, "orders", 3)
    for days, amount in enumerate((5, 5, 2, 2)):
        put(database, "orders", amount, now=NOW + days * DAY)
    with database.read() as connection:
        assert [item.changed_at for item in usage.allocations_of(connection, "software_units")] == [NOW + 2 * DAY]


def test_what_a_holder_holds(database: Database) -> None:
    put(database, "orders", 3)
    with database.read() as connection:
        assert usage.held(connection, "software_units", "orders") == 3
        assert usage.held(connection, "users", "orders") == 0
        assert usage.held(connection, "software_units", "Orders") == 0
        assert usage.held(connection, "nothing", "'; DROP TABLE totals; --") == 0


@pytest.mark.parametrize(("before", "after"), [(0, 8), (3, 8), (7, 8)])
def test_the_statement_itself_keeps_the_limit(database: Database, before: int, after: int) -> None:
    put(database, "orders", before)
    put(database, "billing", 2)
    unchanged = dump(database)
    with pytest.raises(LimitPassed, match="The limit of 'software_units' would be passed") as caught:
        put(database, "orders", after, limit=9)
    assert caught.value.feature == "software_units"
    assert dump(database) == unchanged
    put(database, "orders", 7, limit=9)
    assert used(database) == 9


def test_a_holder_may_shrink_past_any_limit(database: Database) -> None:
    put(database, "orders", 100)
    put(database, "orders", 60, limit=10)
    put(database, "orders", 60, limit=10)
    put(database, "orders", 0, limit=0)
    assert used(database) == 0


def test_without_a_limit_there_is_none(database: Database) -> None:
    put(database, "orders", 10**12)
    put(database, "billing", 10**12)
    assert used(database) == 2 * 10**12


def test_a_feature_without_a_total_holds_nothing(database: Database) -> None:
    with pytest.raises(LimitPassed):
        put(database, "orders", 1, feature="nothing")


def test_a_total_cannot_be_negative(database: Database) -> None:
    with pytest.raises(IntegrityError):
        put(database, "orders", -1)
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(update(totals).values(used=-1))


def test_releasing_gives_back_everything_once(database: Database) -> None:
    put(database, "orders", 3)
    put(database, "billing", 4)
    with database.write() as connection:
        assert usage.release(connection, "software_units", "orders") == 3
        assert usage.release(connection, "software_units", "orders") == 0
        assert usage.release(connection, "users", "orders") == 0
        assert usage.release(connection, "nothing", "orders") == 0
        assert holders(connection) == {"billing": 4}
    assert used(database) == 4


def test_allocations_are_told_the_largest_first(database: Database) -> None:
    for holder, amount in [("b", 2), ("a", 2), ("c", 5), ("d", 0)]:
        put(database, holder, amount)
    put(database, "somebody", 1, feature="users")
    with database.read() as connection:
        assert list(holders(connection).items()) == [("c", 5), ("a", 2), ("b", 2), ("d", 0)]
        largest = Allocation(feature="software_units", holder="c", amount=5, changed_at=NOW)
        assert usage.allocations_of(connection, "software_units", most=1) == [largest]


def test_holders_are_paged_and_found_by_name(database: Database) -> None:
    for holder, amount in (("b%", 3), ("B_", 5), ("a", 4), ("ä", 1)):
        put(database, holder, amount)
    put(database, "b%", 9, feature="users")
    with database.read() as connection:

        def found(**asked: Any) -> list[str]:
            return [item.holder for item in usage.allocations_of(connection, "software_units", **asked)]

        assert found(most=2) == ["B_", "a"]
        assert found(most=2, after=2) == ["b%", "ä"]
        assert found(containing="B") == ["B_", "b%"]
        assert (found(containing="%"), found(containing="_"), found(containing="\\")) == (["b%"], ["B_"], [])
        assert usage.holders_of(connection, "software_units") == 4
        assert usage.holders_of(connection, "software_units", containing="b") == 2
        assert usage.holders_of(connection, "run") == 0
        first = usage.allocations_after(connection, "software_units", "", most=3)
        rest = usage.allocations_after(connection, "software_units", first[-1].holder, most=3)
        assert (len(first), len(rest)) == (3, 1)
        assert {item.holder for item in [*first, *rest]} == {"a", "b%", "B_", "ä"}


def test_a_drift_is_found(database: Database) -> None:
    put(database, "orders", 3)
    put(database, "billing", 4)
    with database.write() as connection:
        connection.execute(update(allocations).where(allocations.c.holder == "orders").values(amount=5))
        connection.execute(update(totals).where(totals.c.feature == "users").values(used=1))
        assert sorted(usage.drifts(connection), key=lambda drift: drift.feature) == [
            Drift(feature="software_units", total=7, sum=9),
            Drift(feature="users", total=1, sum=0),
        ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example takes back what it did
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans()), max_size=12))
def test_the_total_is_always_the_sum(database: Database, steps: list[tuple[str, int, bool]]) -> None:
    with database.engine.connect() as connection:
        transaction = connection.begin()
        model: dict[str, int] = {}
        for holder, amount, keep in steps:
            if not keep:
                assert usage.release(connection, "software_units", holder) == model.pop(holder, 0)
                continue
            grown = sum(model.values()) - model.get(holder, 0) + amount
            if amount > model.get(holder, 0) and grown > 12:
                with pytest.raises(LimitPassed):
                    usage.set_amount(connection, "software_units", holder, amount, limit=12, now=NOW)
            else:
                usage.set_amount(connection, "software_units", holder, amount, limit=12, now=NOW)
                model[holder] = amount
        assert holders(connection) == model
        assert usage.usage(connection)["software_units"] == sum(model.values()) <= 12
        assert usage.drifts(connection) == []
        transaction.rollback()
