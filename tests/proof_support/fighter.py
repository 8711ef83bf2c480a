"""One process of a fight: threads that take, use and give back whatever they get, and write down what they are told.

Each thread writes to a file of its own what it is about to do, and then how that has ended, so that afterwards there is
no doubt about what was acknowledged, what was refused, and what was under way when its process was killed. A line is
one ``write`` to the kernel: it is there however the process ends.
"""

import json
import os
import random
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from builders import DAY, NOW, TRUST
from placet.enforcement import Refused
from placet.guard import Guard, KeyReused, UnknownLease
from placet.store.database import Database, DatabaseUnusable
from placet.store.reach import NOT_REACHED
from proof_support.product import CALLS, DESKS, FOUGHT_FOR, SLOTS, UNITS

PATIENCE_SECONDS = 15.0
"""For how long after the end somebody goes on asking who was not answered."""

LEASE = timedelta(hours=1)


class Fight(msgspec.Struct, frozen=True, kw_only=True):
    """A fight from ``begins_at`` to ``ends_at`` (``time.monotonic``, one clock for all processes).

    Days of the guards' clocks pass at ``days_per_second`` since ``wall`` (seconds since the epoch).
    """

    url: str
    directory: str
    begins_at: float
    ends_at: float
    wall: float = 0.0
    days_per_second: float = 0.0
    threads: int = 4

    def clock(self) -> float:
        """The moment by the guards' clocks, the same in all processes."""
        passed = (time.time() - self.wall) * self.days_per_second
        return (NOW + passed * DAY).timestamp()

    def guard(self) -> Guard:
        """A guard, as one process has it."""
        return Guard(Database.open(self.url), FOUGHT_FOR, TRUST, clock=self.clock)


