"""Consumption: once for each key, per period, never past the limit; blocks given back in time, late, or settled."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from builders import DAY, NOW, SECOND, numeric
from guard_support.guards import Clock, audited, install, opened
from placet.enforcement import Code, Metered, Product, ProductError, Refused
from placet.guard import Consumption, Guard, KeyReused, UnknownBlock, Wanted
from placet.license import Grant
from placet.license.terms import Period
from placet.store.audit import Event
from placet.store.schema import meter_periods
from store_support import threads
from store_support.databases import dump

PRODUCT = Product("metered", features=(Metered("calls", "Calls"), Metered("mails", "Mails")), operations=())
MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)


def per_day(units: int, tolerance_percent: int = 0) -> Grant:
    return Grant(kind="metered", limit=units, period=Period.DAY, tolerance_percent=tolerance_percent)


@pytest.fixture
def metered(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server that may consume 10 calls a day."""
    guard = opened(database_url, clock, product=PRODUCT)
    install(guard, features={"calls": per_day(10)})
    yield guard
    guard.close()


def used(guard: Guard) -> int | None:
    guard.reload()
    return guard.status().features["calls"].used


def closed_periods(guard: Guard) -> list[int]:
    with guard.database.read() as connection:
        return list(
            connection.execute(select(meter_periods.c.used).order_by(meter_periods.c.period_starts_at)).scalars()
        )


def refusal(guard: Guard, amount: int) -> Code | None:
    try:
        guard.consume("calls", amount)
    except Refused as error:
        return error.decision.code
    return None


def test_a_key_counts_once(metered: Guard) -> None:
    assert not metered.consume("calls", 3, key="k").replayed
    assert metered.consume("calls", 3, key="k").replayed
    assert metered.status().features["calls"].used == used(metered) == 3


def test_without_a_key_each_call_is_its_own(metered: Guard) -> None:
    assert metered.consume("calls").key != metered.consume("calls").key
    assert used(metered) == 2


def test_a_key_used_for_another_amount_is_the_callers_mistake(metered: Guard) -> None:
    metered.consume("calls", 3, key="k")
    before = dump(metered.database)
    with pytest.raises(KeyReused, match="used before for 3 units"):
        metered.consume("calls", 4, key="k")
    assert dump(metered.database) == before


def test_what_is_refused_has_changed_nothing(metered: Guard) -> None:
    metered.consume("calls", 8)
    before = dump(metered.database)
    assert refusal(metered, 3) is Code.LIMIT_REACHED
    with pytest.raises(Refused) as caught:
        metered.consume("mails")
    assert caught.value.decision.code is Code.FEATURE_NOT_LICENSED
    assert dump(metered.database) == before
    assert refusal(metered, 2) is None


def test_within_the_tolerance_it_is_counted_with_a_warning(metered: Guard) -> None:
    install(metered, jti="L-2", features={"calls": per_day(10, tolerance_percent=20)})
    assert metered.consume("calls", 12).decision.code is Code.LIMIT_REACHED_TOLERATED
    assert refusal(metered, 1) is Code.LIMIT_REACHED


@pytest.mark.parametrize(("edge", "expected"), [(-SECOND, 5), (timedelta(0), 1), (SECOND, 1)])
def test_the_next_period_counts_from_zero(metered: Guard, clock: Clock, edge: timedelta, expected: int) -> None:
    metered.consume("calls", 4)
    clock.now = MIDNIGHT + edge
    metered.consume("calls", 1)
    assert used(metered) == expected
    assert closed_periods(metered) == ([] if expected == 5 else [4])


def test_a_key_counts_once_in_its_period_and_the_next(metered: Guard, clock: Clock) -> None:
    metered.consume("calls", 4, key="k")
    clock.now = MIDNIGHT
    assert metered.consume("calls", 4, key="k").replayed
    metered.consume("calls", 1, key="begins the period")
    assert metered.consume("calls", 4, key="k").replayed
    clock.now = MIDNIGHT + DAY
    metered.consume("calls", 1, key="begins another")
    assert not metered.consume("calls", 4, key="k").replayed
    assert used(metered) == 5


def test_a_clock_that_goes_back_over_midnight_counts_on_in_the_newest_period(metered: Guard, clock: Clock) -> None:
    clock.now = MIDNIGHT
    metered.consume("calls", 6)
    clock.now = MIDNIGHT - SECOND
    assert refusal(metered, 5) is Code.LIMIT_REACHED
    metered.consume("calls", 4)
    clock.now = MIDNIGHT
    assert used(metered) == 10


