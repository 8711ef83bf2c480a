"""Passwords of users, as argon2 hashes alone, and whether any administrator has a way to sign in."""

from datetime import datetime

from sqlalchemy import Connection, exists, insert, or_, select, update

from placet.store.credentials import Role
from placet.store.schema import identities, passwords, users


def password_hash_of(connection: Connection, user_id: int) -> str | None:
    """Answer the hash of a user's password; ``None`` where there is none."""
    return connection.execute(select(passwords.c.hash).where(passwords.c.user_id == user_id)).scalar()


def set_password_hash(connection: Connection, user_id: int, hash_: str, now: datetime) -> None:
    """Set the hash of a user's password, whether or not there was one."""
    values = {"hash": hash_, "set_at": now}
    done = connection.execute(update(passwords).where(passwords.c.user_id == user_id).values(values))
    if done.rowcount == 0:
        connection.execute(insert(passwords).values(user_id=user_id, **values))


def replace_password_hash(connection: Connection, user_id: int, old: str, new: str) -> bool:
    """Exchange the hash for another of the same password; answers whether it was ``old`` still."""
    same = (passwords.c.user_id == user_id) & (passwords.c.hash == old)
    return connection.execute(update(passwords).where(same).values(hash=new)).rowcount == 1


def administrator_can_sign_in(connection: Connection) -> bool:
    """Tell whether there is an active administrator with a password, or known at an OpenID provider."""
    has_password = exists().where(passwords.c.user_id == users.c.id)
    has_identity = exists().where(identities.c.user_id == users.c.id)
    able = users.c.active & (users.c.role == Role.ADMINISTRATOR) & or_(has_password, has_identity)
    return bool(connection.execute(select(exists().where(able))).scalar())
