"""Leasing seats, as transactions: what has expired is taken away, it is decided, and it is counted, all in one.

The feature's total is locked first, so that nobody decides by what another is changing. Moments are by the database's
clock, the same for all its clients.
"""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Decision, ProductError, Seats, Status
from placet.enforcement.codes import Code
from placet.enforcement.seating import Claim, decide_borrow, decide_seats
from placet.guard.counting import check_holder
from placet.guard.judge import Judge
from placet.license.instants import rfc3339
from placet.license.lease import BorrowedLease, sign_lease
from placet.license.terms import FORMAT_VERSION, LARGEST_LIMIT
from placet.store import audit, denials, dialects, seats, usage
from placet.store.batches import Batches
from placet.store.installation import read_installation
from placet.store.schema import microseconds
from placet.store.seats import Lease

PLACE_KEPT = timedelta(seconds=10)
"""For how long a place in the queue is kept without asking again."""

_MICROSECOND = timedelta(microseconds=1)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. ``period`` from now on; ``lease_id``: to renew that lease, and no other."""

    feature: str
    claim: Claim
    period: timedelta
    actor: str
    priority: int = 0
    queues: bool = False
    borrows: bool = False
    lease_id: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a lease, or the place in the queue of one that waits, ``is_new`` where it did not before.

    ``decision`` is ``None`` where there was no lease to renew, ``has_changed`` tells whether other seats are taken now.
    """

    decision: Decision | None
    lease: Lease | None = None
    document: bytes = b""
    place: int | None = None
    is_new: bool = True
    has_changed: bool = True


class Leasing(Judge):
    """The part of a guard that leases seats, in transactions of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._wishes: Batches[Wish, Answer] = Batches(self.database, self._take_all)
        self._freed = threading.Condition()

    def _seats(self, feature: str) -> Seats:
        found = self.product.by_name.get(feature)
        if not isinstance(found, Seats):
            raise ProductError(f"The product {self.product.name!r} has no seats {feature!r}.")
        return found

    def _claim(self, feature: str, holder: str, group: str | None, amount: int) -> Claim:
        self._seats(feature)
        check_holder(holder)
        if group is not None:
            check_holder(group)
        if type(amount) is not int or not 1 <= amount <= LARGEST_LIMIT:
            raise ProductError(f"{amount!r} is not a number of seats: 1 to {LARGEST_LIMIT:,}.")
        return Claim(holder, group, amount)

    def _ask(self, wish: Wish) -> Answer:
        answer = self._wishes.run(wish)
        if answer.has_changed:
            self._changed()
        return answer

    def _deny(self, wish: Wish, decision: Decision) -> None:
        found = self.status().features[wish.feature]
        with self.database.write() as connection:
            denials.record(
                connection,
                feature=wish.feature,
                holder=wish.claim.holder,
                reason=str(decision.code),
                requested=wish.claim.amount,
                used=found.used if decision.used is None else decision.used,
                maximum=found.limit,
                at=self.now(),
            )

    def _take_all(self, connection: Connection, wishes: Sequence[Wish]) -> list[Answer]:
        usage.lock(connection, {wish.feature for wish in wishes})
        return [self._take(connection, wish) for wish in wishes]

    def _take(self, connection: Connection, wish: Wish) -> Answer:
        """Decide and, where it is allowed, lease; else let it wait, where it is to. The total is locked."""
        now = dialects.clock(connection)
        found = seats.lease_of(connection, wish.feature, wish.claim.holder)
        is_renewed = wish.lease_id is not None
        if is_renewed and (found is None or found.id != wish.lease_id):
            return Answer(decision=None, has_changed=False)
        has_changed = seats.expire(connection, wish.feature, now) > 0
        held = found if found is not None and microseconds(found.expires_at) > now else None
        status = self._evaluate(connection)
        decision, claim, period = self._decide(connection, status, wish, held)
        if not decision.allowed:
            refused = self._refuse(connection, status, wish, decision, now)
            return msgspec.structs.replace(refused, has_changed=has_changed)
        borrowed = wish.borrows or (held is not None and held.borrowed)
        grant: dict[str, Any] = {
            "expires_at": now + period // _MICROSECOND,
            "borrowed": borrowed,
            "limit": status.features[wish.feature].tolerated_limit,
        }
        if held is None:
            lease = seats.add_lease(connection, wish.feature, claim, now=now, lease_id=wish.lease_id, **grant)
        else:
            if held.borrowed:
                grant["expires_at"] = max(grant["expires_at"], microseconds(held.expires_at))
            lease = seats.change_lease(connection, held, claim, **grant)
        seats.withdraw(connection, wish.feature, wish.claim.holder)
        document = self._lend(connection, lease, wish, now) if wish.borrows else b""
        return Answer(decision=decision, lease=msgspec.structs.replace(lease, decision=decision), document=document)

    def _decide(
        self, connection: Connection, status: Status, wish: Wish, held: Lease | None
    ) -> tuple[Decision, Claim, timedelta]:
        """Answer the decision, and the seats and the period it is about; what is borrowed already is not taken back."""
        claim, before = wish.claim, held.amount if held else 0
        if held is not None and (held.borrowed or wish.lease_id is not None):
            claim = Claim(claim.holder, claim.group, max(claim.amount, before))
        room = seats.room_for(connection, wish.feature, claim.holder, wish.priority)
        if not wish.borrows:
            return decide_seats(status, wish.feature, claim, before, room), claim, wish.period
        period, rules = wish.period, seats.rules_of(connection, wish.feature)
        decision = decide_borrow(status, wish.feature, claim, before, room, rules=rules, period=period)
        if status.grace_ends_at is not None:  # the difference of two moments by the same clock
            period = min(period, status.grace_ends_at - self.now())
        return decision, claim, period

    def _refuse(self, connection: Connection, status: Status, wish: Wish, decision: Decision, now: int) -> Answer:
        feature, holder = status.features[wish.feature], wish.claim.holder
        waits_for = {self._seats(wish.feature).reached, Code.RESERVED_FOR_OTHERS, Code.QUEUED_BEHIND_OTHERS}
        possible = decision.code in waits_for and wish.claim.amount <= (feature.tolerated_limit or 0)
        if not possible:
            seats.withdraw(connection, wish.feature, holder)
            return Answer(decision=decision)
        is_new = seats.request_number(connection, wish.feature, holder) is None
        if not wish.queues:
            return Answer(decision=decision)
        ends = now + PLACE_KEPT // _MICROSECOND
        seats.enqueue(connection, wish.feature, wish.claim, priority=wish.priority, now=now, expires_at=ends)
        room = seats.room_for(connection, wish.feature, holder, wish.priority)
        return Answer(decision=decision, place=len(room.ahead) + 1, is_new=is_new)

    def _lend(self, connection: Connection, lease: Lease, wish: Wish, now: int) -> bytes:
        row = read_installation(connection)
        document = BorrowedLease(
            version=FORMAT_VERSION,
            iat=now // 1_000_000,
            exp=microseconds(lease.expires_at) // 1_000_000,
            jti=lease.id,
            serial_number=row.serial_number,
            product=self.product.name,
            feature=lease.feature,
            holder=lease.holder,
            amount=lease.amount,
            group=lease.group,
        )
        detail = {"feature": lease.feature, "until": rfc3339(document.expires_at())}
        self._record(connection, audit.Event.LEASE_BORROWED, wish.actor, lease.holder, **detail)
        return sign_lease(document, row.signing_key())

    def _seats_changed(self) -> None:
        self._changed()
        with self._freed:
            self._freed.notify_all()
