"""The same fight while processes are killed, and PostgreSQL too: nothing acknowledged is lost, no limit is passed."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from placet.store import audit
from placet.store.reach import NOT_REACHED
from proof_support.battle import PROCESSES, SECONDS, Battle
from proof_support.nursery import Nursery
from proof_support.product import CALLS, DESKS, SLOTS, UNITS
from store_support.postgres import PostgresServer

MOST = {UNITS: 40, SLOTS: 25, CALLS: 200, DESKS: 60}
RESTARTS = 3


class Killer:
    """Kills a process that fights every so often, and starts another; and allows more calls, so that they go on.

    More is allowed by a thread of its own: a license waits its turn among those who fight, and the next kill does not.
    """

    def __init__(self, battle: Battle, nursery: Nursery, *, every: float) -> None:
        self._battle = battle
        self._nursery = nursery
        self._every = every
        self._random = random.Random(1)  # noqa: S311
        self._next = battle.fight.begins_at + every
        self._thread = ThreadPoolExecutor(1)
        self._allowed = self._thread.submit(allow_more, battle)
        self.killed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._allowed.result()

    def __call__(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next += self._every
        victim = self._random.choice(self._battle.under_way)
        if self._nursery.kill(victim):
            self.killed += 1
            self._battle.under_way.remove(victim)
            self._battle.start(self._nursery, f"k{self.killed}")
        if self._allowed.done():
            self._allowed.result()
            self._allowed = self._thread.submit(allow_more, self._battle)


def allow_more(battle: Battle) -> None:
    with suppress(NOT_REACHED):
        battle.allow(calls=50)


def settle_what_is_left(battle: Battle) -> int:
    """Settle the blocks that are open; answers how many they were. The sums are right before and after it."""
    before = battle.stored()
    left = battle.guard.open_blocks()
    for block in left:
        battle.guard.settle_block(block.id, min(1, block.size), actor="administrator")
    after = battle.stored()
    after.adds_up()
    given_back = sum(block.size - 1 for block in left)
    assert after.counted() == before.counted() | {CALLS: before.counted()[CALLS] - given_back}
    with battle.guard.database.read() as connection:
        events = audit.events(connection, most=1_000_000)
    settled = {(event.subject, event.actor) for event in events if event.event == audit.Event.BLOCK_SETTLED}
    assert settled == {(str(block.id), "administrator") for block in left}
    assert battle.guard.open_blocks() == []
    return len(left)


def test_processes_are_killed(
    database_url: str, tmp_path: Path, nursery: Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    with Battle(database_url, tmp_path, MOST) as battle:
        with Killer(battle, nursery, every=SECONDS / 30) as killer:
            battle.run(nursery, killer)
        accounts = battle.judge()
        assert killer.killed >= PROCESSES
        unknown = sum(count for (_, was), count in accounts.outcomes.items() if was == "unknown")
        assert unknown <= killer.killed * battle.fight.threads
        left = settle_what_is_left(battle)
        battle.has_no_drift()
        told = battle.told(f"kills on {battle.kind}", accounts)
    with capsys.disabled():
        print(f"\n{told}; {killer.killed} processes killed, {left} blocks settled")  # noqa: T201


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as found:
        yield found


class Breaker:
    """Stops PostgreSQL immediately, as an administrator or a power cut does, and starts it again: three times."""

    def __init__(self, battle: Battle, server: PostgresServer, also: Callable[[], None]) -> None:
        self._battle = battle
        self._server = server
        self._also = also
        self.restarts = 0

    def __call__(self) -> None:
        part = self._battle.seconds / (RESTARTS + 1)
        if self.restarts < RESTARTS and time.monotonic() > self._battle.fight.begins_at + (self.restarts + 1) * part:
            (self._server.kill if self.restarts == 1 else self._server.stop_immediately)()
            self._server.start()
            self.restarts += 1
        self._also()


def seconds_of_restart(server: PostgresServer) -> float:
    began = time.monotonic()
    server.stop_immediately()
    server.start()
    return time.monotonic() - began


def test_postgresql_is_stopped_immediately(
    server: PostgresServer, tmp_path: Path, nursery: Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told of anything that is not on the disk: whoever got no answer asks again, by the same key."""
    url = server.url(server.new_database())
    # On a machine with much else to do a restart takes long: there has to be time to fight between two of them.
    seconds = max(SECONDS, 4 * (RESTARTS + 1) * seconds_of_restart(server))
    with Battle(url, tmp_path, MOST, seconds=seconds) as battle:
        with Killer(battle, nursery, every=seconds / 15) as killer:
            breaker = Breaker(battle, server, killer)
            battle.run(nursery, breaker)
        accounts = battle.judge()
        assert breaker.restarts == RESTARTS
        assert sum(count for (_, was), count in accounts.outcomes.items() if was == "unknown") > 0
        left = settle_what_is_left(battle)
        battle.has_no_drift()
        told = battle.told("PostgreSQL stopped immediately", accounts)
    with capsys.disabled():
        print(f"\n{told}; {RESTARTS} restarts, {killer.killed} processes killed, {left} blocks settled")  # noqa: T201
