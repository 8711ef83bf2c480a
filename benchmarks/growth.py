"""How what is asked grows with what is stored: holders of a limit, and rows of consumption, planted by bulk SQL."""

import math
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from time import perf_counter
from typing import NamedTuple
from uuid import uuid4

from installing import Place, a_guard
from measuring import Call, Effort
from sqlalchemy import Connection

from placet import Guard
from placet.store import dialects, usage

HOLDERS = (10, 1_000, 1_000_000)
ROWS = (10, 1_000, 1_000_000)
MOST_ROWS = 10_000_000
SMOKE_SIZES = (10, 1_000)

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)",
    "postgresql": "(SELECT i FROM generate_series(1, {count}) AS n(i)) AS numbers",
}
_PADDED = {"sqlite": "printf('holder-%09d', i)", "postgresql": "'holder-' || lpad(CAST(i AS TEXT), 9, '0')"}


class Growth(NamedTuple):
    """How long one thing takes (seconds, medians) with so much stored."""

    what: str
    of: str
    database: str
    sizes: list[int]
    seconds: list[float]

    @property
    def law(self) -> str:
        """Flat where the most takes at most twice what the least does, otherwise the power of the size at the end."""
        times = self.seconds[-1] / self.seconds[0]
        if times <= 2:
            return "flat"
        power = math.log(self.seconds[-1] / self.seconds[-2]) / math.log(self.sizes[-1] / self.sizes[-2])
        return f"{times:,.0f} times as long; at the end it grows with the size to the power of {power:.1f}"


def growths(place: Place, effort: Effort, *, smoke: bool, full: bool) -> Iterator[Growth]:
    """Plant so much, measure what is asked every day, plant more."""
    rows = (*ROWS, MOST_ROWS) if full else ROWS
    for database in ("sqlite", "postgresql"):
        for of, sizes, plant, asked in (
            ("holders", SMOKE_SIZES if smoke else HOLDERS, plant_holders, _of_holders),
            ("rows of consumption", SMOKE_SIZES if smoke else rows, _plant_rows, _of_rows),
        ):
            with ExitStack() as stack:
                url = place.sqlite(f"growth-{uuid4()}") if database == "sqlite" else place.postgresql()
                yield from _measure(a_guard(url, stack), (database, of), sizes, plant, asked, effort=effort)


def _measure(
    guard: Guard,
    named: tuple[str, str],
    sizes: Sequence[int],
    plant: Callable[[Connection, str, int], None],
    asked: Callable[[Guard], dict[str, Call]],
    *,
    effort: Effort,
) -> list[Growth]:
    database, of = named
    found: dict[str, list[float]] = {}
    for size in sizes:
        with guard.database.write() as connection:
            dialects.set_up_alone(connection)  # as long as it takes
            plant(connection, database, size)
            connection.exec_driver_sql("ANALYZE")
        _settle(guard, database)
        guard.reload()
        for what, call in asked(guard).items():
            found.setdefault(what, []).append(_median(call, effort))
    return [Growth(what, of, database, list(sizes), seconds) for what, seconds in found.items()]


def _settle(guard: Guard, database: str) -> None:
    """Let SQLite move what was planted into the file: it is not to be waited for by those who are measured."""
    if database == "sqlite":
        with closing(sqlite3.connect(str(guard.database.engine.url.database))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _median(call: Call, effort: Effort) -> float:
    """The median of as many calls as fit, at least three."""
    call()
    ends_at, took = perf_counter() + effort.rounds * effort.seconds / 4, []
    while len(took) < 3 or perf_counter() < ends_at:
        began = perf_counter()
        call()
        took.append(perf_counter() - began)
    return statistics.median(took)


def _of_holders(guard: Guard) -> dict[str, Call]:
    def allocation() -> None:
        with guard.allocation("publish", "holder-000000005", units=time.time_ns() % 4 + 1):
            pass

    def proof() -> None:
        with guard.database.read() as connection:
            assert usage.drifts(connection) == []

    def largest() -> None:
        with guard.database.read() as connection:
            usage.allocations_of(connection, "units", most=100)

    return {
        "a decision for a switch": partial(guard.check, "run"),
        "the status, read anew": lambda: (guard.reload(), guard.status()),
        "an allocation": allocation,
        "the 100 largest holders": largest,
        "the proof that the total is the sum": proof,
    }


def _of_rows(guard: Guard) -> dict[str, Call]:
    guard.consume("calls", key="known")
    return {
        "a consumption": partial(guard.consume, "calls"),
        "a retry of one": partial(guard.consume, "calls", key="known"),
        "the status, read anew": lambda: (guard.reload(), guard.status()),
    }


def plant_holders(connection: Connection, database: str, size: int) -> None:
    """Let so many holders hold one unit each, and nobody else anything."""
    connection.exec_driver_sql("DELETE FROM allocations")
    numbers = _NUMBERS[database].format(count=size)
    connection.exec_driver_sql(
        "INSERT INTO allocations (feature, holder, amount, changed_at)"  # noqa: S608 (all of it is said here)
        f" SELECT 'units', {_PADDED[database]}, 1, 0 FROM {numbers}"
    )
    connection.exec_driver_sql("UPDATE totals SET used = (SELECT SUM(amount) FROM allocations) WHERE feature = 'units'")


def _plant_rows(connection: Connection, database: str, size: int) -> None:
    connection.exec_driver_sql("DELETE FROM consumptions")
    numbers = _NUMBERS[database].format(count=size)
    connection.exec_driver_sql(
        "INSERT INTO consumptions (feature, period_starts_at, key, amount, at, actor)"  # noqa: S608
        f" SELECT 'calls', m.period_starts_at, {_PADDED[database]}, 1, 0, 'system'"
        f" FROM {numbers}, meters m WHERE m.feature = 'calls'"
    )
    connection.exec_driver_sql(f"UPDATE meters SET used = {size} WHERE feature = 'calls'")  # noqa: S608
