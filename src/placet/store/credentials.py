"""Tokens, one-time codes and sessions. Only SHA-256 hashes of their secrets are stored.

The secrets are 256 random bits, so that a plain hash is enough: there is nothing to guess. Those of a deactivated user
are of no use until the user is activated again.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, or_, select, update

from placet.store.rows import all_of, may_be_stored, one_of, storable
from placet.store.schema import credentials, users


class Role(StrEnum):
    """What a caller may do: an administrator everything, a developer the work, not the license."""

    ADMINISTRATOR = "administrator"
    DEVELOPER = "developer"


class Kind(StrEnum):
    """What a secret is for."""

    TOKEN = "token"  # noqa: S105
    SIGN_IN = "sign_in"
    PASSWORD_LINK = "password_link"  # noqa: S105
    SESSION = "session"


class Method(StrEnum):
    """How somebody has signed in."""

    LINK = "link"
    TOKEN = "token"  # noqa: S105
    PASSWORD = "password"  # noqa: S105
    OPENID = "openid"


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody signs in: the address, and what the browser says of itself. Each is cut to what is stored."""

    address: str = ""
    browser: str = ""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential without its secret. The last four are a session's alone; they are unknown of one made before."""

    id: int
    kind: Kind
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    last_used_at: datetime | None = None
    method: Method | None = None
    address: str | None = None
    browser: str | None = None


_COLUMNS = [credentials.c[name] for name in Credential.__struct_fields__]
_PREFIXES = {Kind.TOKEN: "plt_", Kind.SIGN_IN: "pls_", Kind.PASSWORD_LINK: "plp_", Kind.SESSION: "plc_"}
_ONE_TIME = (Kind.SIGN_IN, Kind.PASSWORD_LINK, Kind.SESSION)
LONGEST_SECRET = 100
LONGEST_ADDRESS = 100


def create(
    connection: Connection,
    kind: Kind,
    *,
    name: str,
    role: Role,
    now: datetime,
    expires_at: datetime | None = None,
    method: Method | None = None,
    visitor: Visitor | None = None,
) -> tuple[int, str]:
    """Make a credential; answers its id and its secret, which is told once and not stored."""
    secret = _PREFIXES[kind] + secrets.token_urlsafe(32)
    row = insert(credentials).values(
        kind=kind,
        name=name,
        role=role,
        secret_hash=hash_of(secret),
        created_at=now,
        expires_at=expires_at,
        method=method,
        address=None if visitor is None else storable(visitor.address)[:LONGEST_ADDRESS],
        browser=None if visitor is None else storable(visitor.browser),
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


def end_all(
    connection: Connection, kind: Kind, now: datetime, *, name: str | None = None, spared: int | None = None
) -> list[Credential]:
    """End the credentials of a kind that are in force, somebody's or everybody's, but the one ``spared``."""
    mine = (credentials.c.kind == kind) & _alive(now)
    if name is not None:
        mine &= credentials.c.name == name
    if spared is not None:
        mine &= credentials.c.id != spared
    return all_of(
        Credential, connection.execute(update(credentials).where(mine).values(ended_at=now).returning(*_COLUMNS))
    )


def in_force(connection: Connection, kind: Kind, now: datetime, *, name: str | None = None) -> list[Credential]:
    """Answer the credentials of a kind that are in force, somebody's or everybody's, oldest first."""
    query = select(*_COLUMNS).where(credentials.c.kind == kind, _alive(now))
    if name is not None:
        query = query.where(credentials.c.name == name)
    return all_of(Credential, connection.execute(query.order_by(credentials.c.id).limit(10_000)))


def note_used(connection: Connection, used: Mapping[int, datetime]) -> None:
    """Note when credentials were last used; nothing goes back in time."""
    for credential_id, at in sorted(used.items()):
        before = or_(credentials.c.last_used_at.is_(None), credentials.c.last_used_at < at)
        connection.execute(update(credentials).where(credentials.c.id == credential_id, before).values(last_used_at=at))


def has_signed_in_from(connection: Connection, name: str, address: str, since: datetime) -> bool:
    """Tell whether somebody has begun a session at an address since a moment."""
    if not may_be_stored(name):
        return False
    theirs = (credentials.c.kind == Kind.SESSION) & (credentials.c.name == name) & (credentials.c.address == address)
    return bool(connection.execute(select(exists().where(theirs, credentials.c.created_at >= since))).scalar())


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete the sessions and one-time codes that were over before a moment; answers how many there were."""
    over = func.coalesce(credentials.c.ended_at, credentials.c.expires_at) < before
    return connection.execute(delete(credentials).where(credentials.c.kind.in_(_ONE_TIME), over)).rowcount


def hash_of(secret: str) -> str:
    """Answer what is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _alive(now: datetime) -> ColumnElement[bool]:
    return credentials.c.ended_at.is_(None) & (credentials.c.expires_at.is_(None) | (credentials.c.expires_at > now))


def _in_force(kind: Kind, secret: str, now: datetime) -> ColumnElement[bool]:
    return (
        (credentials.c.secret_hash == hash_of(secret))
        & (credentials.c.kind == kind)
        & _alive(now)
        & ~exists().where(users.c.name == credentials.c.name, ~users.c.active)
    )
