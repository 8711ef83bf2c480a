"""Tokens, one-time sign-in codes and sessions. Only SHA-256 hashes of their secrets are stored.

The secrets are 256 random bits, so that a plain hash is enough: there is nothing to guess. Those of a deactivated user
are of no use until the user is activated again.
"""

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, Connection, exists, insert, select, update

from placet.store.rows import all_of, one_of
from placet.store.schema import credentials, users


class Role(StrEnum):
    """What a caller may do: an administrator everything, a developer the work, not the license."""

    ADMINISTRATOR = "administrator"
    DEVELOPER = "developer"


class Kind(StrEnum):
    """What a secret is for."""

    TOKEN = "token"  # noqa: S105
    SIGN_IN = "sign_in"
    SESSION = "session"


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential without its secret."""

    id: int
    kind: Kind
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


_COLUMNS = [credentials.c[name] for name in Credential.__struct_fields__]
_PREFIXES = {Kind.TOKEN: "plt_", Kind.SIGN_IN: "pls_", Kind.SESSION: "plc_"}
LONGEST_SECRET = 100


def create(
    connection: Connection, kind: Kind, *, name: str, role: Role, now: datetime, expires_at: datetime | None = None
) -> tuple[int, str]:
    """Make a credential; answers its id and its secret, which is told once and not stored."""
    secret = _PREFIXES[kind] + secrets.token_urlsafe(32)
    row = insert(credentials).values(
        kind=kind, name=name, role=role, secret_hash=hash_of(secret), created_at=now, expires_at=expires_at
    )
    return int(connection.execute(row.returning(credentials.c.id)).scalar_one()), secret


def find(connection: Connection, kind: Kind, secret: str, now: datetime) -> Credential | None:
    """Answer the credential of a secret, if it is in force at ``now``."""
    if len(secret) > LONGEST_SECRET:
        return None
    return one_of(Credential, connection.execute(select(*_COLUMNS).where(_in_force(kind, secret, now))))


def use_once(connection: Connection, kind: Kind, secret: str, now: datetime) -> Credential | None:
    """Answer the credential of a secret and end it in the same statement, so that it serves once."""
    if len(secret) > LONGEST_SECRET:
        return None
    claim = update(credentials).where(_in_force(kind, secret, now)).values(ended_at=now).returning(*_COLUMNS)
    return one_of(Credential, connection.execute(claim))


def end(connection: Connection, kind: Kind, credential_id: int, now: datetime) -> Credential | None:
    """End a credential in force; answers it, or ``None`` where there was none."""
    mine = (credentials.c.id == credential_id) & (credentials.c.kind == kind) & credentials.c.ended_at.is_(None)
    ended = update(credentials).where(mine).values(ended_at=now).returning(*_COLUMNS)
    return one_of(Credential, connection.execute(ended))


def in_force(connection: Connection, kind: Kind, now: datetime) -> list[Credential]:
    """Answer the credentials of a kind that are in force, oldest first."""
    alive = credentials.c.expires_at.is_(None) | (credentials.c.expires_at > now)
    query = select(*_COLUMNS).where(credentials.c.kind == kind, credentials.c.ended_at.is_(None), alive)
    return all_of(Credential, connection.execute(query.order_by(credentials.c.id).limit(10_000)))


def hash_of(secret: str) -> str:
    """Answer what is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _in_force(kind: Kind, secret: str, now: datetime) -> ColumnElement[bool]:
    return (
        (credentials.c.secret_hash == hash_of(secret))
        & (credentials.c.kind == kind)
        & credentials.c.ended_at.is_(None)
        & (credentials.c.expires_at.is_(None) | (credentials.c.expires_at > now))
        & ~exists().where(users.c.name == credentials.c.name, ~users.c.active)
    )
