"""Group commit in process: concurrent callers share one durable transaction.

Whoever comes while nobody is writing leads: it takes along everything that waits, does all of it in one transaction,
and makes it durable once. Who comes meanwhile waits and goes along with the next. The leader hands over to one of
those after its batch, so that nobody works for others for longer than one transaction.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from placet.store.database import Database

MOST = 256
"""The pieces of work that one transaction takes."""

T = TypeVar("T")
Work = Callable[[Connection], T]


class _Entry(Generic[T]):
    """One caller's piece of work, and what came of it."""

    __slots__ = ("answer", "done", "error", "wakes", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.answer: T
        self.error: BaseException | None = None
        self.done = False
        self.wakes = threading.Lock()
        self.wakes.acquire()


class Batches:
    """The group commit of one process at one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mutex = threading.Lock()
        self._waiting: list[_Entry[Any]] = []
        self._is_led = False

    def run(self, work: Work[T]) -> T:
        """Do ``work`` in a transaction that it may share; answers once that is durable.

        Where a piece of work raises, the transaction is taken back and each piece done again on its own, so that
        nobody is told of another's failure: ``work`` may run twice.
        """
        entry = _Entry(work)
        with self._mutex:
            self._waiting.append(entry)
            leads, self._is_led = not self._is_led, True
        if not leads:
            entry.wakes.acquire()
        if not entry.done:
            self._lead()
        if entry.error is not None:
            raise entry.error
        return entry.answer

    def _lead(self) -> None:
        """Do one batch, the caller's own work among it, and hand over."""
        with self._mutex:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            if not self._together(batch):
                for entry in batch:
                    self._alone(entry)
        except BaseException as error:  # the process is to end: nobody may wait for what will not come
            for entry in batch:
                entry.error = entry.error or error
            raise
        finally:
            for entry in batch:
                entry.done = True
                entry.wakes.release()
            with self._mutex:
                if self._waiting:
                    self._waiting[0].wakes.release()  # it leads: it wakes up without being done
                else:
                    self._is_led = False

    def _together(self, batch: list[_Entry[Any]]) -> bool:
        """Do all of a batch in one transaction; answers whether that went well."""
        if len(batch) == 1:
            return False
        try:
            with self._database.write() as connection:
                for entry in batch:
                    entry.answer = entry.work(connection)
        except Exception:  # noqa: BLE001 (whatever it is, whoever caused it gets it on its own)
            return False
        return True

    def _alone(self, entry: _Entry[Any]) -> None:
        try:
            with self._database.write() as connection:
                entry.answer = entry.work(connection)
        except Exception as error:  # noqa: BLE001 (it is raised where the work came from)
            entry.error = error
