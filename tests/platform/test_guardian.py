"""What leaves its group, its session and its parent is held all the same, and ends with what started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from placet.platform.limits import Limits
from placet.platform.processes import bare_environment, run_bounded
from placet.platform.worker_watch import WorkerWatch
from placet.platform.workers import start_worker
from platform_support.modules import write_module
from platform_support.workers import running, spec_for

DAEMON = """
import os, time
def daemonise(note, eats=0):
    # A double fork with a session of its own: its parent is gone, and its group and session are its own.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            kept = b"x" * eats
            open(note, "w").write(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    os.wait()
    while not os.path.exists(note) or not open(note).read():
        time.sleep(0.005)
"""
APP = "async def app(scope, receive, send):\n    ...\n"


def module_that_daemonises(directory: Path, note: Path, *, eats: int = 0) -> Path:
    app = f"{DAEMON}\nif 'PLACET_MODULE_DATABASE' in os.environ:\n    daemonise({str(note)!r}, {eats})\n{APP}"
    return write_module(directory / "module", app)


def is_there(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]) != b"Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("grace", [0, 1])
def test_a_stopped_worker_takes_its_daemons_along(tmp_path: Path, grace: float) -> None:
    note = tmp_path / "note"
    worker = start_worker(spec_for(module_that_daemonises(tmp_path, note), tmp_path))
    daemon = int(note.read_text())
    assert is_there(daemon)
    assert os.getsid(daemon) not in {os.getsid(worker.pid), os.getsid(worker.guardian)}
    worker.stop(grace)
    assert not is_there(daemon)
    assert not is_there(worker.pid)


def test_the_memory_of_daemons_counts(tmp_path: Path) -> None:
    note, watch = tmp_path / "note", WorkerWatch()
    limits = Limits(memory=256 * 1024 * 1024)
    spec = spec_for(module_that_daemonises(tmp_path, note, eats=300 * 1024 * 1024), tmp_path)
    with running(spec, limits=limits, watch=watch) as worker:
        watch.look()
        assert "of the 256 MiB of memory" in str(worker.ended_because)
        assert worker.wait(10) is not None
        assert not is_there(int(note.read_text()))


def test_daemons_of_a_worker_that_ended_by_itself_end_with_it(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with running(spec_for(module_that_daemonises(tmp_path, note), tmp_path)) as worker:
        os.kill(worker.pid, signal.SIGSEGV)
        assert worker.wait(10) == -signal.SIGSEGV
        assert not is_there(int(note.read_text()))


def test_a_guardian_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    note, watch = tmp_path / "note", WorkerWatch()
    worker = start_worker(spec_for(module_that_daemonises(tmp_path, note), tmp_path), watch=watch)
    watch.look()
    os.kill(worker.guardian, signal.SIGKILL)
    assert worker.wait(10) == -signal.SIGKILL
    worker.stop(0)
    assert until(lambda: not is_there(int(note.read_text())) and not is_there(worker.pid))


def test_daemons_go_when_the_server_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    module = module_that_daemonises(tmp_path, note)
    script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
from platform_support.workers import spec_for
from placet.platform.workers import start_worker
worker = start_worker(spec_for(Path({str(module)!r}), Path({str(tmp_path)!r})))
print(worker.guardian, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        guardian = int(server.stdout.readline())
        server.kill()
    assert until(lambda: not is_there(int(note.read_text())) and not is_there(guardian))


def test_what_a_bounded_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = f"{DAEMON}\ndaemonise({str(note)!r})"
    done = run_bounded(
        [sys.executable, "-c", code],
        directory=tmp_path,
        environment=bare_environment(tmp_path),
        timeout_seconds=20,
        max_result_bytes=0,
    )
    assert (done.returncode, done.timed_out) == (0, False), done.output
    assert not is_there(int(note.read_text()))
