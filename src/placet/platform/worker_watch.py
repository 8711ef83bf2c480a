"""Looks after what workers use, and ends those that pass their limits.

Each look reads `/proc` once for all workers. A worker's processes are those below its guardian, whatever group or
session they are in. Their resident pages are added up; only where that sum is too much are they counted exactly, each
shared page by its share, so that a module that forks is not charged twice for what its processes share (proc(5):
`smaps_rollup`, `Pss`).
"""

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from placet.platform.limits import Limits, size_text

LOOK_SECONDS = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker uses: bytes of memory, processes, and open files of its first process."""

    memory: int
    processes: int
    open_files: int


class Watched(Protocol):
    """A worker, as the watch sees it."""

    pid: int
    guardian: int
    limits: Limits
    usage: Usage | None
    members: "tuple[Member, ...]"

    def is_alive(self) -> bool:
        """Whether its first process runs."""

    def end(self, reason: str) -> None:
        """End it by force, with all its processes."""


class WorkerWatch:
    """The watch over the workers of one server. `look` is meant for twice a second."""

    def __init__(self) -> None:
        self._workers: set[Watched] = set()
        self._lock = threading.Lock()

    def add(self, worker: Watched) -> None:
        """Watch a worker until it has ended."""
        with self._lock:
            self._workers.add(worker)

    def look(self) -> None:
        """Note what each worker uses, and end those that use too much."""
        with self._lock:
            self._workers = {worker for worker in self._workers if worker.is_alive()}
            workers = list(self._workers)
        trees = _trees({worker.guardian for worker in workers}) if workers else {}
        for worker in workers:
            members = trees.get(worker.guardian, [])
            if members and worker.is_alive():
                worker.members = tuple(members)
                worker.usage = _used(worker.pid, members)
                reason = _passed(worker.usage, worker.limits, members)
                if reason is not None:
                    worker.end(reason)


class Member(msgspec.Struct, frozen=True):
    """A process, known by its number and when it was started; ``resident`` is in bytes."""

    pid: int
    started: int
    resident: int


def end_members(members: Iterable[Member]) -> None:
    """Kill those of the processes that are still there, for where their guardian is not."""
    for member in members:
        with suppress(OSError):
            now = _fields(Path(f"/proc/{member.pid}"))
            if int(now[19]) == member.started:
                os.kill(member.pid, signal.SIGKILL)


def _trees(guardians: set[int]) -> dict[int, list[Member]]:
    members: dict[int, Member] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            fields = _fields(process)
            pid = int(process.name)
            children[int(fields[1])].append(pid)
            if fields[0] != b"Z":
                members[pid] = Member(pid, int(fields[19]), int(fields[21]) * _PAGE)
    found: dict[int, list[Member]] = {}
    for guardian in guardians:
        below, waiting = [], [guardian]
        while waiting:
            next_ = children.get(waiting.pop(), [])
            below += next_
            waiting += next_
        found[guardian] = [members[pid] for pid in below if pid in members]
    return found


def _fields(process: Path) -> list[bytes]:
    """Return what is known of a process, after its name in parentheses, which may hold anything.

    State, parent, group, session, …, at 19 when it was started, at 21 its resident pages (proc(5)).
    """
    return (process / "stat").read_bytes().rpartition(b")")[2].split()


def _used(leader: int, members: list[Member]) -> Usage:
    files = 0
    with suppress(OSError):
        files = sum(1 for _ in Path(f"/proc/{leader}/fd").iterdir())
    memory = sum(member.resident for member in members)
    return Usage(memory=memory, processes=len(members), open_files=files)


def _passed(usage: Usage, limits: Limits, members: list[Member]) -> str | None:
    if usage.memory > limits.memory:
        memory = sum(map(_proportional, members))
        if memory > limits.memory:
            return f"used {size_text(memory)} of the {size_text(limits.memory)} of memory it may use"
    if usage.processes > limits.processes:
        return f"had {usage.processes:,} processes of the {limits.processes:,} it may have"
    if usage.open_files >= limits.open_files:
        return f"had {usage.open_files:,} of the {limits.open_files:,} open files it may have"
    return None


def _proportional(member: Member) -> int:
    try:
        for line in Path(f"/proc/{member.pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except FileNotFoundError:
        return member.resident if Path(f"/proc/{member.pid}").exists() else 0
    except OSError:
        return 0  # it has just ended
    return member.resident
