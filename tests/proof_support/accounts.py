"""What a database has to hold after a fight, by the journals of those who fought, and what it does hold.

Neither side is Placet's: journals are files of lines, and the database is asked in plain SQL. Where an answer was lost,
or its process was killed before it could write it down, what was asked for may be there or not; everything else has to
be exactly as it was acknowledged.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from proof_support.product import CALLS, DESKS, SLOTS, UNITS

Line = dict[str, Any]
DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"


class Accounts:
    """What was acknowledged, refused, and neither."""

    def __init__(self, directory: Path) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.held: dict[str, set[tuple[int, int]]] = defaultdict(lambda: {(0, 0)})  # units and slots by holder
        self.consumed: dict[str, int] = {}
        self.perhaps_consumed: dict[str, int] = {}
        self.blocks: dict[str, tuple[int, int | None]] = {}  # size, and what was used of it, by holder
        self.perhaps_taken: dict[str, int] = {}
        self.perhaps_returned: dict[str, int] = {}
        self.seated: set[str] = set()
        self.perhaps_seated: set[str] = set()
        for path in sorted(directory.glob("*.journal")):
            for what, was in _attempts(path):
                outcome = UNKNOWN if was is None else was["was"]
                self.outcomes[what["do"], outcome] += 1
                getattr(self, f"_{what['do']}")(what, outcome, was or {})

    def _hold(self, what: Line, outcome: str, _told: Line) -> None:
        before = self.held[what["holder"]]
        after = {(what[UNITS], what.get(SLOTS, slots)) for _, slots in before}
        self.held[what["holder"]] = {DONE: after, REFUSED: before}.get(outcome, before | after)

    def _consume(self, what: Line, outcome: str, _told: Line) -> None:
        key, amount = what["key"], what["amount"]
        if outcome == DONE:
            self.perhaps_consumed.pop(key, None)
            self.consumed[key] = amount
        elif outcome == REFUSED:
            self.perhaps_consumed.pop(key, None)
        elif key not in self.consumed:
            self.perhaps_consumed[key] = amount

    def _take(self, what: Line, outcome: str, told: Line) -> None:
        if outcome == DONE:
            self.blocks[what["holder"]] = told["size"], None
        elif outcome == UNKNOWN:
            self.perhaps_taken[what["holder"]] = what["size"]

    def _return(self, what: Line, outcome: str, _told: Line) -> None:
        holder = what["holder"]
        self.perhaps_returned.pop(holder, None)
        if outcome == DONE:
            self.blocks[holder] = self.blocks[holder][0], what["used"]
        else:
            self.perhaps_returned[holder] = what["used"]

    def _sit(self, what: Line, outcome: str, _told: Line) -> None:
        self.perhaps_seated.discard(what["holder"])
        if outcome == DONE:
            self.seated.add(what["holder"])
        elif outcome == UNKNOWN:
            self.perhaps_seated.add(what["holder"])

    def _stand(self, what: Line, outcome: str, _told: Line) -> None:
        self.seated.discard(what["holder"])
        self.perhaps_seated.discard(what["holder"])
        if outcome != DONE:
            self.perhaps_seated.add(what["holder"])

    def bounds(self) -> dict[str, tuple[int, int]]:
        """The least and the most that can be counted of each feature: acknowledged, and that with what is unknown."""
        units = [{units for units, _ in states} for states in self.held.values()]
        slots = [{slots for _, slots in states} for states in self.held.values()]
        calls = least = sum(self.consumed.values())
        for holder, (size, used) in self.blocks.items():
            counted = size if used is None else used
            calls += counted
            least += min(counted, self.perhaps_returned.get(holder, counted))
        most = calls + sum(self.perhaps_consumed.values()) + sum(self.perhaps_taken.values())
        return {
            UNITS: (sum(map(min, units)), sum(map(max, units))),
            SLOTS: (sum(map(min, slots)), sum(map(max, slots))),
            CALLS: (least, most),
            DESKS: (len(self.seated), len(self.seated | self.perhaps_seated)),
        }

    def agree_with(self, stored: "Stored") -> None:
        """Assert that the database holds what was acknowledged, and nothing that nobody asked for."""
        for holder, states in self.held.items():
            assert stored.held(holder) in states, holder
        assert {holder for holder, _ in stored.allocations} <= self.held.keys()
        assert len(stored.consumptions) == len(stored.keys), "a key was counted twice"
        assert self.consumed.items() <= stored.keys.items()
        assert stored.keys.items() <= (self.perhaps_consumed | self.consumed).items()
        self._agree_on_blocks(stored)
        assert self.seated <= stored.seated <= self.seated | self.perhaps_seated
        assert all(amount == 1 for amount in stored.leases.values())

    def _agree_on_blocks(self, stored: "Stored") -> None:
        assert self.blocks.keys() <= stored.blocks.keys() <= self.blocks.keys() | self.perhaps_taken.keys()
        for holder, (_, size, used) in stored.blocks.items():
            if holder not in self.blocks:
                assert 1 <= size <= self.perhaps_taken[holder]
                assert used is None
                continue
            assert size == self.blocks[holder][0]
            if holder in self.perhaps_returned:
                assert used in {None, self.perhaps_returned[holder]}
            else:
                assert used == self.blocks[holder][1]


class Stored:
    """What the database holds, read in one transaction. ``periods`` is what meters say, by when each period starts."""

    def __init__(self, connection: Connection) -> None:
        def rows(query: str) -> list[Any]:
            return list(connection.execute(text(query)))

        self.totals: dict[str, int] = dict(map(tuple, rows("SELECT feature, used FROM totals")))
        self.allocations = {
            (holder, feature): amount
            for holder, feature, amount in rows("SELECT holder, feature, amount FROM allocations")
        }
        self.consumptions = rows("SELECT period_starts_at, key, amount FROM consumptions")
        self.keys = {key: amount for _, key, amount in self.consumptions}
        self.blocks = {
            holder: (starts_at, size, used)
            for holder, starts_at, size, used in rows("SELECT holder, period_starts_at, size, used FROM blocks")
        }
        self.leases: dict[str, int] = dict(map(tuple, rows("SELECT holder, amount FROM leases")))
        self.seated = set(self.leases)
        self.periods: dict[int, int] = dict(
            map(
                tuple,
                rows(
                    "SELECT period_starts_at, used FROM meters"
                    " UNION ALL SELECT period_starts_at, used FROM meter_periods"
                ),
            )
        )

    def held(self, holder: str) -> tuple[int, int]:
        """The units and slots of a holder."""
        return self.allocations.get((holder, UNITS), 0), self.allocations.get((holder, SLOTS), 0)

    def counted(self) -> dict[str, int]:
        """What is counted of each feature, the metered one over all its periods."""
        return {**self.totals, CALLS: sum(self.periods.values())}

    def adds_up(self) -> None:
        """Assert that every total is the sum of what it counts."""
        for feature in (UNITS, SLOTS):
            assert self.totals[feature] == sum(
                amount for (_, name), amount in self.allocations.items() if name == feature
            )
        assert self.totals[DESKS] == sum(self.leases.values())
        counted: Counter[int] = Counter()
        for starts_at, _, amount in self.consumptions:
            counted[starts_at] += amount
        for starts_at, size, used in self.blocks.values():
            counted[starts_at] += size if used is None else used
        assert {starts_at: used for starts_at, used in self.periods.items() if used} == +counted


def _attempts(path: Path) -> Iterator[tuple[Line, Line | None]]:
    """What one thread tried, in its order, and how that has ended: ``None`` where nobody knows."""
    asked: Line | None = None
    for line in map(json.loads, path.read_text().splitlines()):
        assert "fault" not in line, line["fault"]
        if "do" in line:
            assert asked is None
            asked = line
        else:
            assert asked is not None
            yield asked, None if line["was"] == "lost" else line
            asked = None
    if asked is not None:
        yield asked, None
