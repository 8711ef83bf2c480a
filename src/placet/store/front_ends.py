"""The front-ends: which servers share this database, and until when each counts as living. By the database's clock."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update

from placet.store import serving
from placet.store.dialects import ByCodePoint, now_microseconds
from placet.store.rows import all_of, storable
from placet.store.schema import allocations, front_ends

_MICROSECOND = timedelta(microseconds=1)


class FrontEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A server. ``registered``: it holds a place of those the license allows. ``license_digest``: what it goes by."""

    id: str
    name: str
    address: str
    version: str
    license_digest: str | None
    started_at: datetime
    beaten_at: datetime
    lives_until: datetime
    registered: bool


class Dead(msgspec.Struct, frozen=True):
    """A front-end that counts as living no more."""

    id: str
    name: str


def arrive(
    connection: Connection, front_end_id: str, *, name: str, address: str, version: str, lasting: timedelta
) -> datetime:
    """Enter a server that has just started; answers when that was, by which its entry is told from a later one's."""
    connection.execute(delete(front_ends).where(front_ends.c.id == front_end_id))
    serving.forget(connection, front_end_id)
    row = insert(front_ends).values(
        id=front_end_id,
        name=storable(name),
        address=address[:400],
        version=version[:60],
        started_at=now_microseconds(),
        beaten_at=now_microseconds(),
        lives_until=_from_now(lasting),
    )
    started_at: datetime = connection.execute(row.returning(front_ends.c.started_at)).scalar_one()
    return started_at


def beat(
    connection: Connection, front_end_id: str, started_at: datetime, *, license_digest: str | None, lasting: timedelta
) -> bool:
    """Say that a server lives for another ``lasting``, and which license it goes by; answers whether it is entered."""
    row = update(front_ends).where(_entry(front_end_id, started_at))
    values = {"beaten_at": now_microseconds(), "lives_until": _from_now(lasting), "license_digest": license_digest}
    return connection.execute(row.values(values)).rowcount == 1


def leave(connection: Connection, front_end_id: str, started_at: datetime) -> bool:
    """Take a server out; answers whether it was entered."""
    left = connection.execute(delete(front_ends).where(_entry(front_end_id, started_at))).rowcount == 1
    if left:
        serving.forget(connection, front_end_id)
    return left


def is_entered(connection: Connection, front_end_id: str) -> bool:
    """Tell whether a server is entered, by this process or another."""
    return connection.execute(select(front_ends.c.id).where(front_ends.c.id == front_end_id)).first() is not None


def dead(connection: Connection) -> list[Dead]:
    """Answer the servers that have not been heard of for too long."""
    return all_of(Dead, connection.execute(select(front_ends.c.id, front_ends.c.name).where(_is_dead())))


def remove_dead(connection: Connection, front_end_id: str) -> bool:
    """Take a server out unless it has been heard of again; answers whether it was taken out."""
    gone = delete(front_ends).where(front_ends.c.id == front_end_id, _is_dead())
    is_gone = connection.execute(gone).rowcount == 1
    if is_gone:
        serving.forget(connection, front_end_id)
    return is_gone


def strangers(connection: Connection, feature: str) -> list[str]:
    """Answer the holders of places that are no front-end's."""
    known = exists().where(front_ends.c.id == allocations.c.holder)
    return list(
        connection.execute(select(allocations.c.holder).where(allocations.c.feature == feature, ~known)).scalars()
    )


def all_front_ends(connection: Connection, feature: str) -> list[FrontEnd]:
    """Answer the servers by name; ``feature`` is the limit of which each registered one holds a place."""
    holds = exists().where(allocations.c.feature == feature, allocations.c.holder == front_ends.c.id)
    query = select(front_ends, holds.label("registered")).order_by(ByCodePoint(front_ends.c.name), front_ends.c.id)
    rows = connection.execute(query.limit(1000)).mappings()
    return [FrontEnd(**{**row, "registered": bool(row["registered"])}) for row in rows]


def _entry(front_end_id: str, started_at: datetime) -> ColumnElement[bool]:
    return and_(front_ends.c.id == front_end_id, front_ends.c.started_at == started_at)


def _is_dead() -> ColumnElement[bool]:
    return front_ends.c.lives_until < now_microseconds()


def _from_now(lasting: timedelta) -> ColumnElement[int]:
    return now_microseconds() + lasting // _MICROSECOND
