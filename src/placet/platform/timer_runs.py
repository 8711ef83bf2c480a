"""Has workers run their timers when they are due: each once per period, on one server of a farm, never twice at once.

The worker knows nothing of the database: its server tells it when to run which timer, and it tells when it has ended.
"""

import time
import uuid
from contextlib import suppress
from datetime import timedelta

import msgspec
from sqlalchemy.exc import IntegrityError

from placet.guard import Guard
from placet.platform.supervisor import Supervisor
from placet.platform.workers import Worker
from placet.store import timer_runs

LOOK_SECONDS = 0.5
_HOLD_SECONDS = timer_runs.HELD.total_seconds() / 3


class _Run(msgspec.Struct, frozen=True):
    worker: Worker
    every: timedelta


class TimerRuns:
    """The timers of the modules that one server serves. `look` is meant for twice a second."""

    def __init__(self, guard: Guard, supervisor: Supervisor) -> None:
        self._database = guard.database
        self._supervisor = supervisor
        self._runs: dict[str, _Run] = {}
        self._over: set[str] = set()
        self._entered: set[tuple[str, str, timedelta]] = set()
        self._held_at = 0.0

    def look(self) -> None:
        """End the runs that have ended, go on holding the others, and start those that are due."""
        self._settle()
        workers = {key: worker for key, worker in self._supervisor.workers().items() if worker.spec.timers}
        self._enter(workers)
        if not workers:
            return
        with self._database.read() as connection:
            found = timer_runs.due(connection)
        for item in found:
            worker = workers.get(item.module)
            every = next((t.every for t in worker.spec.timers if t.name == item.timer), None) if worker else None
            if worker is not None and every is not None:
                self._start(item, worker, every)

    def close(self) -> None:
        """Leave to others what this server ran. The workers have been stopped."""
        for run in list(self._runs):
            self._release(run)

    def _settle(self) -> None:
        for run, what in list(self._runs.items()):
            if what.worker.timer_ended(run) or not what.worker.is_alive():
                self._over.add(run)
        for run in list(self._over):  # those included that could not be released before
            self._release(run)
        if self._runs and time.monotonic() - self._held_at >= _HOLD_SECONDS:
            with self._database.write() as connection:
                timer_runs.hold(connection, list(self._runs))
            self._held_at = time.monotonic()

    def _enter(self, workers: dict[str, Worker]) -> None:
        wanted = {(key, timer.name, timer.every) for key, worker in workers.items() for timer in worker.spec.timers}
        for module, timer, every in wanted - self._entered:
            with suppress(IntegrityError), self._database.write() as connection:  # another server does the same
                timer_runs.enter(connection, module, timer, every)
        self._entered = wanted

    def _start(self, item: timer_runs.Due, worker: Worker, every: timedelta) -> None:
        run = str(uuid.uuid4())
        with self._database.write() as connection:
            if not timer_runs.claim(connection, item.module, item.timer, run, every):
                return
        self._runs[run] = _Run(worker, every)
        worker.run_timer(item.timer, run)

    def _release(self, run: str) -> None:
        with self._database.write() as connection:
            timer_runs.release(connection, run, self._runs[run].every)
        del self._runs[run]
        self._over.discard(run)
