"""A fight from outside: processes are started, watched while they are at it, and judged afterwards."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sqlalchemy import text

from guard_support.guards import license_for
from placet.guard import Guard
from placet.store import metering, usage
from placet.store.database import Database
from placet.store.reach import NOT_REACHED
from proof_support.accounts import Accounts, Stored
from proof_support.fighter import Fight
from proof_support.nursery import Nursery
from proof_support.product import CALLS, DESKS, SLOTS, UNITS, grants

PROCESSES = 8
SECONDS = float(os.environ.get("PLACET_RACE_SECONDS", "5"))
ROOM_TO_START = 0.5
LOOK_SECONDS = 0.01
_LOOK = text(
    "SELECT feature, used FROM totals UNION ALL SELECT feature, used FROM meters"
    " UNION ALL SELECT feature || ' summed', CAST(SUM(amount) AS BIGINT) FROM allocations GROUP BY feature"
    " UNION ALL SELECT feature || ' summed', CAST(SUM(amount) AS BIGINT) FROM leases GROUP BY feature"
)


class Battle:
    """A fight of eight processes for what a license allows, ``most``, and somebody who watches that it is kept.

    It lasts ``seconds``. ``meanwhile`` is done between two looks, and may do anything. More and more may be allowed:
    never less.
    """

    def __init__(
        self, url: str, directory: Path, most: dict[str, int], *, seconds: float = SECONDS, **options: Any
    ) -> None:
        now = time.monotonic()
        self.seconds = seconds
        self.fight = Fight(
            url=url,
            directory=str(directory),
            begins_at=now + ROOM_TO_START,
            ends_at=now + ROOM_TO_START + seconds,
            wall=time.time(),
            **options,
        )
        self.directory = directory
        self.most = dict(most)
        self.guard: Guard = self.fight.guard()
        self.looks = 0
        self.peak = dict.fromkeys(most, 0)
        self.under_way: list[int] = []
        self._licenses = 0
        self.allow()
        self._watching = Database.open(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watching.close()
        self.guard.close()

    def allow(self, **more: int) -> None:
        """Install a license for more. Where the answer is lost, the one before it may be in force still."""
        self.most = {name: units + more.get(name, 0) for name, units in self.most.items()}
        self._licenses += 1
        self.guard.install(license_for(self.guard, jti=f"L-{self._licenses}", features=grants(self.most)))

    @property
    def kind(self) -> str:
        """The kind of the database."""
        return self.guard.database.engine.dialect.name

    def start(self, nursery: Nursery, name: str) -> None:
        """Let another process fight."""
        self.under_way.append(nursery.start(self.fight, name))

    def run(self, nursery: Nursery, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let them fight, and watch."""
        for number in range(PROCESSES):
            self.start(nursery, f"p{number}")
        while time.monotonic() < self.fight.ends_at:
            self.look()
            meanwhile()
            time.sleep(LOOK_SECONDS)
        ended = nursery.wait()
        assert set(ended) <= {0}, ended
        self.look()

    def look(self) -> None:
        """Read every total and every sum as of one moment, and assert that no limit is passed."""
        try:
            with self._watching.read() as connection:
                found = {row[0]: int(row[1]) for row in connection.execute(_LOOK)}
        except NOT_REACHED:
            return
        self.looks += 1
        for name, most in self.most.items():
            assert found[name] <= most, (name, found)
            self.peak[name] = max(self.peak[name], found[name])
        for name in (UNITS, SLOTS, DESKS):
            assert found[name] == found.get(f"{name} summed", 0), found

    def judge(self) -> Accounts:
        """Assert that nothing acknowledged is lost and nothing is counted that nobody asked for."""
        accounts, stored = Accounts(self.directory), self.stored()
        accounts.agree_with(stored)
        stored.adds_up()
        counted = stored.counted()
        for name, (least, most) in accounts.bounds().items():
            assert least <= counted[name] <= most, (name, least, counted[name], most)
        for used in stored.periods.values():
            assert used <= self.most[CALLS]
        self.has_no_drift()
        return accounts

    def stored(self) -> Stored:
        with self.guard.database.read() as connection:
            return Stored(connection)

    def has_no_drift(self) -> None:
        """What ``placet admin doctor`` asks the store."""
        with self.guard.database.read() as connection:
            assert usage.drifts(connection) == []
            assert metering.drifts(connection) == []

    def told(self, title: str, accounts: Accounts) -> str:
        """The figures, for people."""
        outcomes = ", ".join(f"{do} {was} {count:,}" for (do, was), count in sorted(accounts.outcomes.items()))
        peaks = ", ".join(f"{name} {peak:,} of {self.most[name]:,}" for name, peak in self.peak.items())
        return f"{title}: {self.seconds:.3g} s, {self.looks:,} looks; most seen: {peaks}; {outcomes}"
