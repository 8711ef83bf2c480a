"""Starts a module version in a process of its own, serving on a Unix socket in a private directory."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from placet.platform import logs, worker_child
from placet.platform.failures import Failure
from placet.platform.limits import DEFAULT_LIMITS, AskedLimits, Limits
from placet.platform.manifest import Timer
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Guarded, bare_environment, start_guarded
from placet.platform.timer_channel import TimerChannel
from placet.platform.timers import Schedule
from placet.platform.websocket_proxy import MAX_MESSAGE_BYTES
from placet.platform.worker_child import Readiness, WorkerOrders
from placet.platform.worker_watch import Member, Usage, WorkerWatch, end_members

READY_TIMEOUT_SECONDS = 30.0
# AF_UNIX holds 108 bytes with the final zero; the name of the socket and some room come on top of the directory.
_MAX_SOCKET_DIRECTORY = 80
_MAX_REPORT = 1024 * 1024


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `directory` is the unpacked module, `site` its installed requirements, `root_path` the prefix.

    `name` and `version` are what `ps` shows. `database` is a SQLite file, which need not exist, or a URL. With `debug`
    a debug adapter listens on loopback; with `wait` the module is imported when an editor has attached.
    `grace_seconds` is what requests under way get when the worker is stopped.
    `asked_limits` may lower what the server allows.
    """

    name: str
    version: str
    directory: Path
    entrypoint: str
    database: Path | str
    root_path: str
    log_path: Path
    site: Path | None = None
    debug: bool = False
    wait: bool = False
    timers: tuple[Timer, ...] = ()
    grace_seconds: float = 5.0
    asked_limits: AskedLimits = AskedLimits()


class DebugAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where an editor attaches: a server of the Debug Adapter Protocol."""

    host: str
    port: int


class Worker:
    """A running process. Its `socket_path` accepts from the moment `start_worker` returned it."""

    def __init__(
        self,
        spec: WorkerSpec,
        guarded: Guarded,
        home: Path,
        *,
        limits: Limits,
        timers: TimerChannel,
    ) -> None:
        assert guarded.process.stdout is not None  # noqa: S101 - it is always a pipe
        self.spec = spec
        self.limits = limits
        self.usage: Usage | None = None
        self.ended_because: str | None = None
        self.pid = guarded.told_pid()
        self.guardian = guarded.process.pid
        self.members: tuple[Member, ...] = ()
        self.socket_path = home / "http.sock"
        self.debugger: DebugAddress | None = None
        self.is_waiting = False
        self.problem: ModuleProblem | None = None
        self._guarded = guarded
        self._process = guarded.process
        self._home = home
        self._timers = timers
        self._stopping = threading.Lock()
        self._stopped = False
        self._pump = logs.LogPump(guarded.process.stdout, spec.log_path)  # type: ignore[arg-type]
        self._pump.start()

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Wait for the process to end and return its status, negative for a signal; None when it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_seconds)
        return None

    def end(self, reason: str) -> None:
        """End the process and all it started by force, because it `reason` ("used 2 GiB of the 1 GiB …")."""
        with self._stopping:
            if self._stopped or self.ended_because is not None:
                return
            self.ended_because = f"It {reason}, and was ended."
            self._process.send_signal(signal.SIGHUP)
            logs.note(self.spec.log_path, self.ended_because)

    def stop(self, grace_seconds: float | None = None) -> None:
        """End the process and all it started: politely, and after the grace by force. Safe to call twice."""
        grace = self.spec.grace_seconds if grace_seconds is None else grace_seconds
        with self._stopping:
            if self._stopped:
                return
            ran = self.is_alive()
            if ran and grace > 0:
                self._process.send_signal(signal.SIGTERM)
                self.wait(grace)
            self._guarded.end()
            if self._process.returncode == -signal.SIGKILL:  # it may be the guardian that was killed
                end_members(self.members)
            self._timers.close()
            self._pump.join(timeout=1)
            shutil.rmtree(self._home, ignore_errors=True)
            self._stopped = True
            if ran and self.ended_because is None:
                logs.note(self.spec.log_path, f"Version {self.spec.version} was stopped.")

    @property
    def printed(self) -> str:
        """The last 8 KiB that the process has printed."""
        return self._pump.recent

    def run_timer(self, timer: str, run: str) -> None:
        """Have the module run a timer now; `run` is the name by which its end is told."""
        self._timers.order(timer, run)

    def timer_ended(self, run: str) -> bool:
        """Tell, once, whether a run of a timer has ended."""
        return self._timers.has_ended(run)

    def tail(self, lines: int = 100) -> str:
        """Return the last lines of the log, those of earlier workers of the same log included."""
        return logs.tail(self.spec.log_path, lines)

    def become_ready(self, report: int, timeout_seconds: float) -> None:
        """Wait for the process to report on the descriptor `report` and raise `ModuleProblem` unless it is ready.

        One that waits for an editor is let be: what it reports afterwards is noted in `problem`.
        """
        told = _read_report(report, time.monotonic() + timeout_seconds)
        try:
            readiness = msgspec.json.decode(told or b"", type=Readiness)
        except msgspec.DecodeError:
            raise self._no_report(timed_out=told is None, timeout_seconds=timeout_seconds) from None
        if readiness.failure is not None:
            raise self._failed(readiness.failure)
        if readiness.debugger is not None:
            host, port = readiness.debugger
            self.debugger = DebugAddress(host=host, port=port)
        if readiness.waiting:
            self.is_waiting = True
            report = os.dup(report)
            threading.Thread(target=self._become_ready_later, args=(report,), name="report", daemon=True).start()

    def _become_ready_later(self, report: int) -> None:
        """Note how the module started, once the editor let it. It has all the time that the editor takes."""
        with os.fdopen(report, "rb") as file:
            told = file.readline(_MAX_REPORT)
        with contextlib.suppress(msgspec.DecodeError):  # it ended: that it is not alive any more says so
            readiness = msgspec.json.decode(told, type=Readiness)
            if readiness.failure is not None:
                self.problem = self._failed(readiness.failure)
        self.is_waiting = False

    def _failed(self, failure: Failure) -> ModuleProblem:
        self._pump.join(timeout=1)
        return failure.as_problem(self.spec.entrypoint, step="start", output=self._pump.recent)

    def _no_report(self, *, timed_out: bool, timeout_seconds: float) -> ModuleProblem:
        if timed_out:
            happened = f"{self.spec.entrypoint} was not ready after {timeout_seconds:g} seconds and was stopped."
            advice = "Let the application start first and do lasting work afterwards."
        else:
            status = self.wait(1)
            if self.ended_because is not None:
                return self._start_failed(f"{self.ended_because} It was still starting.")
            ended = "no status" if status is None else f"signal {-status}" if status < 0 else f"status {status}"
            happened = f"{self.spec.entrypoint} ended its process with {ended} while it started."
            advice = "The last lines of its output say more."
        return self._start_failed(f"{happened} {advice}")

    def _start_failed(self, detail: str) -> ModuleProblem:
        self.stop(0)
        return ModuleProblem(ProblemCode.START_FAILED, detail, step="start", output=self._pump.recent or None)


def start_worker(
    spec: WorkerSpec,
    *,
    limits: Limits = DEFAULT_LIMITS,
    watch: WorkerWatch | None = None,
    python: str = sys.executable,
    ready_timeout_seconds: float = READY_TIMEOUT_SECONDS,
) -> Worker:
    """Start a module version and return once its application has started and its socket accepts.

    The process gets nothing of the server's environment but PATH, LANG, LC_*, TZ; it finds its name and database in
    `PLACET_MODULE` and `PLACET_MODULE_DATABASE`. It may use as much as `limits` say, lowered by what the module asks
    for; `watch` holds it to that. It ends when the server ends, however that happens. Raises
    `ModuleProblem` (import_failed, entrypoint_missing, start_failed) and leaves no process and no file then.
    """
    limits = limits.lowered(spec.asked_limits)
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    home = _private_directory()
    report_read, report_write = os.pipe()
    timers, timers_in_child = socket.socketpair()
    try:
        guarded = _spawn(spec, home, limits, python, (report_write, timers_in_child.fileno()))
    except BaseException:
        timers.close()
        os.close(report_read)
        shutil.rmtree(home, ignore_errors=True)
        raise
    finally:
        os.close(report_write)
        timers_in_child.close()
    worker = Worker(spec, guarded, home, limits=limits, timers=TimerChannel(timers))
    if watch is not None:
        watch.add(worker)
    try:
        worker.become_ready(report_read, ready_timeout_seconds)
    except BaseException:
        worker.stop(0)
        raise
    finally:
        os.close(report_read)
    logs.note(spec.log_path, f"Version {spec.version} was started as process {worker.pid}.")
    return worker


def _spawn(spec: WorkerSpec, home: Path, limits: Limits, python: str, descriptors: tuple[int, int]) -> Guarded:
    address = spec.database if isinstance(spec.database, str) else str(spec.database.absolute())
    module = {"PLACET_MODULE": spec.name, "PLACET_MODULE_DATABASE": address}
    title = f"{spec.name} {spec.version}"  # for whoever looks at the list of processes; the child does not read it
    for_debugger = ("-X", "frozen_modules=off") if spec.debug else ()
    with tempfile.TemporaryFile() as orders:
        orders.write(msgspec.json.encode(_orders(spec, home / "http.sock", limits)))
        orders.seek(0)
        return start_guarded(
            [python, "-I", "-u", *for_debugger, str(Path(worker_child.__file__)), title, *map(str, descriptors)],
            directory=spec.directory,
            environment=bare_environment(home, module),
            source=orders,
            passed=descriptors,
            home=home,
        )


def _orders(spec: WorkerSpec, socket_path: Path, limits: Limits) -> WorkerOrders:
    return WorkerOrders(
        entrypoint=spec.entrypoint,
        directory=str(spec.directory.resolve()),
        site=None if spec.site is None else str(spec.site.resolve()),
        socket_path=str(socket_path),
        root_path=spec.root_path.rstrip("/"),
        debug=spec.debug,
        wait=spec.wait,
        grace_seconds=spec.grace_seconds,
        open_files=limits.open_files,
        address_space=limits.address_space,
        max_message_bytes=MAX_MESSAGE_BYTES,
        timers=tuple(Schedule(name=timer.name, call=timer.call) for timer in spec.timers),
    )


def _private_directory() -> Path:
    path = tempfile.mkdtemp(prefix="placet-")
    if len(os.fsencode(path)) > _MAX_SOCKET_DIRECTORY:
        Path(path).rmdir()
        path = tempfile.mkdtemp(prefix="placet-", dir="/tmp")
    return Path(path)


def _read_report(descriptor: int, deadline: float) -> bytes | None:
    """Read a report, which is one line; None when the deadline passes first."""
    told = bytearray()
    while len(told) <= _MAX_REPORT and not told.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(descriptor, 64 * 1024)
        if not chunk:
            break
        told += chunk
    return bytes(told)
