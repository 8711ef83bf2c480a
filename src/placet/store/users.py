"""The users of the server. A deactivated user holds no seat; the seat itself is an allocation of ``users``."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from placet.store.credentials import Role
from placet.store.dialects import ByCodePoint
from placet.store.rows import all_of, may_be_stored, one_of, the_one
from placet.store.schema import users


class NameTaken(Exception):
    """There is a user of that name already."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who works with the server. ``changed_at``: activated or deactivated. Never seen is ``None``."""

    id: int
    name: str
    role: Role
    active: bool
    created_at: datetime
    changed_at: datetime
    last_seen_at: datetime | None = None


def add_user(connection: Connection, *, name: str, role: Role, active: bool, now: datetime) -> User:
    """Add a user; raises :class:`NameTaken`."""
    row = insert(users).values(name=name, role=role, active=active, created_at=now, changed_at=now)
    try:
        return the_one(User, connection.execute(row.returning(users)))
    except IntegrityError:
        raise NameTaken(f"There is a user named {name!r} already.") from None


def set_active(connection: Connection, name: str, *, active: bool, now: datetime) -> User | None:
    """Activate or deactivate a user; answers the user, or ``None`` where there is none of that name."""
    row = update(users).where(users.c.name == name).values(active=active, changed_at=now).returning(users)
    return one_of(User, connection.execute(row))


def set_role(connection: Connection, name: str, role: Role, now: datetime) -> None:
    """Change what a user may do."""
    connection.execute(update(users).where(users.c.name == name).values(role=role, changed_at=now))


def find_user(connection: Connection, name: str) -> User | None:
    """Answer the user of a name, whatever was typed as one."""
    if not may_be_stored(name):
        return None
    return one_of(User, connection.execute(select(users).where(users.c.name == name)))


def users_named(connection: Connection, names: Iterable[str]) -> list[User]:
    """Answer the users of some names."""
    return all_of(User, connection.execute(select(users).where(users.c.name.in_(list(names)))))


class Counts(msgspec.Struct, frozen=True):
    """How many users there are."""

    active: int
    inactive: int


def counts(connection: Connection) -> Counts:
    """Answer how many users are active, and how many are not."""
    found = connection.execute(select(users.c.active, func.count()).group_by(users.c.active)).all()
    by_state = {bool(active): number for active, number in found}
    return Counts(by_state.get(True, 0), by_state.get(False, 0))


def all_users(connection: Connection, *, most: int = 10_000) -> list[User]:
    """Answer the users by name."""
    return all_of(User, connection.execute(select(users).order_by(ByCodePoint(users.c.name)).limit(most)))


def note_seen(connection: Connection, seen: Mapping[str, datetime]) -> None:
    """Note when users were last seen; names that are nobody's are passed over, and nothing goes back in time."""
    for name, at in sorted(seen.items()):
        before = or_(users.c.last_seen_at.is_(None), users.c.last_seen_at < at)
        connection.execute(update(users).where(users.c.name == name, before).values(last_seen_at=at))


def not_seen_since(
    connection: Connection,
    since: datetime,
    *,
    roles: Iterable[Role] = tuple(Role),
    excluded: Iterable[str] = (),
    only: Iterable[str] | None = None,
    most: int = 10_000,
) -> list[User]:
    """Answer the active users who were neither seen nor activated since a moment, longest ago first.

    They have one of ``roles``, and are none of ``excluded``; where there is ``only``, they are of those.
    """
    last = func.coalesce(users.c.last_seen_at, users.c.changed_at)
    query = select(users).where(_unseen(since), users.c.role.in_([str(role) for role in roles]))
    query = query.where(users.c.name.not_in(list(excluded)))
    if only is not None:
        query = query.where(users.c.name.in_(list(only)))
    query = query.order_by(last, ByCodePoint(users.c.name)).limit(most)
    return all_of(User, connection.execute(query))


def deactivate_unseen(connection: Connection, name: str, since: datetime, now: datetime) -> bool:
    """Deactivate a user who was not seen since a moment; answers whether that is so still."""
    row = update(users).where(users.c.name == name, _unseen(since)).values(active=False, changed_at=now)
    return connection.execute(row).rowcount == 1


def _unseen(since: datetime) -> ColumnElement[bool]:
    seen = or_(users.c.last_seen_at.is_(None), users.c.last_seen_at < since)
    return and_(users.c.active, users.c.changed_at < since, seen)
