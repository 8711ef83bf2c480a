"""Group commit in process: concurrent callers share one durable transaction.

Whoever comes while nobody is at it leads: it takes along everything that waits, has all of it done in one transaction,
and makes it durable once. Who comes meanwhile waits and goes along with the next. The leader hands over to one of
those after its batch, so that nobody works for others for longer than one transaction. Those who were answered together
mostly come again together, a moment later: the next leader gives them that moment.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection

from placet.store.database import Database
from placet.store.failures import DatabaseFailed

GATHER_SECONDS = 0.0003
"""For how long those of the last batch are waited for, where fewer have come: about as long as a transaction takes."""
MOST = 256
"""The requests that one transaction takes."""

R = TypeVar("R")
A = TypeVar("A")


class _Entry(Generic[R, A]):
    """One caller's request, and what came of it."""

    __slots__ = ("answer", "done", "error", "leads", "request", "wakes")

    def __init__(self, request: R) -> None:
        self.request = request
        self.answer: A
        self.error: BaseException | None = None
        self.done = self.leads = False
        self.wakes = threading.Lock()
        self.wakes.acquire()


class Batches(Generic[R, A]):
    """The group commit of one process for one kind of request.

    ``do`` does a batch in the caller's transaction and answers for each request, in their order. Where it raises, the
    transaction is taken back and each request done again on its own, so that nobody is told of another's failure. Where
    the database is what fails, everybody is told so at once: each would wait for it in vain, one after the other.
    """

    def __init__(self, database: Database, do: Callable[[Connection, Sequence[R]], Sequence[A]]) -> None:
        self._database = database
        self._do = do
        self._mutex = threading.Lock()
        self._waiting: list[_Entry[R, A]] = []
        self._is_led = False
        self._expected = 1
        self._gathers = False
        self._gathered = threading.Lock()
        self._gathered.acquire()

    def run(self, request: R) -> A:
        """Have ``request`` done in a transaction that it may share; answers once that is durable."""
        self._database.check_not_writing()
        entry: _Entry[R, A] = _Entry(request)
        with self._mutex:
            self._waiting.append(entry)
            leads, self._is_led = not self._is_led, True
            if self._gathers and len(self._waiting) >= self._expected:
                self._gathers = False
                self._gathered.release()
        if not leads:
            try:
                entry.wakes.acquire()
            except BaseException:  # the process is to end: the others do not
                self._withdraw(entry)
                raise
        if not entry.done:
            self._lead()
        if entry.error is not None:
            raise entry.error
        return entry.answer

    def run_each(self, requests: Sequence[R]) -> list[A | BaseException]:
        """Have ``requests`` done in one transaction of their own; answers for each, in their order, or its error."""
        batch: list[_Entry[R, A]] = [_Entry(request) for request in requests]
        self._do_batch(batch)
        return [entry.answer if entry.error is None else entry.error for entry in batch]

    def _lead(self) -> None:
        """Do one batch, the caller's own request among it, and hand over."""
        batch: Sequence[_Entry[R, A]] = ()
        try:
            self._gather()
            batch = self._take()
            self._do_batch(batch)
        except BaseException as error:  # the process is to end: nobody may wait for what will not come
            batch = batch or self._take()
            for entry in batch:
                entry.error = entry.error or error
            raise
        finally:
            for entry in batch:
                entry.done = True
                entry.wakes.release()
            with self._mutex:
                self._hand_over()

    def _hand_over(self) -> None:
        """Have the next one lead, if there is one. The mutex is held."""
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].wakes.release()  # it wakes up without being done
        else:
            self._is_led = False

    def _withdraw(self, entry: _Entry[R, A]) -> None:
        """Take back a request that nobody waits for any more, if no transaction has it yet."""
        with self._mutex:
            if entry in self._waiting:
                self._waiting.remove(entry)
                if entry.leads:
                    self._hand_over()

    def _take(self) -> Sequence[_Entry[R, A]]:
        """Take those who wait, the leader among them."""
        with self._mutex:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._expected = len(batch)
        return batch

    def _gather(self) -> None:
        """Give those of the last batch the time to come again: without it, every other batch would be of a few."""
        with self._mutex:
            if len(self._waiting) >= self._expected:
                return
            self._gathers = True
        self._gathered.acquire(timeout=GATHER_SECONDS)
        with self._mutex:
            if not self._gathers:
                self._gathered.acquire(blocking=False)
            self._gathers = False

    def _do_batch(self, batch: Sequence[_Entry[R, A]]) -> None:
        """Do a batch in one transaction; where it fails by what may be one member's fault, each in its own."""
        error = self._together(batch)
        if error is None:
            return
        if len(batch) == 1 or isinstance(error, DatabaseFailed):
            _tell(batch, error)
            return
        for place, entry in enumerate(batch):
            entry.error = self._together([entry])
            if entry.error is not None and isinstance(entry.error, DatabaseFailed):
                _tell(batch[place:], entry.error)
                return

    def _together(self, batch: Sequence[_Entry[R, A]]) -> Exception | None:
        """Do all of a batch in one transaction; answers the error, if it did not go well."""
        try:
            with self._database.write() as connection:
                answers = self._do(connection, [entry.request for entry in batch])
        except Exception as error:  # noqa: BLE001 (it is raised where the requests came from)
            return error
        for entry, answer in zip(batch, answers, strict=True):
            entry.answer = answer
        return None


def _tell(batch: Sequence[_Entry[R, A]], error: BaseException) -> None:
    for entry in batch:
        entry.error = error
