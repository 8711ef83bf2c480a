"""A block that is spent and the one after it change hands in one transaction."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from builders import NOW
from guard_support.guards import Clock, install, opened
from placet.enforcement import Metered, Operation, Product, Refused, Switch
from placet.guard import Guard, UnknownBlock
from placet.guard.blocks import BlockCounter
from placet.license import Grant

PRODUCT = Product(
    "metered",
    features=(Switch("run", "Run"), Metered("calls", "Calls")),
    operations=(Operation("run", requires="run"),),
)


@pytest.fixture
def metered(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server that may consume 25 calls a day."""
    guard = opened(database_url, clock, product=PRODUCT)
    install(guard, features={"run": Grant(kind="switch"), "calls": Grant(kind="metered", limit=25, period="day")})
    yield guard
    guard.close()


def used(guard: Guard) -> int | None:
    return guard.status().features["calls"].used


def test_units_of_many_blocks_are_all_counted(metered: Guard) -> None:
    with metered.block("calls", holder="worker", size=4) as counter:
        for _ in range(17):
            counter.take()
        assert used(metered) == 20  # five blocks, of which one is open
        assert [block.size for block in metered.open_blocks()] == [4]
    assert used(metered) == 17
    assert metered.open_blocks() == []


def test_blocks_that_do_not_last_grow_and_shrink_again(metered: Guard, clock: Clock) -> None:
    sizes = []
    with metered.block("calls", holder="worker", size=2, most=5) as counter:
        for waits in (0.0, 0.0, 0.0, 0.5, 0.5):
            clock.go_on(timedelta(seconds=waits))
            counter.take()
            sizes += [block.size for block in metered.open_blocks()]
            if counter.left:
                counter.take(counter.left)
    assert sizes == [2, 4, 5, 2, 2]
    assert used(metered) == sum(sizes)


def test_the_last_block_is_what_is_left_and_then_it_is_refused(metered: Guard) -> None:
    with metered.block("calls", holder="worker", size=10) as counter:
        for _ in range(25):
            counter.take()
        for _ in range(2):
            with pytest.raises(Refused):
                counter.take()
    assert used(metered) == 25
    assert metered.open_blocks() == []


def test_more_than_is_left_of_a_block_gives_that_back_first(metered: Guard) -> None:
    with metered.block("calls", holder="worker", size=10) as counter:
        counter.take(8)
        counter.take(17)
        assert used(metered) == 25
    assert used(metered) == 25


def test_a_spent_block_may_have_been_settled_meanwhile(metered: Guard) -> None:
    with metered.block("calls", holder="worker", size=5) as counter:
        counter.take(5)
        (block,) = metered.open_blocks()
        metered.settle_block(block.id, 5, actor="anna")
        counter.take()
    assert used(metered) == 6


def test_a_block_settled_as_used_in_part_stops_its_holder(metered: Guard) -> None:
    counter = BlockCounter(metered, "calls", holder="worker", size=5)
    counter.take(5)
    (block,) = metered.open_blocks()
    metered.settle_block(block.id, 2, actor="anna")
    for stopped in (counter.take, counter.close):
        with pytest.raises(UnknownBlock, match="closed already"):
            stopped()
    assert used(metered) == 2


def test_the_next_block_is_of_the_new_period(metered: Guard, clock: Clock) -> None:
    with metered.block("calls", holder="worker", size=5) as counter:
        counter.take(5)
        clock.go_on(timedelta(days=1))
        counter.take(5)
        assert used(metered) == 5
        (block,) = metered.open_blocks()
        assert block.period_starts_at > NOW
    assert used(metered) == 5
