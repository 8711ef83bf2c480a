"""Concurrent use: seats leased for a time, renewed, given back; a fair queue for those who come when all are taken.

Whoever asks for seats takes away first what has expired: what a crashed holder had is free the moment its lease ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Decision, ProductError, Refused
from placet.enforcement.seating import Claim
from placet.guard.counting import check_holder
from placet.guard.judge import SYSTEM
from placet.guard.leasing import Answer, Wish
from placet.guard.reserving import Reserving
from placet.store import audit, denials, dialects, seats, usage
from placet.store.batches import Batches
from placet.store.seats import Lease

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=24)
"""What a lease may be taken or renewed for; borrowing is for longer."""

LARGEST_PRIORITY = 1000
LONGEST_ID = 36
_POLL_SECONDS = 0.2


class UnknownLease(LookupError):
    """There is no lease of that id: it was given back, or it has expired and its seat is free for others."""


class Queued(Refused):
    """No seat is free; the caller has ``place`` in the queue (1 is next), and keeps it by asking again in time."""

    def __init__(self, decision: Decision, place: int) -> None:
        super().__init__(decision)
        self.place = place


class Seating(Reserving):
    """The part of a guard that leases seats."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._returns: Batches[tuple[str, str], bool] = Batches(self.database, self._release_all)

    def lease(
        self,
        feature: str,
        holder: str,
        ttl: timedelta,
        *,
        group: str | None = None,
        amount: int = 1,
        priority: int = 0,
        wait: timedelta | None = None,
        queue: bool = False,
        actor: str = SYSTEM,
    ) -> Lease:
        """Let ``holder`` have ``amount`` seats for ``ttl`` (1 s to 24 h); where it has some already, renew them.

        ``group`` is one whose reservations it may draw on: the caller vouches for it. With ``wait`` a caller who finds
        no free seat waits for one that long; with ``queue`` it gets a place in the queue, which it keeps by asking
        again within :data:`PLACE_KEPT`. Raises :class:`Refused`, or :class:`Queued` with the place.
        """
        _check_period(ttl)
        claim = self._claim(feature, holder, group, amount)
        if not -LARGEST_PRIORITY <= priority <= LARGEST_PRIORITY:
            raise ProductError(f"A priority is a number from -{LARGEST_PRIORITY:,} to {LARGEST_PRIORITY:,}.")
        queues = queue or wait is not None
        wish = Wish(feature=feature, claim=claim, period=ttl, actor=actor, priority=priority, queues=queues)
        answer = self._ask(wish)
        if answer.lease is None and answer.place is not None and wait is not None:
            answer = self._wait(wish, wait, leaves=not queue)
        return self._given(wish, answer)

    def borrow(
        self,
        feature: str,
        holder: str,
        period: timedelta,
        *,
        group: str | None = None,
        amount: int = 1,
        actor: str = SYSTEM,
    ) -> tuple[Lease, bytes]:
        """Let ``holder`` have seats for ``period`` without the server.

        Answers the lease, and the document that proves it wherever the server's public key is known. It ends with the
        license at the latest. Raises :class:`Refused`.
        """
        if period < SHORTEST:
            raise ProductError("A seat is borrowed for a second at least.")
        claim = self._claim(feature, holder, group, amount)
        for text in (holder, group or "-"):
            if not text.isprintable():
                raise ProductError(f"{text!r} cannot be written in a lease document: it holds what cannot be printed.")
        wish = Wish(feature=feature, claim=claim, period=period, actor=actor, borrows=True)
        answer = self._ask(wish)
        return self._given(wish, answer), answer.document

    def renew_lease(self, lease_id: str, ttl: timedelta, *, actor: str = SYSTEM) -> Lease:
        """Let a lease last for ``ttl`` from now on; one that has expired, where there is still a seat for it.

        Raises :class:`UnknownLease`, :class:`Refused`. A borrowed lease does not become shorter.
        """
        _check_period(ttl)
        known = self.find_lease(lease_id)
        claim = Claim(known.holder, known.group, known.amount)
        wish = Wish(feature=known.feature, claim=claim, period=ttl, actor=actor, lease_id=lease_id)
        return self._given(wish, self._ask(wish))

    def release_lease(self, lease_id: str, *, actor: str = SYSTEM) -> None:
        """Give the seats of a lease back, a borrowed one's as well. Raises :class:`UnknownLease`."""
        if not _may_be_one(lease_id) or not self._returns.run((lease_id, actor)):
            raise _unknown_lease(lease_id)
        self._seats_changed()

    @contextmanager
    def seated(self, feature: str, holder: str, ttl: timedelta, **options: Any) -> Iterator[Lease]:
        """Have seats while the body runs, like :meth:`lease`; one that takes longer than ``ttl`` has to renew them."""
        found = self.lease(feature, holder, ttl, **options)
        try:
            yield found
        finally:
            with suppress(UnknownLease):  # it took longer
                self.release_lease(found.id)

    def find_lease(self, lease_id: str) -> Lease:
        """Answer a lease; raises :class:`UnknownLease`."""
        with self.database.read() as connection:
            found = seats.read_lease(connection, lease_id) if _may_be_one(lease_id) else None
        if found is None:
            raise _unknown_lease(lease_id)
        return found

    def leases(self, feature: str) -> list[Lease]:
        """Answer the leases of a feature that have not expired, the oldest first."""
        self._seats(feature)
        with self.database.read() as connection:
            return seats.living_leases(connection, feature, dialects.clock(connection))

    def queue(self, feature: str) -> list[seats.Request]:
        """Answer who waits for a feature, the next one first."""
        self._seats(feature)
        with self.database.read() as connection:
            return seats.queue_of(connection, feature, dialects.clock(connection))

    def leave_queue(self, feature: str, holder: str) -> None:
        """Let ``holder`` wait for a feature no more."""
        self._seats(feature)
        check_holder(holder)
        with self.database.write() as connection:
            seats.withdraw(connection, feature, holder)
        self._seats_changed()

    def expire_leases(self) -> int:
        """Take away the leases that have expired, so that views do not count them; answers how many seats that frees.

        Whoever asks for seats does so as well: what has expired keeps nobody from a seat.
        """
        with self.database.read() as connection:
            if not seats.with_expired(connection, dialects.clock(connection)):
                return 0
        with self.database.write() as connection:
            features = seats.with_expired(connection, dialects.clock(connection))
            usage.lock(connection, features)
            freed = sum(seats.expire(connection, feature, dialects.clock(connection)) for feature in features)
        self._seats_changed()
        return freed

    def tick(self) -> None:
        """Note the passing of time, and forget what is over."""
        self.expire_leases()
        with self.database.write() as connection:
            denials.prune(connection, self.now())
        super().tick()

    # How

    def _release_all(self, connection: Connection, asked: Sequence[tuple[str, str]]) -> list[bool]:
        """Release each lease (by its id, on behalf of an actor); answers which were there."""
        found = [seats.read_lease(connection, lease_id) for lease_id, _ in asked]
        usage.lock(connection, {lease.feature for lease in found if lease is not None})
        answers = []
        for lease, (_, actor) in zip(found, asked, strict=True):
            is_there = lease is not None and seats.remove_lease(connection, lease)
            if lease is not None and is_there and lease.borrowed:
                self._record(connection, audit.Event.LEASE_RETURNED, actor, lease.holder, feature=lease.feature)
            answers.append(is_there)
        return answers

    def _wait(self, wish: Wish, wait: timedelta, *, leaves: bool) -> Answer:
        """Ask until there is a seat or the time is over: whenever this process frees one, and now and then."""
        ends_at = monotonic() + wait.total_seconds()
        answer: Answer | None = None
        try:
            while answer is None or (answer.place is not None and monotonic() < ends_at):
                with self._freed:
                    self._freed.wait(min(_POLL_SECONDS, max(0.0, ends_at - monotonic())))
                answer = self._ask(wish)
        finally:
            if leaves and (answer is None or answer.lease is None):
                self.leave_queue(wish.feature, wish.claim.holder)
        return msgspec.structs.replace(answer, is_new=True, place=None if leaves else answer.place)

    def _given(self, wish: Wish, answer: Answer) -> Lease:
        """Answer the lease; raises the refusal, and records it unless the caller waited before it."""
        if answer.lease is not None:
            return answer.lease
        decision = answer.decision
        if decision is None:
            raise _unknown_lease(wish.lease_id or "")
        if answer.is_new and wish.lease_id is None:
            self._deny(wish, decision)
        raise Refused(decision) if answer.place is None else Queued(decision, answer.place)


def _check_period(ttl: timedelta) -> None:
    if not SHORTEST <= ttl <= LONGEST:
        raise ProductError("A lease lasts 1 second to 24 hours; renew it where it is needed for longer.")


def _may_be_one(lease_id: str) -> bool:
    return len(lease_id) <= LONGEST_ID and "\0" not in lease_id


def _unknown_lease(lease_id: str) -> UnknownLease:
    return UnknownLease(
        f"There is no lease {lease_id[:LONGEST_ID]!r}: it was given back, or it has expired and its seat is free for "
        "others. Acquire a seat again."
    )