def test_a_replay_is_answered_as_it_was_whatever_the_license_says_by_then(metered: Guard, clock: Clock) -> None:
    install(metered, jti="L-2", exp=numeric(NOW + 2 * SECOND), features={"calls": per_day(10)})
    metered.consume("calls", 4, key="k")
    clock.go_on(5 * SECOND)
    assert refusal(metered, 1) is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    assert metered.consume("calls", 4, key="k").replayed


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, True, 1.5, "1"])
def test_what_is_no_amount(metered: Guard, amount: int) -> None:
    with pytest.raises(ProductError, match="is not a number of units"):
        metered.consume("calls", amount)


@pytest.mark.parametrize("key", ["", "k" * 201, "a\0b"])
def test_what_is_no_key(metered: Guard, key: str) -> None:
    with pytest.raises(ProductError, match="1 to 200 characters"):
        metered.consume("calls", key=key)


def test_eight_threads_never_pass_the_limit(metered: Guard) -> None:
    install(metered, jti="L-2", features={"calls": per_day(100)})
    answers = Counter(
        code for codes in threads.race(8, lambda _: [refusal(metered, 1) for _ in range(25)]) for code in codes
    )
    assert answers == {None: 100, Code.LIMIT_REACHED: 100}
    assert used(metered) == 100


def test_consumed_together_is_as_consumed_one_after_the_other(database_urls: Callable[[], str], clock: Clock) -> None:
    wanted = [
        Wanted(feature=feature, key=f"k{number % 5}", amount=amount)
        for number, (feature, amount) in enumerate(
            [("calls", 3), ("mails", 1), ("calls", 3), ("calls", 9), ("calls", 2), ("mails", 2), ("calls", 1)] * 3
        )
    ]
    together, alone = (opened(database_urls(), clock, product=PRODUCT) for _ in range(2))

    def consumed(each: Wanted) -> Consumption | BaseException:
        try:
            return alone.consume(each.feature, each.amount, key=each.key)
        except (Refused, KeyReused) as error:
            return error

    for guard in (together, alone):
        install(guard, features={"calls": per_day(10, tolerance_percent=20)})
    answers = [told(answer) for answer in together.consume_all(wanted)]
    assert answers == [told(consumed(each)) for each in wanted]
    assert len({type(answer) for answer in answers}) == 3
    assert together.status().features["calls"].used == used(together) == used(alone)
    for guard in (together, alone):
        guard.close()


def told(answer: Consumption | BaseException) -> object:
    """What somebody is told, in a form that can be compared."""
    if isinstance(answer, Refused):
        return answer.decision
    return str(answer) if isinstance(answer, KeyReused) else answer


# Blocks


def test_a_block_counts_whole_until_it_is_given_back(metered: Guard) -> None:
    block = metered.take_block("calls", 7, holder="worker")
    assert used(metered) == 7
    assert metered.return_block(block.id, 2).used == 2
    assert metered.return_block(block.id, 2).used == 2  # a retry
    with pytest.raises(UnknownBlock):
        metered.return_block(block.id, 3)
    assert used(metered) == 2


def test_a_block_given_back_late_frees_what_its_own_period_had(metered: Guard, clock: Clock) -> None:
    block = metered.take_block("calls", 7, holder="worker")
    clock.now = MIDNIGHT
    metered.consume("calls", 1)
    metered.return_block(block.id, 2)
    assert (closed_periods(metered), used(metered)) == ([2], 1)


def test_a_block_that_nobody_gives_back_is_settled_and_told(metered: Guard) -> None:
    block = metered.take_block("calls", 7, holder="worker")
    assert [found.id for found in metered.open_blocks()] == [block.id]
    with pytest.raises(ProductError, match="0 to 7 units"):
        metered.settle_block(block.id, 8, actor="ada")
    metered.settle_block(block.id, 5, actor="ada")
    (told, *_) = audited(metered)
    assert (told.event, told.actor, told.subject) == (Event.BLOCK_SETTLED, "ada", str(block.id))
    assert told.detail == {"feature": "calls", "holder": "worker", "size": 7, "used": 5}
    assert (used(metered), metered.open_blocks()) == (5, [])


def test_a_license_that_ends_ends_the_block_that_is_held(metered: Guard, clock: Clock) -> None:
    install(metered, jti="L-2", exp=numeric(NOW + 2 * SECOND), features={"calls": per_day(10)})
    with metered.block("calls", holder="worker", size=8) as counter:
        counter.take(3)
        clock.go_on(5 * SECOND)
        with pytest.raises(Refused) as caught:
            counter.take()
    assert caught.value.decision.code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    assert (used(metered), metered.open_blocks()) == (3, [])


@pytest.mark.parametrize("amount", [1.5, True, "1"])
def test_a_block_hands_out_whole_units_alone(metered: Guard, amount: Any) -> None:
    with metered.block("calls", holder="worker", size=8) as counter:
        counter.take(1)
        with pytest.raises(ProductError, match="whole numbers"):
            counter.take(amount)
    assert metered.open_blocks("calls") == []
