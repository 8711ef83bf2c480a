"""Who works with the server: users and their seats, and tokens. How they sign in has modules of its own."""

import re
import time
from contextlib import suppress
from datetime import datetime

from placet.enforcement import Decision
from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.platform.inactive_users import InactiveUsers, Inactivity
from placet.platform.openid import Identified
from placet.platform.passwords import Passwords, UnknownUser
from placet.platform.product import USERS
from placet.platform.remembered import Remembered
from placet.platform.sessions import Lifetimes, Sessions
from placet.platform.sign_ins import BY_PROVIDER, SIGN_IN_LASTS, SignedIn, SignIns
from placet.store import audit, credentials, users
from placet.store.credentials import Credential, Kind, Role, Visitor
from placet.store.reach import NOT_REACHED
from placet.store.rows import may_be_stored
from placet.store.users import NameTaken, User

ACTIVATE_USER = "activate_user"
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")


class UnknownToken(LookupError):
    """There is no token of that id in force."""


class People:
    """The users and credentials of one server."""

    def __init__(self, guard: Guard, front_end: FrontEnd, *, lifetimes: Lifetimes | None = None) -> None:
        self._guard = guard
        self._front_end = front_end
        self._remembered = Remembered()
        self.inactive = InactiveUsers(guard)
        self.sessions = Sessions(guard, self._remembered, lifetimes or Lifetimes())
        self.passwords = Passwords(guard, self.sessions)
        self.sign_ins = SignIns(guard, self.sessions, self.passwords, seen=self.inactive.see)

    # Users

    def users(self) -> list[User]:
        """Answer the users by name."""
        with self._guard.database.read() as connection:
            return users.all_users(connection)

    def add(self, name: str, role: Role, *, actor: str) -> tuple[User, Decision]:
        """Add an active user, who takes a seat. Raises ``Refused`` and ``NameTaken``."""
        self._guard.require(ACTIVATE_USER, users=0)
        self._front_end.require()
        with self._guard.allocation(ACTIVATE_USER, name, actor=actor, users=1) as grant:
            now = self._guard.now()
            user = users.add_user(grant.connection, name=name, role=role, active=True, now=now)
            event = audit.Event.USER_ADDED
            audit.record(grant.connection, event, now=now, actor=actor, subject=name, role=str(role))
        return user, grant.decision

    def activate(self, name: str, *, actor: str) -> tuple[User, Decision]:
        """Give a user a seat again. Raises ``Refused`` and :class:`UnknownUser`."""
        self._guard.require(ACTIVATE_USER, users=0)
        with self._guard.database.read() as connection:  # whom nobody knows is told so, however full the seats are
            if users.find_user(connection, name) is None:
                raise UnknownUser(f"There is no user named {name!r}.")
        self._front_end.require()
        with self._guard.allocation(ACTIVATE_USER, name, actor=actor, users=1) as grant:
            now = self._guard.now()
            user = users.set_active(grant.connection, name, active=True, now=now)
            if user is None:
                raise UnknownUser(f"There is no user named {name!r}.")
            audit.record(grant.connection, audit.Event.USER_ACTIVATED, now=now, actor=actor, subject=name)
        return user, grant.decision

    def deactivate(self, name: str, *, actor: str) -> User:
        """Free a user's seat, whatever the license says. Raises :class:`UnknownUser`."""
        with self._guard.releasing(name, USERS, actor=actor) as connection:
            now = self._guard.now()
            user = users.set_active(connection, name, active=False, now=now)
            if user is None:
                raise UnknownUser(f"There is no user named {name!r}.")
            audit.record(connection, audit.Event.USER_DEACTIVATED, now=now, actor=actor, subject=name)
        self._remembered.forget_all_of(name)
        return user

    def clean_up(self, inactivity: Inactivity, *, actor: str) -> list[User]:
        """Deactivate who was not seen for long, and free the seats; answers those it was."""
        done = self.inactive.deactivate(inactivity, actor=actor)
        for user in done:
            self._remembered.forget_all_of(user.name)
        return done

    # Credentials

    def create_token(self, name: str, role: Role, *, actor: str) -> tuple[int, str]:
        """Make a token; answers its id and the token itself, which is told once."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            token_id, secret = credentials.create(connection, Kind.TOKEN, name=name, role=role, now=now)
            event = audit.Event.TOKEN_CREATED
            audit.record(connection, event, now=now, actor=actor, subject=name, role=str(role), id=token_id)
        return token_id, secret

    def in_force(self, kind: Kind) -> list[Credential]:
        """Answer the credentials of a kind that are in force."""
        with self._guard.database.read() as connection:
            return credentials.in_force(connection, kind, self._guard.now())

    def revoke_token(self, token_id: int, *, actor: str) -> None:
        """Revoke a token; raises :class:`UnknownToken`."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            token = credentials.end(connection, Kind.TOKEN, token_id, now)
            if token is None:
                raise UnknownToken(f"There is no token {token_id} in force.")
            event = audit.Event.TOKEN_REVOKED
            audit.record(connection, event, now=now, actor=actor, subject=token.name, id=token_id)
        self._remembered.forget(token_id)

    def find(self, kind: Kind, secret: str, *, for_reading: bool = False) -> Credential | None:
        """Answer the token or session of a secret, if it is in force.

        Where the database cannot be reached, one verified within five minutes serves, ``for_reading`` alone.
        """
        now, asked_at = self._guard.now(), time.monotonic()
        try:
            with self._guard.database.read() as connection:
                found = credentials.find(connection, kind, secret, now)
        except NOT_REACHED:
            known = self._remembered.find(kind, secret) if for_reading else None
            if known is None or self._is_over(known, now):
                raise
            return known
        if found is not None and self._is_over(found, now):
            found = None
        self._remembered.note(kind, secret, found, asked_at=asked_at)
        if found is not None:
            self.inactive.see(found.name)
            if kind is Kind.SESSION:
                self.sessions.see(found, now)
        return found

    def sign_in_identified(
        self, who: Identified, visitor: Visitor, *, create: bool, replacing: Credential | None = None
    ) -> SignedIn:
        """Sign in whom a provider has identified; with ``create``, whoever is no user yet becomes one and takes a seat.

        Raises what :meth:`.SignIns.with_identity` and :meth:`add` raise. Who is deactivated stays so.
        """
        try:
            return self.sign_ins.with_identity(who, visitor, replacing=replacing)
        except UnknownUser:
            if not create or _NO_NAME.search(who.name) or not may_be_stored(who.name):
                raise
        role = Role.ADMINISTRATOR if who.is_administrator else Role.DEVELOPER
        with suppress(NameTaken):  # the same person, from another tab
            self.add(who.name, role, actor=BY_PROVIDER)
        return self.sign_ins.with_identity(who, visitor, replacing=replacing)

    def verified_lately(self, secret: str) -> Credential | None:
        """Answer the token of a secret, if the database has verified it within the last second. Asks no database."""
        known = self._remembered.find(Kind.TOKEN, secret, lately=True)
        if known is None or known.expires_at is None:
            return known
        return None if self._is_over(known, self._guard.now()) else known

    def one_time_sign_in(self, name: str, role: Role) -> str:
        """Make a code that signs in once, within a day."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            _, secret = credentials.create(
                connection, Kind.SIGN_IN, name=name, role=role, now=now, expires_at=now + SIGN_IN_LASTS
            )
        return secret

    def _is_over(self, credential: Credential, now: datetime) -> bool:
        if credential.expires_at is not None and credential.expires_at <= now:
            return True
        return credential.kind is Kind.SESSION and self.sessions.is_idle(credential, now)
