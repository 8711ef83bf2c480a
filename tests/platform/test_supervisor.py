import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.supervisor import Backoff, Supervisor, WorkerState
from placet.platform.workers import Worker, WorkerSpec, start_worker
from platform_support.modules import STARLETTE_APP, write_module
from platform_support.processes import is_gone
from platform_support.workers import fetch, spec_for

QUICK = Backoff(first_seconds=0.01, longest_seconds=0.05, stable_after_seconds=60, crash_loop_from=3)


class Starts:
    """Starts real workers and lets a test wait for the next one; fails while told to."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = False
        self._changed = threading.Condition()

    def __call__(self, spec: WorkerSpec) -> Worker:
        try:
            if self.failing:
                raise ModuleProblem(ProblemCode.START_FAILED, "told to fail")
            return start_worker(spec)
        finally:
            with self._changed:
                self.count += 1
                self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, timeout=30)


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def supervisor(starts: Starts) -> Iterator[Supervisor]:
    supervisor = Supervisor(start=starts, backoff=QUICK, drain_seconds=0.05)
    yield supervisor
    supervisor.close()


def settle(condition: Callable[[], bool]) -> bool:
    """Wait for what another thread does right after the event a test could wait for."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


def test_a_worker_that_is_put_is_served(tmp_path: Path, supervisor: Supervisor, starts: Starts) -> None:
    spec = spec_for(write_module(tmp_path / "module"), tmp_path)
    assert supervisor.socket_for("orders") is None
    assert supervisor.state("orders") is None
    supervisor.put("orders", spec, start_worker(spec))
    socket_path = supervisor.socket_for("orders")
    assert socket_path is not None
    assert fetch(socket_path) == "hello"
    state = supervisor.state("orders")
    assert state is not None
    assert (state.state, state.failures, state.last_error) == (WorkerState.RUNNING, 0, None)
    assert starts.count == 0
    assert supervisor.tail("orders") is not None
    assert supervisor.tail("nothing") is None


def test_without_a_worker_one_is_started(tmp_path: Path, supervisor: Supervisor, starts: Starts) -> None:
    supervisor.put("orders", spec_for(write_module(tmp_path / "module"), tmp_path))
    starts.wait_for(1)
    assert settle(lambda: supervisor.socket_for("orders") is not None)


def test_a_killed_worker_is_started_again(tmp_path: Path, supervisor: Supervisor, starts: Starts) -> None:
    spec = spec_for(write_module(tmp_path / "module"), tmp_path)
    worker = start_worker(spec)
    supervisor.put("orders", spec, worker)
    os.kill(worker.pid, signal.SIGKILL)
    starts.wait_for(1)
    assert settle(lambda: supervisor.socket_for("orders") is not None)
    socket_path = supervisor.socket_for("orders")
    assert socket_path is not None
    assert socket_path != worker.socket_path
    assert fetch(socket_path) == "hello"
    state = supervisor.states()["orders"]
    assert (state.state, state.failures) == (WorkerState.RUNNING, 1)
    assert "signal 9" in (state.last_error or "")


def test_a_worker_that_keeps_ending_is_in_a_crash_loop(tmp_path: Path, supervisor: Supervisor, starts: Starts) -> None:
    dying = "import os, threading\nthreading.Timer(0.3, lambda: (print('giving up'), os._exit(4))).start()\n"
    spec = spec_for(write_module(tmp_path / "module", dying + STARLETTE_APP), tmp_path)
    supervisor.put("orders", spec)
    starts.wait_for(4)
    state = supervisor.state("orders")
    assert state is not None
    assert state.failures >= 3
    assert settle(lambda: supervisor.states()["orders"].state is WorkerState.CRASH_LOOP)
    assert "status 4" in (state.last_error or "")


def test_a_module_that_cannot_start_is_tried_again_until_it_can(
    tmp_path: Path, supervisor: Supervisor, starts: Starts
) -> None:
    starts.failing = True
    supervisor.put("orders", spec_for(write_module(tmp_path / "module"), tmp_path))
    starts.wait_for(4)
    assert supervisor.socket_for("orders") is None
    state = supervisor.states()["orders"]
    assert (state.state, state.last_error, state.pid) == (WorkerState.CRASH_LOOP, "told to fail", None)
    starts.failing = False
    assert settle(lambda: supervisor.socket_for("orders") is not None)


def test_a_new_version_replaces_the_old_one_without_a_gap(tmp_path: Path) -> None:
    supervisor = Supervisor(drain_seconds=2)  # the default is tight for a test machine that does much else
    old_spec = spec_for(write_module(tmp_path / "old"), tmp_path)
    new_spec = spec_for(write_module(tmp_path / "new", STARLETTE_APP.replace('"hello"', '"new"')), tmp_path)
    old = start_worker(old_spec)
    supervisor.put("orders", old_spec, old)
    answers: list[str] = []
    enough, stop = threading.Event(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            socket_path = supervisor.socket_for("orders")
            assert socket_path is not None
            answers.append(fetch(socket_path))
            if answers.count("new") > 3:
                enough.set()

    thread = threading.Thread(target=ask)
    thread.start()
    supervisor.put("orders", new_spec, start_worker(new_spec))
    assert enough.wait(20)
    assert is_gone(old.pid, within_seconds=20)
    stop.set()
    thread.join()
    supervisor.close()
    assert answers == sorted(answers), "every answer is the old one until it is the new one"
    assert set(answers) <= {"hello", "new"}


def test_remove_returns_when_the_worker_is_gone(tmp_path: Path, supervisor: Supervisor) -> None:
    spec = spec_for(write_module(tmp_path / "module"), tmp_path)
    worker = start_worker(spec)
    supervisor.put("orders", spec, worker)
    assert supervisor.remove("orders")
    assert not worker.is_alive()
    assert supervisor.socket_for("orders") is None
    assert not supervisor.remove("orders")


def test_close_stops_everything_and_nothing_comes_back(tmp_path: Path, starts: Starts) -> None:
    supervisor = Supervisor(start=starts, backoff=QUICK)
    spec = spec_for(write_module(tmp_path / "module"), tmp_path)
    workers = [start_worker(spec) for _ in range(2)]
    for number, worker in enumerate(workers):
        supervisor.put(f"orders-{number}", spec, worker)
    starts.failing = True
    supervisor.put("failing", spec)
    supervisor.close()
    assert not any(worker.is_alive() for worker in workers)
    assert supervisor.states() == {}
    with pytest.raises(RuntimeError, match="closed"):
        supervisor.put("orders", spec)


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff()
    assert [backoff.pause(failures) for failures in (1, 2, 3, 7, 8, 1000)] == [0.5, 1, 2, 30, 30, 30]
