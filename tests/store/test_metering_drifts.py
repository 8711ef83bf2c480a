"""A meter that is not the sum of what was consumed is found."""

import pytest
from sqlalchemy import text

from builders import DAY
from guard_support.guards import Clock, install, opened
from placet.guard import Guard
from placet.store import metering
from placet.store.usage import Drift
from proof_support.product import CALLS, FOUGHT_FOR, grants


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(database_url: str, clock: Clock) -> Guard:
    found = opened(database_url, clock, product=FOUGHT_FOR)
    install(found, features=grants({CALLS: 100}))
    return found


def drifts(guard: Guard) -> list[Drift]:
    with guard.database.read() as connection:
        return metering.drifts(connection)


def test_a_meter_is_the_sum_of_consumption_and_of_blocks_open_and_closed(guard: Guard, clock: Clock) -> None:
    assert drifts(guard) == []
    guard.consume(CALLS, 3)
    closed, _ = (guard.take_block(CALLS, 10, holder="a process") for _ in range(2))
    guard.return_block(closed.id, 4)
    assert guard.status().features[CALLS].used == 3 + 4 + 10
    assert drifts(guard) == []
    clock.go_on(DAY)
    assert drifts(guard) == []
    guard.consume(CALLS, 2)
    assert guard.status().features[CALLS].used == 2
    assert drifts(guard) == []
    guard.close()


def test_a_drift_is_found_with_its_numbers(guard: Guard) -> None:
    guard.consume(CALLS, 3)
    with guard.database.write() as connection:
        connection.execute(text("UPDATE meters SET used = 5"))
    assert drifts(guard) == [Drift(feature=CALLS, total=5, sum=3)]
    guard.close()
