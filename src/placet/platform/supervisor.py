"""Keeps a set of named workers up.

A worker that ends by itself is started again after a pause: half a second at first, doubled each time, at most half a
minute. Once a worker has stayed up for a minute, the next pause is the shortest again. After five failures in a row
the key is in a crash loop: it is still tried, and its state says so.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from placet.platform import logs
from placet.platform.problems import ModuleProblem
from placet.platform.workers import Worker, WorkerSpec, start_worker


class WorkerState(StrEnum):
    """How a supervised worker is."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    CRASH_LOOP = "crash_loop"


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one key: failures in a row, pid and bytes of memory while it runs, and the last failure."""

    state: WorkerState
    failures: int
    pid: int | None
    last_error: str | None
    memory: int | None


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before starting again, in seconds, and from how many failures on it is a crash loop."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    stable_after_seconds: float = 60.0
    crash_loop_from: int = 5

    def pause(self, failures: int) -> float:
        """Return the pause after the so many-th failure in a row."""
        return float(min(self.longest_seconds, self.first_seconds * 2 ** min(failures - 1, 30)))


DEFAULT_BACKOFF = Backoff()
_DRAIN_LOOK_SECONDS = 0.1


class Supervisor:
    """Holds one worker per key. Safe to use from any thread.

    `start` starts every worker, those included that are put here running. `drain_seconds` is how long
    a replaced worker goes on accepting, for requests that have just looked up its socket. Then it is stopped as soon as
    `busy` says that no request to its socket is under way, at last after `longest_drain_seconds`.
    """

    def __init__(
        self,
        *,
        start: Callable[[WorkerSpec], Worker] = start_worker,
        backoff: Backoff = DEFAULT_BACKOFF,
        drain_seconds: float = 1.0,
        longest_drain_seconds: float = 60.0,
    ) -> None:
        self.start = start
        self._backoff = backoff
        self._drain_seconds = drain_seconds
        self._longest_drain_seconds = longest_drain_seconds
        self.busy: Callable[[Path], bool] = lambda _: False
        self._lock = threading.Lock()
        self._keepers: dict[str, _Keeper] = {}
        self._draining: set[threading.Thread] = set()
        self._closed = threading.Event()

    def put(self, key: str, spec: WorkerSpec, worker: Worker | None = None) -> None:
        """Keep a worker up under `key`, in place of the one before, which is drained and stopped.

        Without `worker` it is started from `spec` in the background. Raises `RuntimeError` once closed.
        """
        keeper = _Keeper(key, spec, worker, self.start, self._backoff)
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("the supervisor is closed")
            before = self._keepers.get(key)
            self._keepers[key] = keeper
            keeper.thread.start()
            if before is not None:
                thread = threading.Thread(target=self._drain, args=(before,), name=f"drain {key}", daemon=True)
                self._draining.add(thread)
                thread.start()

    def socket_for(self, key: str) -> Path | None:
        """Return the socket of the worker that runs under `key` now, None when there is none or it is down."""
        keeper = self._keepers.get(key)
        worker = None if keeper is None else keeper.worker
        return worker.socket_path if worker is not None and worker.is_alive() else None

    def workers(self) -> dict[str, Worker]:
        """Return the workers that run now, by key."""
        with self._lock:
            found = {key: keeper.worker for key, keeper in self._keepers.items()}
        return {key: worker for key, worker in found.items() if worker is not None and worker.is_alive()}

    def state(self, key: str) -> WorkerStatus | None:
        """Return the state of one key, None if there is no such key."""
        keeper = self._keepers.get(key)
        return None if keeper is None else keeper.state()

    def states(self) -> dict[str, WorkerStatus]:
        """Return the state of every key, by key."""
        with self._lock:
            keepers = dict(self._keepers)
        return {key: keeper.state() for key, keeper in sorted(keepers.items())}

    def tail(self, key: str, lines: int = 100) -> str | None:
        """Return the last lines of the log of a key, None if there is no such key."""
        keeper = self._keepers.get(key)
        return None if keeper is None else keeper.tail(lines)

    def remove(self, key: str) -> bool:
        """Stop the worker of a key and return once it is gone; False if there is no such key."""
        with self._lock:
            keeper = self._keepers.pop(key, None)
        if keeper is None:
            return False
        keeper.close()
        return True

    def close(self) -> None:
        """Stop every worker, all at once, and return once they are gone."""
        with self._lock:
            self._closed.set()
            keepers, self._keepers = list(self._keepers.values()), {}
            draining = list(self._draining)
        closing = [threading.Thread(target=keeper.close, name="close", daemon=True) for keeper in keepers]
        for thread in closing:
            thread.start()
        for thread in [*closing, *draining]:
            thread.join()

    def _drain(self, keeper: "_Keeper") -> None:
        self._closed.wait(self._drain_seconds)
        deadline, worker = time.monotonic() + self._longest_drain_seconds, keeper.worker
        while worker is not None and self.busy(worker.socket_path) and time.monotonic() < deadline:
            if self._closed.wait(_DRAIN_LOOK_SECONDS):
                break
        keeper.close()
        with self._lock:
            self._draining.discard(threading.current_thread())


class _Keeper:
    """One key: a thread that waits for the worker to end and starts it again."""

    def __init__(
        self,
        key: str,
        spec: WorkerSpec,
        worker: Worker | None,
        start: Callable[[WorkerSpec], Worker],
        backoff: Backoff,
    ) -> None:
        self.worker = worker
        self.thread = threading.Thread(target=self._keep, name=f"keep {key}", daemon=True)
        self._spec = spec
        self._start = start
        self._backoff = backoff
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failures = 0
        self._last_error: str | None = None

    def state(self) -> WorkerStatus:
        """Return the state now."""
        with self._lock:
            worker, failures, last_error = self.worker, self._failures, self._last_error
        running = worker is not None and worker.is_alive()
        if running:
            state = WorkerState.RUNNING
        elif failures >= self._backoff.crash_loop_from:
            state = WorkerState.CRASH_LOOP
        else:
            state = WorkerState.RESTARTING if failures or worker is not None else WorkerState.STARTING
        pid = worker.pid if running and worker is not None else None
        usage = worker.usage if running and worker is not None else None
        memory = None if usage is None else usage.memory
        return WorkerStatus(state=state, failures=failures, pid=pid, last_error=last_error, memory=memory)

    def tail(self, lines: int) -> str:
        """Return the last lines of the log."""
        return logs.tail(self._spec.log_path, lines)

    def close(self) -> None:
        """Stop for good."""
        self._closing.set()
        with self._lock:
            worker = self.worker
        if worker is not None:
            worker.stop()
        self.thread.join()

    def _keep(self) -> None:
        while not self._closing.is_set():
            worker = self.worker or self._begin()
            if worker is None:
                self._closing.wait(self._backoff.pause(self._failures))
                continue
            began = time.monotonic()
            status = worker.wait()
            if self._closing.is_set():
                return
            stable = time.monotonic() - began >= self._backoff.stable_after_seconds
            worker.stop(0)
            self._failed(worker.ended_because or _ended(status, worker), first=stable)
            self._closing.wait(self._backoff.pause(self._failures))

    def _begin(self) -> Worker | None:
        """Start a worker; None when that failed, or when it is no longer wanted."""
        try:
            worker = self._start(self._spec)
        except (ModuleProblem, OSError) as error:
            self._failed(str(error), first=False)
            return None
        with self._lock:
            if not self._closing.is_set():
                self.worker = worker
                return worker
        worker.stop(0)
        return None

    def _failed(self, error: str, *, first: bool) -> None:
        with self._lock:
            self.worker = None
            self._failures = 1 if first else self._failures + 1
            self._last_error = error
        again = self._backoff.pause(self._failures)
        logs.note(self._spec.log_path, f"{error} It is started again in {again:g} seconds.")


def _ended(status: int | None, worker: Worker) -> str:
    how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
    last = worker.printed.strip().rpartition("\n")[2].strip()
    return f"The process ended with {how}." + (f" Its last line of output: {last[:500]}" if last else "")