class Journal:
    """What one thread writes down."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)

    def write(self, **line: Any) -> None:
        os.write(self._file, (json.dumps(line) + "\n").encode())


class Fighter:
    """One thread. Its holders, keys and blocks have names nobody else uses, so that it knows what they have to be."""

    def __init__(self, fight: Fight, guard: Guard, name: str) -> None:
        self._fight = fight
        self._guard = guard
        self._name = name
        self._random = random.Random(name)  # noqa: S311
        self._journal = Journal(Path(fight.directory) / f"{name}.journal")
        self._holders = [f"{name}-{number}" for number in range(3)]
        self._numbers = 0
        self._leases: list[tuple[str, str]] = []
        self._moves: list[Callable[[], None]] = [
            *(self.publish, self.publish_with_slots, self.delete),
            *(self.consume, self.count_in_a_block, self.sit_down, self.stand_up),
        ]
        if not fight.days_per_second:  # a key is known in its period and the next, and those may be over at once
            self._moves += [self.consume_again]
        self._last_key: tuple[str, int] | None = None

    def run(self) -> None:
        try:
            while time.monotonic() < self._fight.ends_at:
                self._random.choice(self._moves)()
        except BaseException:
            self._journal.write(fault=traceback.format_exc())
            raise

    def publish(self) -> None:
        holder, units = self._random.choice(self._holders), self._random.randint(0, 4)
        self._attempt({"do": "hold", "holder": holder, UNITS: units}, self._set("publish", holder, units=units))

    def publish_with_slots(self) -> None:
        holder, units, slots = (
            self._random.choice(self._holders),
            self._random.randint(0, 4),
            self._random.randint(0, 3),
        )
        self._attempt(
            {"do": "hold", "holder": holder, UNITS: units, SLOTS: slots},
            self._set("publish_with_slots", holder, units=units, slots=slots),
        )

    def delete(self) -> None:
        holder = self._random.choice(self._holders)

        def release() -> None:
            with self._guard.releasing(holder, UNITS, SLOTS):
                pass

        self._attempt({"do": "hold", "holder": holder, UNITS: 0, SLOTS: 0}, release)

    def consume(self) -> None:
        key, amount = self._new_name(), self._random.randint(1, 3)
        if self._attempt({"do": "consume", "key": key, "amount": amount}, self._consume(key, amount)):
            self._last_key = key, amount

    def consume_again(self) -> None:
        """What was acknowledged under a key counts once, and cannot be made another amount."""
        if self._last_key is None:
            return
        key, amount = self._last_key
        again = {"do": "consume", "key": key, "amount": amount}
        assert self._attempt(again, lambda: _is(self._guard.consume(CALLS, amount, key=key).replayed))
        self._attempt(again, lambda: _is(self._is_reused(key, amount + 1)))

    def count_in_a_block(self) -> None:
        holder, size = self._new_name(), self._random.randint(1, 6)
        taken: list[tuple[int, int]] = []

        def take() -> dict[str, int]:
            block = self._guard.take_block(CALLS, size, holder=holder)
            taken.append((block.id, block.size))
            return {"id": block.id, "size": block.size}

        if not self._attempt({"do": "take", "holder": holder, "size": size}, take, again=False):
            return
        block_id, got = taken[0]
        used = self._random.randint(0, min(got, 2))
        self._attempt(
            {"do": "return", "holder": holder, "used": used}, lambda: _nothing(self._guard.return_block(block_id, used))
        )

    def sit_down(self) -> None:
        holder, got = self._new_name(), []
        took = self._attempt(
            {"do": "sit", "holder": holder}, lambda: got.append(self._guard.lease(DESKS, holder, LEASE).id)
        )
        if took:
            self._leases.append((holder, got[0]))

    def stand_up(self) -> None:
        if not self._leases:
            return
        holder, lease_id = self._leases.pop(0)
        tries = 0

        def release() -> None:
            nonlocal tries
            tries += 1
            try:
                self._guard.release_lease(lease_id)
            except UnknownLease:  # the answer to the try before was lost
                assert tries > 1

        self._attempt({"do": "stand", "holder": holder}, release)

    # How

    def _attempt(self, what: dict[str, Any], do: Callable[[], Any], *, again: bool = True) -> bool:
        """Do it, and again where no answer came; answers whether it was acknowledged."""
        deadline = self._fight.ends_at + PATIENCE_SECONDS
        while True:
            self._journal.write(**what)
            try:
                told = do()
            except Refused as error:
                self._journal.write(was="refused", code=str(error.decision.code))
                return False
            except NOT_REACHED:
                self._journal.write(was="lost")
                if not again or time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
            else:
                self._journal.write(was="done", **(told or {}))
                return True

    def _set(self, operation: str, holder: str, **amounts: int) -> Callable[[], None]:
        return lambda: _nothing(self._guard.allocate(operation, holder, **amounts))

    def _consume(self, key: str, amount: int) -> Callable[[], None]:
        return lambda: _nothing(self._guard.consume(CALLS, amount, key=key))

    def _is_reused(self, key: str, amount: int) -> bool:
        try:
            self._guard.consume(CALLS, amount, key=key)
        except KeyReused:
            return True
        return False

    def _new_name(self) -> str:
        self._numbers += 1
        return f"{self._name}-{self._numbers}"


def fight(what: Fight, name: str) -> None:
    """Fight with all threads of one process, from the beginning (or from now on, if that is over) to the end."""
    guard = _opened(what)
    fighters = [Fighter(what, guard, f"{name}.{number}") for number in range(what.threads)]
    time.sleep(max(0.0, what.begins_at - time.monotonic()))
    threads = [threading.Thread(target=fighter.run) for fighter in fighters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    guard.close()


def _opened(what: Fight) -> Guard:
    """A guard, once there is a database: this process may have been started while there is none."""
    while True:
        try:
            return what.guard()
        except (DatabaseUnusable, *NOT_REACHED):
            if time.monotonic() > what.ends_at + PATIENCE_SECONDS:
                raise
            time.sleep(0.1)


def _nothing(_answer: object) -> None:
    """Leave an answer out of the journal."""


def _is(true: bool) -> None:
    assert true
