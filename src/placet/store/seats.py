"""Seats: the leases of each feature, who waits for one, what is reserved, and what has to be left.

A holder has one lease of a feature at most. The feature's total is the sum of its leases: every function here that
changes one changes the other, and wants the total locked (``usage.lock``). Moments are by the database's own clock, in
microseconds since the epoch. An expired lease counts until it is taken away, which whoever asks for seats does first.
"""

from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, delete, insert, select

from placet.enforcement.decision import Decision
from placet.enforcement.seating import Claim, Reservation, Room, SeatRules, SubjectKind
from placet.store import usage
from placet.store.hot import Hot
from placet.store.rows import all_of
from placet.store.schema import instant, leases, seat_requests, seat_reservations, seat_rules

NO_REQUEST = 2**62
"""More than the number of any request: who has none comes after those who have."""

_COLUMNS = "id, feature, holder, group_name, amount, acquired_at, expires_at, borrowed"
_OF = Hot(f"SELECT {_COLUMNS} FROM leases WHERE feature = ? AND holder = ?")  # noqa: S608 (a constant)
_BY_ID = Hot(f"SELECT {_COLUMNS} FROM leases WHERE id = ?")  # noqa: S608
_ADD = Hot(f"INSERT INTO leases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")  # noqa: S608
_CHANGE = Hot("UPDATE leases SET group_name = ?, amount = ?, expires_at = ?, borrowed = ? WHERE id = ?")
_REMOVE = Hot("DELETE FROM leases WHERE id = ? RETURNING amount")
_EXPIRE = Hot("DELETE FROM leases WHERE feature = ? AND expires_at <= ? RETURNING amount")
_EXPIRED = Hot("SELECT DISTINCT feature FROM leases WHERE expires_at <= ?")
_RESERVED = Hot("SELECT subject_kind, subject, amount FROM seat_reservations WHERE feature = ?")
_DRAWING = Hot(
    "SELECT holder, group_name, amount FROM leases WHERE feature = ? AND ("
    "holder IN (SELECT subject FROM seat_reservations WHERE feature = ? AND subject_kind = 'user')"
    " OR group_name IN (SELECT subject FROM seat_reservations WHERE feature = ? AND subject_kind = 'group'))"
    " ORDER BY acquired_at, id"
)
_GIVE_UP = Hot("DELETE FROM seat_requests WHERE feature = ? AND expires_at <= ?")
_REQUEST = Hot("SELECT id FROM seat_requests WHERE feature = ? AND holder = ?")
_AHEAD = Hot(
    "SELECT holder, group_name, amount FROM seat_requests WHERE feature = ? AND holder <> ?"
    " AND (priority > ? OR (priority = ? AND id < ?)) ORDER BY priority DESC, id"
)
_ENQUEUE = Hot(
    "INSERT INTO seat_requests (feature, holder, group_name, amount, priority, asked_at, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (feature, holder) DO UPDATE SET group_name = excluded.group_name,"
    " amount = excluded.amount, priority = excluded.priority, expires_at = excluded.expires_at"
)
_WITHDRAW = Hot("DELETE FROM seat_requests WHERE feature = ? AND holder = ?")


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """``amount`` seats of a feature that ``holder`` has until ``expires_at``, by the database's clock.

    ``group`` is the group whose reservations it may draw on, ``borrowed`` that it is used without the server.
    ``decision`` is what it was allowed with, where it has just been.
    """

    id: str
    feature: str
    holder: str
    group: str | None
    amount: int
    acquired_at: datetime
    expires_at: datetime
    borrowed: bool
    decision: Decision | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits for seats, and gives up at ``expires_at`` unless it asks again."""

    feature: str
    holder: str
    group: str | None
    amount: int
    priority: int
    asked_at: datetime
    expires_at: datetime


# Leases


def expire(connection: Connection, feature: str, now: int) -> int:
    """Take away the leases that have expired, and forget who no longer waits; answers the seats freed."""
    _GIVE_UP.run(connection, feature, now)
    freed = sum(int(row[0]) for row in _EXPIRE.run(connection, feature, now).fetchall())
    if freed:
        usage.add(connection, feature, -freed, limit=None)
    return freed


def with_expired(connection: Connection, now: int) -> list[str]:
    """Answer the features that have expired leases, by name."""
    return sorted(row[0] for row in _EXPIRED.run(connection, now).fetchall())


def lease_of(connection: Connection, feature: str, holder: str) -> Lease | None:
    """Answer the lease of a holder, expired or not."""
    return _lease(_OF.run(connection, feature, holder).fetchone())


def read_lease(connection: Connection, lease_id: str) -> Lease | None:
    """Answer a lease, expired or not."""
    return _lease(_BY_ID.run(connection, lease_id).fetchone())


def _lease(row: tuple[str, str, str, str | None, int, int, int, bool] | None) -> Lease | None:
    if row is None:
        return None
    lease_id, feature, holder, group, amount, acquired_at, expires_at, borrowed = row
    return Lease(
        id=lease_id,
        feature=feature,
        holder=holder,
        group=group,
        amount=amount,
        acquired_at=instant(acquired_at),
        expires_at=instant(expires_at),
        borrowed=bool(borrowed),
    )


def living_leases(connection: Connection, feature: str, now: int, *, most: int = 10_000) -> list[Lease]:
    """Answer the leases of a feature that have not expired, the oldest first."""
    query = select(leases, leases.c.group_name.label("group")).where(leases.c.feature == feature)
    query = query.where(leases.c.expires_at > instant(now)).order_by(leases.c.acquired_at, leases.c.id).limit(most)
    return all_of(Lease, connection.execute(query))


def add_lease(
    connection: Connection,
    feature: str,
    claim: Claim,
    *,
    now: int,
    expires_at: int,
    borrowed: bool,
    limit: int | None,
    lease_id: str | None = None,
) -> Lease:
    """Give a holder without a lease one; raises ``LimitPassed``."""
    usage.add(connection, feature, claim.amount, limit=limit)
    lease_id = lease_id or str(uuid4())
    row = (lease_id, feature, claim.holder, claim.group, claim.amount, now, expires_at, borrowed)
    _ADD.run(connection, *row)
    found = _lease(row)
    assert found is not None  # noqa: S101 (for the type checker)
    return found


def change_lease(
    connection: Connection, lease: Lease, claim: Claim, *, expires_at: int, borrowed: bool, limit: int | None
) -> Lease:
    """Renew a lease, with another amount where the claim has one; raises ``LimitPassed``."""
    if claim.amount != lease.amount:
        usage.add(connection, lease.feature, claim.amount - lease.amount, limit=limit)
    _CHANGE.run(connection, claim.group, claim.amount, expires_at, borrowed, lease.id)
    return msgspec.structs.replace(
        lease, group=claim.group, amount=claim.amount, expires_at=instant(expires_at), borrowed=borrowed
    )


def remove_lease(connection: Connection, lease: Lease) -> bool:
    """Take a lease away; answers whether it was still there."""
    row = _REMOVE.run(connection, lease.id).fetchone()
    if row is not None:
        usage.add(connection, lease.feature, -row[0], limit=None)
    return row is not None


# Who waits


def room_for(connection: Connection, feature: str, holder: str, priority: int) -> Room:
    """Answer what bears on seats for ``holder``; no expired lease or request may be left (:func:`expire`)."""
    reserved = tuple(
        Reservation(feature=feature, subject_kind=SubjectKind(kind), subject=subject, amount=amount)
        for kind, subject, amount in _RESERVED.run(connection, feature).fetchall()
    )
    drawing = _DRAWING.run(connection, feature, feature, feature).fetchall() if reserved else ()
    number = request_number(connection, feature, holder)
    ahead = _AHEAD.run(connection, feature, holder, priority, priority, number or NO_REQUEST).fetchall()
    return Room(
        reservations=reserved,
        leases=tuple(Claim(*row) for row in drawing),
        ahead=tuple(Claim(*row) for row in ahead),
    )


def request_number(connection: Connection, feature: str, holder: str) -> int | None:
    """Answer the number of the request with which a holder waits, if it does."""
    row = _REQUEST.run(connection, feature, holder).fetchone()
    return None if row is None else int(row[0])


def enqueue(connection: Connection, feature: str, claim: Claim, *, priority: int, now: int, expires_at: int) -> None:
    """Let a holder wait; who waits already keeps its place among those of the same priority."""
    _ENQUEUE.run(connection, feature, claim.holder, claim.group, claim.amount, priority, now, expires_at)


def withdraw(connection: Connection, feature: str, holder: str) -> None:
    """Let a holder wait no more."""
    _WITHDRAW.run(connection, feature, holder)


def queue_of(connection: Connection, feature: str, now: int) -> list[Request]:
    """Answer who waits for a feature, the next one first."""
    query = select(seat_requests, seat_requests.c.group_name.label("group")).where(seat_requests.c.feature == feature)
    query = query.where(seat_requests.c.expires_at > instant(now))
    return all_of(
        Request, connection.execute(query.order_by(seat_requests.c.priority.desc(), seat_requests.c.id).limit(10_000))
    )


# What an administrator says


def reservations_of(connection: Connection, feature: str) -> list[Reservation]:
    """Answer what is reserved of a feature, by kind and subject."""
    rows = connection.execute(select(seat_reservations).where(seat_reservations.c.feature == feature))
    return sorted(all_of(Reservation, rows), key=lambda item: (item.subject_kind, item.subject))


def reserve(connection: Connection, reservation: Reservation) -> None:
    """Reserve seats, in place of what the same subject had reserved."""
    unreserve(connection, reservation.feature, reservation.subject_kind, reservation.subject)
    connection.execute(insert(seat_reservations).values(msgspec.structs.asdict(reservation)))


def unreserve(connection: Connection, feature: str, kind: SubjectKind, subject: str) -> bool:
    """Reserve nothing for a subject any more; answers whether anything was."""
    columns = seat_reservations.c
    where = (columns.feature == feature) & (columns.subject_kind == kind) & (columns.subject == subject)
    return connection.execute(delete(seat_reservations).where(where)).rowcount > 0


def rules_of(connection: Connection, feature: str) -> SeatRules:
    """Answer what is said about borrowing a feature."""
    row = connection.execute(select(seat_rules).where(seat_rules.c.feature == feature)).one_or_none()
    if row is None:
        return SeatRules()
    longest = timedelta(seconds=row.longest_borrow_seconds)
    return SeatRules(low_water_mark=row.low_water_mark, longest_borrow=longest)


def set_rules(connection: Connection, feature: str, rules: SeatRules) -> None:
    """Say something else about borrowing a feature."""
    seconds = rules.longest_borrow // timedelta(seconds=1)
    connection.execute(delete(seat_rules).where(seat_rules.c.feature == feature))
    connection.execute(
        insert(seat_rules).values(feature=feature, low_water_mark=rules.low_water_mark, longest_borrow_seconds=seconds)
    )


def forget_rules(connection: Connection, feature: str) -> bool:
    """Say nothing about borrowing a feature any more; answers whether anything was said."""
    return connection.execute(delete(seat_rules).where(seat_rules.c.feature == feature)).rowcount > 0
