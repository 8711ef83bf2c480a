"""Passwords of users: set by a one-time link that an administrator makes, changed by their owner.

They are hashed with Argon2id (RFC 9106, its second recommended set: 64 MiB, three passes). Computing that is what the
caller has to bound: each call here that says so costs a tenth of a second and that memory.
"""

import secrets
import unicodedata
from datetime import datetime, timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from placet.guard import Guard
from placet.platform.sessions import Sessions
from placet.store import audit, credentials
from placet.store import passwords as stored
from placet.store.credentials import Kind
from placet.store.users import find_user

SHORTEST_BYTES = 12
LONGEST_BYTES = 1024
LINK_LASTS = timedelta(hours=24)
FEWEST_DIFFERENT = 5


class PasswordRejected(ValueError):
    """A password that is not to be one; the text says why."""


class UnknownPasswordLink(LookupError):
    """The one-time link for a password is not in force."""


class WrongPassword(Exception):
    """The old password is another."""


class UnknownUser(LookupError):
    """There is no user of that name."""


class UserDeactivated(Exception):
    """The user is deactivated, and can do nothing on this server until activated again."""


class Passwords:
    """The passwords of one server's users."""

    def __init__(self, guard: Guard, sessions: Sessions, hasher: PasswordHasher | None = None) -> None:
        self._guard = guard
        self._sessions = sessions
        self._hasher = hasher or PasswordHasher()

    def make_link(self, name: str, *, actor: str) -> tuple[str, datetime]:
        """Make a one-time code that sets a user's password; answers it and when it ends. Earlier ones end now.

        Raises :class:`UnknownUser` and :class:`UserDeactivated`.
        """
        now = self._guard.now()
        with self._guard.database.write() as connection:
            user = find_user(connection, name)
            if user is None:
                raise UnknownUser(f"There is no user named {name!r}. Add the user first; then there can be a password.")
            if not user.active:
                raise UserDeactivated(f"The user {name!r} is deactivated. Activate the user first, then make the link.")
            credentials.end_all(connection, Kind.PASSWORD_LINK, now, name=name)
            ends_at = now + LINK_LASTS
            _, secret = credentials.create(
                connection, Kind.PASSWORD_LINK, name=name, role=user.role, now=now, expires_at=ends_at
            )
            audit.record(connection, audit.Event.PASSWORD_LINK_MADE, now=now, actor=actor, subject=name)
        return secret, ends_at

    def of_link(self, secret: str) -> str:
        """Answer whose password a one-time code sets. Raises :class:`UnknownPasswordLink`."""
        with self._guard.database.read() as connection:
            found = credentials.find(connection, Kind.PASSWORD_LINK, secret, self._guard.now())
        if found is None:
            raise UnknownPasswordLink
        return found.name

    def set_by_link(self, secret: str, password: str) -> str:
        """Set a password; ends the user's sessions, and answers the name.

        Raises :class:`UnknownPasswordLink` and :class:`PasswordRejected`, after which the link still serves. Hashes.
        """
        name = self.of_link(secret)
        hash_ = self._hash(name, password)
        now = self._guard.now()
        with self._guard.database.write() as connection:
            used = credentials.use_once(connection, Kind.PASSWORD_LINK, secret, now)
            user = None if used is None else find_user(connection, name)
            if user is None:
                raise UnknownPasswordLink
            stored.set_password_hash(connection, user.id, hash_, now)
            audit.record(connection, audit.Event.PASSWORD_SET, now=now, actor=name, subject=name)
            ended = self._sessions.end_all_in(connection, actor=name, name=name, spared=None)
        self._sessions.forget(ended)
        return name

    def change(self, name: str, old: str, new: str, *, spared: int | None) -> int:
        """Change a user's password; ends the other sessions and answers how many. Hashes, twice.

        Raises :class:`WrongPassword` and :class:`PasswordRejected`.
        """
        before = self.verified(name, old)
        if before is None:
            raise WrongPassword
        hash_ = self._hash(name, new)
        now = self._guard.now()
        with self._guard.database.write() as connection:
            user = find_user(connection, name)
            if user is None or not stored.replace_password_hash(connection, user.id, before, hash_):
                raise WrongPassword  # it was changed a moment ago, and is another now
            stored.set_password_hash(connection, user.id, hash_, now)
            audit.record(connection, audit.Event.PASSWORD_CHANGED, now=now, actor=name, subject=name)
            ended = self._sessions.end_all_in(connection, actor=name, name=name, spared=spared)
        self._sessions.forget(ended)
        return len(ended)

    def has_password(self, name: str) -> bool:
        """Tell whether a user has a password."""
        with self._guard.database.read() as connection:
            user = find_user(connection, name)
            return user is not None and stored.password_hash_of(connection, user.id) is not None

    def verified(self, name: str, password: str) -> str | None:
        """Answer the hash of a user's password if that is it, deactivated or not; ``None`` where it is not. Hashes.

        The work is the same for a name that nobody has.
        """
        with self._guard.database.read() as connection:
            user = find_user(connection, name)
            hash_ = None if user is None else stored.password_hash_of(connection, user.id)
        is_it = self._fits(hash_ or self._nobodys, password)
        return hash_ if is_it else None

    def rehashed(self, hash_: str, password: str) -> str | None:
        """Answer a new hash of a verified password where the old one is weaker than today's. Hashes, then."""
        return self._hasher.hash(_bytes(password)) if self._hasher.check_needs_rehash(hash_) else None

    def _fits(self, hash_: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash_, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))

    def _hash(self, name: str, password: str) -> str:
        reason = rejection_of(name, password)
        if reason is not None:
            raise PasswordRejected(reason)
        return self._hasher.hash(_bytes(password))


def rejection_of(name: str, password: str) -> str | None:
    """Answer why a password is not taken; ``None`` where it is."""
    size = len(_bytes(password))
    if size < SHORTEST_BYTES:
        return (
            f"The password has {size} bytes and needs at least {SHORTEST_BYTES}. A few words that only you would put "
            "together are easier to remember than signs."
        )
    if size > LONGEST_BYTES:
        return f"The password has {size:,} bytes and may have {LONGEST_BYTES:,} at most."
    if len(set(password)) < FEWEST_DIFFERENT:
        return f"The password has fewer than {FEWEST_DIFFERENT} different characters, which is easily guessed."
    if password.casefold() == name.casefold():
        return "The password is the user's name, which is the first that somebody would try."
    return None


def _bytes(password: str) -> bytes:
    """One way to write a password that keyboards write differently (RFC 8265 section 4.2.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
