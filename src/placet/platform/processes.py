"""Child processes for work the server must not do itself: bounded in time, output and environment.

A child is held by a guardian, so that what it started ends with it, whatever that is, and gets nothing of the server's
environment but what a program needs to find its interpreter, language and time zone.
"""

import contextlib
import errno
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import msgspec

from placet.platform import guardian

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import IO

_LAST_SECONDS = 15.0  # more than a guardian takes at most
PASSED_ON = ("PATH", "LANG", "TZ")
_OUTPUT_KEPT = 64 * 1024
_CHUNK = 64 * 1024
# How often a finished child is noticed whose pipes are still held open by something it started.
_HEARTBEAT_SECONDS = 0.1


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended.

    `returncode` is negative for a signal, `output` the last 64 KiB of standard output and error together, `result`
    what it wrote to the descriptor given as its last argument.
    """

    returncode: int
    output: str
    result: bytes
    timed_out: bool
    overflowed: bool


def bare_environment(home: "Path", extra: "Mapping[str, str] | None" = None) -> dict[str, str]:
    """Return an environment without the server's secrets: PATH, LANG, LC_*, TZ, and a home of its own."""
    passed = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("LC_")}
    return passed | {"HOME": str(home), "TMPDIR": str(home)} | dict(extra or {})


def passed_on(names: "re.Pattern[str]") -> dict[str, str]:
    """Return the variables of the server's environment whose whole name matches."""
    return {name: value for name, value in os.environ.items() if names.fullmatch(name)}


def run_bounded(
    arguments: "Sequence[str]",
    *,
    directory: "Path",
    environment: "Mapping[str, str]",
    timeout_seconds: float,
    given: bytes = b"",
    max_result_bytes: int = 1024 * 1024,
) -> Finished:
    """Run a program and kill all it has started at the end, at the latest after `timeout_seconds`.

    It reads `given` from standard input. The number of the descriptor for its result is added as the last argument,
    so that what it prints cannot be taken for a result; with `max_result_bytes` 0 there is no result and no argument.
    """
    result_read, result_write = os.pipe()
    passed = (result_write,) if max_result_bytes else ()
    try:
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            guarded = start_guarded(
                [*arguments, *map(str, passed)],
                directory=directory,
                environment=environment,
                source=source,
                passed=passed,
            )
    except BaseException:
        os.close(result_read)
        raise
    finally:
        os.close(result_write)
    return _collect(guarded, result_read, time.monotonic() + timeout_seconds, max_result_bytes)


class Guarded:
    """A program and its guardian, which has started it in a session of its own.

    ``process`` is the guardian's: its pipes and its end are the program's.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", lifeline: socket.socket) -> None:
        self.process = process
        self._lifeline = lifeline

    def told_pid(self) -> int:
        """Answer the process id of the program, and the guardian's own where it has ended without telling."""
        with contextlib.suppress(OSError):
            told = self._lifeline.recv(32)
            if told:
                return int(told)
        return self.process.pid

    def end(self) -> None:
        """Have everything killed that the program has started, and itself; returns when all of it is gone."""
        self._lifeline.close()
        try:
            self.process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:  # somebody has stopped the guardian, or what it kills does not die
            self.process.kill()
            self.process.wait()


def start_guarded(
    arguments: "Sequence[str]",
    *,
    directory: "Path",
    environment: "Mapping[str, str]",
    source: "IO[bytes]",
    passed: "tuple[int, ...]",
    home: "Path | None" = None,
) -> Guarded:
    """Start a program under a guardian that ends with it or with this process, and all it has started with both.

    It reads ``source``; what it prints, errors included, is in a pipe. The guardian removes ``home`` when this process
    is gone. Raises ``FileNotFoundError`` for a program that is not there.
    """
    if shutil.which(arguments[0]) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])
    lifeline, held = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, str(held.fileno()), str(home or ""), *arguments],
            cwd=directory,
            env=dict(environment),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(*passed, held.fileno()),
            start_new_session=True,
        )
    except BaseException:
        lifeline.close()
        raise
    finally:
        held.close()
    return Guarded(process, lifeline)


def _collect(guarded: Guarded, result_read: int, deadline: float, max_result: int) -> Finished:
    output, result, process = bytearray(), bytearray(), guarded.process
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    try:
        sinks = {process.stdout.fileno(): _keep_last(output), result_read: result.extend}
        in_time = _pump(process, sinks, lambda: time.monotonic() < deadline and len(result) <= max_result)
        if in_time:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        timed_out = process.poll() is None and len(result) <= max_result
    finally:
        guarded.end()
        process.stdout.close()
        os.close(result_read)
    overflowed = len(result) > max_result
    return Finished(
        returncode=process.returncode,
        output=bytes(output).decode(errors="replace"),
        result=b"" if overflowed else bytes(result),
        timed_out=timed_out,
        overflowed=overflowed,
    )


def _pump(
    process: "subprocess.Popen[bytes]", sinks: "Mapping[int, Callable[[bytes], object]]", goes_on: "Callable[[], bool]"
) -> bool:
    """Read until every pipe is closed, or the child is gone and silent (True), or `goes_on` says no (False)."""
    with selectors.DefaultSelector() as selector:
        for descriptor in sinks:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            if not goes_on():
                return False
            ready = selector.select(_HEARTBEAT_SECONDS)
            if not ready and process.poll() is not None:
                ready = selector.select(0)  # what it wrote between the two looks, before it ended
                if not ready:
                    return True
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                sinks[key.fd](chunk)
                if not chunk:
                    selector.unregister(key.fd)
    return True


def _keep_last(kept: bytearray) -> "Callable[[bytes], None]":
    def keep(chunk: bytes) -> None:
        kept.extend(chunk)
        del kept[:-_OUTPUT_KEPT]

    return keep
