"""Signing in: by a one-time code, a token, a password, or as an OpenID provider says. Each begins a new session.

Whoever knows the secret of a user who is deactivated is told so; to everybody else, a name that is deactivated, unknown
or without a password is the same as a wrong password, after the same work.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from placet.guard import Guard
from placet.platform.openid import Identified
from placet.platform.passwords import Passwords, UnknownUser, UserDeactivated
from placet.platform.sessions import Sessions
from placet.store import audit, credentials, identities
from placet.store import passwords as stored
from placet.store.credentials import Credential, Kind, Method, Role, Visitor
from placet.store.installation import lock_installation
from placet.store.users import User, find_user, set_role

SIGN_IN_LASTS = timedelta(hours=24)
BY_PROVIDER = "OpenID provider"
KNOWN_FOR = timedelta(days=90)
_DEACTIVATED = (
    "You are who you say, but your user on this server is deactivated, so you were not signed in. "
    "Ask your Service Center administrator to activate it again."
)


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in, and the session's secret."""

    name: str
    role: Role
    session: str


class IdentityTaken(Exception):
    """The user is linked to another identity at the provider."""


class FirstSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """The first administrator's way in: a one-time code, ``None`` where one was made before, and until when."""

    code: str | None
    ends_at: datetime


class SignIns:
    """How sessions begin on one server."""

    def __init__(self, guard: Guard, sessions: Sessions, passwords: Passwords, *, seen: Callable[[str], None]) -> None:
        self._guard = guard
        self._sessions = sessions
        self._passwords = passwords
        self._seen = seen

    def first(self) -> FirstSignIn | None:
        """Make a one-time code for the first administrator, once; ``None`` where there is an administrator.

        That is an active user with that role and a way to sign in, or a token or a session with it.
        """
        now, role = self._guard.now(), Role.ADMINISTRATOR
        with self._guard.database.write() as connection:
            lock_installation(connection)
            if _has_administrator(connection, now):
                return None
            made = [item for item in credentials.in_force(connection, Kind.SIGN_IN, now) if item.role is role]
            if made:
                return FirstSignIn(code=None, ends_at=made[-1].expires_at or now)
            ends_at = now + SIGN_IN_LASTS
            _, code = credentials.create(
                connection, Kind.SIGN_IN, name="administrator", role=role, now=now, expires_at=ends_at
            )
        return FirstSignIn(code=code, ends_at=ends_at)

    def with_secret(
        self, secret: str, visitor: Visitor, *, replacing: Credential | None = None, failed: int = 0
    ) -> SignedIn | None:
        """Sign in with a one-time code or a token; ``None`` where it is none in force.

        ``replacing``: the session that the same browser had, which ends. ``failed``: how often it was tried before.
        """
        now = self._guard.now()
        with self._guard.database.write() as connection:
            who, method = credentials.use_once(connection, Kind.SIGN_IN, secret, now), Method.LINK
            if who is None:
                who, method = credentials.find(connection, Kind.TOKEN, secret, now), Method.TOKEN
            if who is None:
                return None
            begun = self._sessions.begin(
                connection, name=who.name, role=who.role, method=method, visitor=visitor, **_told(failed)
            )
        return self._begun(who.name, who.role, begun, replacing)

    def with_password(
        self, name: str, password: str, visitor: Visitor, *, replacing: Credential | None = None, failed: int = 0
    ) -> SignedIn | None:
        """Sign in with a user's name and password; ``None`` where they do not fit. Raises :class:`UserDeactivated`.

        Costs a tenth of a second of computing and 64 MiB, whoever it is: not to be called by many threads at once.
        """
        hash_ = self._passwords.verified(name, password)
        if hash_ is None:
            return None
        stronger = self._passwords.rehashed(hash_, password)
        with self._guard.database.write() as connection:
            user = find_user(connection, name)
            if user is None or not stored.replace_password_hash(connection, user.id, hash_, stronger or hash_):
                return None  # it was changed a moment ago, and is another now
            if not user.active:
                raise UserDeactivated(_DEACTIVATED)
            begun = self._sessions.begin(
                connection, name=name, role=user.role, method=Method.PASSWORD, visitor=visitor, **_told(failed)
            )
        return self._begun(name, user.role, begun, replacing)

    def with_identity(self, who: Identified, visitor: Visitor, *, replacing: Credential | None = None) -> SignedIn:
        """Sign in whom a provider has identified.

        Somebody is known again by what never changes at the provider, and by the name there the first time alone.
        Raises :class:`UnknownUser`, :class:`UserDeactivated` and :class:`IdentityTaken`.
        """
        with self._guard.database.write() as connection:
            user = self._user_of(connection, who)
            if not user.active:
                raise UserDeactivated(_DEACTIVATED)
            role, ended = user.role, []
            if who.is_administrator is not None:
                role = Role.ADMINISTRATOR if who.is_administrator else Role.DEVELOPER
            if role is not user.role:
                ended = self._change_role(connection, user, role)
            begun = self._sessions.begin(connection, name=user.name, role=role, method=Method.OPENID, visitor=visitor)
        self._sessions.forget(ended)
        return self._begun(user.name, role, begun, replacing)

    def _user_of(self, connection: Connection, who: Identified) -> User:
        known = identities.user_of_identity(connection, who.identity)
        if known is not None:
            return known
        user = find_user(connection, who.name)
        if user is None:
            raise UnknownUser(
                f"You are {who.name[:100]!r} to the provider, and there is no user of that name on this server. Ask "
                "your Service Center administrator to add one."
            )
        if not user.active:
            return user
        if identities.identity_of(connection, user.id) is not None:
            raise IdentityTaken(
                f"The user {who.name!r} of this server is somebody else at the provider: the name was another's there "
                "before. An administrator may let it be yours with 'placet user unlink'."
            )
        now = self._guard.now()
        identities.link_identity(connection, user.id, who.identity, now)
        detail = {"issuer": who.identity.issuer, "identity": who.identity.subject}
        audit.record(connection, audit.Event.IDENTITY_LINKED, now=now, actor=user.name, subject=user.name, **detail)
        return user

    def _change_role(self, connection: Connection, user: User, role: Role) -> list[Credential]:
        """Let a user be what the provider says; sessions with the role there was end."""
        now = self._guard.now()
        set_role(connection, user.name, role, now)
        event, actor = audit.Event.USER_ROLE_CHANGED, BY_PROVIDER
        audit.record(connection, event, now=now, actor=actor, subject=user.name, before=str(user.role), role=str(role))
        return self._sessions.end_all_in(connection, actor=actor, name=user.name, spared=None)

    def unlink(self, name: str, *, actor: str) -> bool:
        """Forget who a user is at the provider; answers whether that was known. Raises :class:`UnknownUser`."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            user = find_user(connection, name)
            if user is None:
                raise UnknownUser(f"There is no user named {name!r}.")
            was_known = identities.unlink_identity(connection, user.id)
            if was_known:
                audit.record(connection, audit.Event.IDENTITY_UNLINKED, now=now, actor=actor, subject=name)
        return was_known

    def note_failures(self, name: str | None, visitor: Visitor, failures: int) -> None:
        """Record that signing in has failed so often that no more is taken for a while.

        What was given as a name is recorded where it is one of a user, and not else: it may be a password.
        """
        now = self._guard.now()
        with self._guard.database.write() as connection:
            known = name is not None and find_user(connection, name) is not None
            subject, event = (name if known and name is not None else "nobody known"), audit.Event.SIGN_IN_FAILED
            detail = {"failures": failures, "address": visitor.address}
            audit.record(connection, event, now=now, actor="a stranger", subject=subject, **detail)

    def knows_address(self, name: str, address: str) -> bool:
        """Tell whether somebody has signed in at an address within the last 90 days."""
        with self._guard.database.read() as connection:
            since = self._guard.now() - KNOWN_FOR
            return credentials.has_signed_in_from(connection, name, address[: credentials.LONGEST_ADDRESS], since)

    def _begun(self, name: str, role: Role, session: str, replaced: Credential | None) -> SignedIn:
        self._seen(name)
        if replaced is not None and replaced.kind is Kind.SESSION:
            self._sessions.sign_out(replaced)
        return SignedIn(name=name, role=role, session=session)


def _has_administrator(connection: Connection, now: datetime) -> bool:
    kinds = (Kind.TOKEN, Kind.SESSION)
    found = (item.role for kind in kinds for item in credentials.in_force(connection, kind, now))
    return Role.ADMINISTRATOR in found or stored.administrator_can_sign_in(connection)


def _told(failed: int) -> dict[str, object]:
    return {"failed_before": failed} if failed else {}
