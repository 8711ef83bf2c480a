"""The users of the server. A deactivated user holds no seat; the seat itself is an allocation of ``users``."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from placet.store.credentials import Role
from placet.store.dialects import ByCodePoint
from placet.store.rows import all_of, one_of, the_one
from placet.store.schema import users


class NameTaken(Exception):
    """There is a user of that name already."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who works with the server."""

    id: int
    name: str
    role: Role
    active: bool
    created_at: datetime
    changed_at: datetime


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


def find_user(connection: Connection, name: str) -> User | None:
    """Answer the user of a name."""
    return one_of(User, connection.execute(select(users).where(users.c.name == name)))


def all_users(connection: Connection, *, most: int = 10_000) -> list[User]:
    """Answer the users by name."""
    return all_of(User, connection.execute(select(users).order_by(ByCodePoint(users.c.name)).limit(most)))
