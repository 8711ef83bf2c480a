"""Child processes for work the server must not do itself: bounded in time, output and environment.

A child gets a process group of its own, so that what it started ends with it, and nothing of the server's
environment but what a program needs to find its interpreter, language and time zone.
"""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

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
    """Run a program and kill its whole group at the end, at the latest after `timeout_seconds`.

    It reads `given` from standard input. The number of the descriptor for its result is added as the last argument,
    so that what it prints cannot be taken for a result; with `max_result_bytes` 0 there is no result and no argument.
    """
    result_read, result_write = os.pipe()
    passed = (result_write,) if max_result_bytes else ()
    try:
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            process = subprocess.Popen(
                [*_with_parent(arguments[0]), *arguments, *map(str, passed)],
                cwd=directory,
                env=dict(environment),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=passed,
                start_new_session=True,
            )
    except BaseException:
        os.close(result_read)
        raise
    finally:
        os.close(result_write)
    return _collect(process, result_read, time.monotonic() + timeout_seconds, max_result_bytes)


def _with_parent(program: str) -> tuple[str, ...]:
    """Have the kernel kill what is started when the server is gone, by `kill -9` too (PR_SET_PDEATHSIG, prctl(2)).

    setpriv is of util-linux, which every Debian has. A program that is not there is left to `Popen`, which says so.
    """
    setpriv = shutil.which("setpriv") if shutil.which(program) else None
    return () if setpriv is None else (setpriv, "--pdeathsig", "KILL", "--")


def end_group(leader: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal every process of the group that `leader` began; a group that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _collect(process: "subprocess.Popen[bytes]", result_read: int, deadline: float, max_result: int) -> Finished:
    output, result = bytearray(), bytearray()
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    try:
        sinks = {process.stdout.fileno(): _keep_last(output), result_read: result.extend}
        in_time = _pump(process, sinks, lambda: time.monotonic() < deadline and len(result) <= max_result)
        if in_time:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        timed_out = process.poll() is None and len(result) <= max_result
    finally:
        end_group(process.pid)
        process.stdout.close()
        os.close(result_read)
        process.wait()
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
