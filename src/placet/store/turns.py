"""Turns at writing, for a database that takes one writer at a time.

SQLite's own busy time-out does not queue: of several processes writing in tight loops, some wait for ever. Here writers
queue, threads among themselves in the order they came, and processes at a file lock beside the database. The file is
never written to; the kernel gives the lock back when a process ends, however it ends.
"""

import fcntl
import os
import threading
from collections import deque
from pathlib import Path
from time import monotonic

from placet.store.failures import NestedTransaction

BURST_SECONDS = 0.005
"""For how long a process may go on without queueing again: handing over costs more than a transaction."""


class Turns:
    """The turns of one process at one database; a context manager around each writing transaction."""

    def __init__(self, lock_file: Path) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._holder: int | None = None
        self._burst_ends_at = 0.0
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._queue = os.open(lock_file.with_name(lock_file.name + "-queue"), flags, 0o600)
        self._turn = os.open(lock_file.with_name(lock_file.name + "-turn"), flags, 0o600)
        self._files: tuple[int, ...] = (self._queue, self._turn)

    def close(self) -> None:
        """Give up the files."""
        for descriptor in self._files:
            os.close(descriptor)
        self._files = ()

    def __enter__(self) -> None:
        self._wait_for_threads()
        try:
            self._wait_for_processes()
        except BaseException:
            self._pass_on()
            raise

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)
        self._pass_on()

    def _wait_for_processes(self) -> None:
        """Take the turn: through the queue, or, in the same burst, at once.

        Whoever is first in the queue waits for the turn, the others wait for the queue. So a process that has had its
        burst and asks again comes after those who were waiting.
        """
        now = monotonic()
        if now < self._burst_ends_at:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            return
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        self._burst_ends_at = monotonic() + BURST_SECONDS

    def _wait_for_threads(self) -> None:
        me = threading.get_ident()
        with self._mutex:
            if self._holder is None:
                self._holder = me
                return
            if self._holder == me:
                raise NestedTransaction
            place = threading.Lock()
            place.acquire()
            self._waiting.append(place)
        place.acquire()  # released by whoever was before
        self._holder = me

    def _pass_on(self) -> None:
        with self._mutex:
            if self._waiting:
                self._holder = 0  # somebody's: the next one writes its own name as it wakes
                self._waiting.popleft().release()
            else:
                self._holder = None
