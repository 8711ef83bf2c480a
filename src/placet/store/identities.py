"""Who users are at an OpenID provider."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select

from placet.store.rows import one_of
from placet.store.schema import identities, users
from placet.store.users import User

LONGEST_ISSUER = 400
LONGEST_SUBJECT = 255


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody is at a provider (OpenID Connect Core section 2): ``subject`` is never given to another there."""

    issuer: str
    subject: str


def identity_of(connection: Connection, user_id: int) -> Identity | None:
    """Answer who a user is at the provider; ``None`` where that is not known yet."""
    found = select(identities.c.issuer, identities.c.subject).where(identities.c.user_id == user_id)
    return one_of(Identity, connection.execute(found))


def user_of_identity(connection: Connection, identity: Identity) -> User | None:
    """Answer whose an identity is."""
    same = (identities.c.issuer == identity.issuer) & (identities.c.subject == identity.subject)
    query = select(users).join(identities, identities.c.user_id == users.c.id).where(same)
    return one_of(User, connection.execute(query))


def link_identity(connection: Connection, user_id: int, identity: Identity, now: datetime) -> None:
    """Note who a user is at the provider."""
    row = {"issuer": identity.issuer, "subject": identity.subject, "linked_at": now}
    connection.execute(insert(identities).values(user_id=user_id, **row))


def unlink_identity(connection: Connection, user_id: int) -> bool:
    """Forget who a user is at the provider; answers whether that was known."""
    return connection.execute(delete(identities).where(identities.c.user_id == user_id)).rowcount == 1
