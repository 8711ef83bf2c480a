"""Limits and consumption: one caller, and several threads of one process at the same counter."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import floors
from installing import Place, a_guard
from measuring import Aim, Case, Rate, alone, costs_at_most, does_at_least, reaches, together

from placet import Guard

CALLERS = (1, 4, 16)
UNITS = 1_000


def cases_on_sqlite(place: Place) -> Iterator[Case]:
    """The cases on SQLite."""
    with ExitStack() as stack:
        guard = a_guard(place.sqlite("counting"), stack)
        floor = floors.sqlite(place.directory / "by-hand.sqlite3", stack)
        yield from _cases(guard, floor)
        yield Case(
            "allocations, 16 callers against one",
            together([partial(_allocate, guard, f"holder-{caller}") for caller in range(16)]),
            alone(_allocating(guard, "holder-0")),
            "one caller, each allocation its own transaction",
            does_at_least(3),
            per_second=True,
        )


def cases_on_postgresql(place: Place) -> Iterator[Case]:
    """The cases on PostgreSQL."""
    with ExitStack() as stack:
        guard = a_guard(place.postgresql(), stack)
        yield from _cases(guard, floors.postgresql(place.postgresql(), stack), does_at_least(5))


def _cases(guard: Guard, floor: floors.Floor, aim_at_hot_row: Aim | None = None) -> Iterator[Case]:
    yield Case(
        "an allocation with its audit event, in the caller's transaction",
        alone(_allocating(guard, "holder-0")),
        alone(floor.allocating("holder-0")),
        "a bare transaction doing the same",
        costs_at_most(1.5),
    )
    for callers in CALLERS:
        holders = [f"holder-{caller}" for caller in range(callers)]
        yield Case(
            f"allocations, {_callers(callers)}",
            _by([partial(_allocate, guard, holder) for holder in holders]),
            _by([floor.allocating(holder) for holder in holders]),
            "a bare transaction for each",
            costs_at_most(1.5),
            per_second=True,
        )
    for callers in CALLERS:
        yield Case(
            f"metered consumption under a key, {_callers(callers)}",
            _by([partial(guard.consume, "calls")] * callers),
            _by([floor.counting() for _ in range(callers)]),
            "a bare conditional UPDATE of one row, without a key",
            aim_at_hot_row if callers == 16 else None,
            per_second=True,
        )
    yield Case(
        "metered consumption under a key, one caller (the floor with keys)",
        alone(partial(guard.consume, "calls")),
        alone(floor.consuming()),
        "a bare transaction: conditional UPDATE, INSERT of the key",
        per_second=True,
    )
    for size, most in ((100, 100), (100, 1_000), (1_000, 1_000)):
        with guard.block("calls", holder="bench", size=size, most=most) as counter:
            sizes = f"{size:,}" if size == most else f"{size:,} that grow to {most:,}"
            yield Case(
                f"units of blocks of {sizes}, leased durably",
                alone(_taking(counter.take), units=UNITS),
                alone(_taking(floors.Counter().take), units=UNITS),
                "a counter in memory, with a lock",
                reaches(500_000) if most >= UNITS else None,  # as a product would lease them; 100 is shown beside it
                per_second=True,
            )


def _callers(number: int) -> str:
    return "one caller" if number == 1 else f"{number} callers"


def _by(calls: list[Callable[[], object]]) -> Rate:
    return alone(calls[0]) if len(calls) == 1 else together(calls)


_amounts = itertools.cycle([1, 2, 3, 4])


def _allocate(guard: Guard, holder: str) -> None:
    guard.allocate("publish", holder, units=next(_amounts))


def _allocating(guard: Guard, holder: str) -> Callable[[], None]:
    def allocate() -> None:
        with guard.allocation("publish", holder, units=next(_amounts)):
            pass

    return allocate


def _taking(take: Callable[[], object]) -> Callable[[], None]:
    def many() -> None:
        for _ in range(UNITS):
            take()

    return many
