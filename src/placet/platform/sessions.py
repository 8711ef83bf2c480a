"""Sessions: who is signed in, since when and from where; and ending them.

A session ends when it has lasted too long, or was not used for too long. Its last use is noted in memory and written
once a minute, so that no request waits for it; on a farm another server may know of a use a minute later.
"""

import threading
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from placet.guard import Guard
from placet.platform.remembered import Remembered
from placet.store import audit, credentials
from placet.store.credentials import Credential, Kind, Method, Role, Visitor

SHORTEST_IDLE = timedelta(minutes=5)
LONGEST = timedelta(days=90)
KEPT = timedelta(days=90)
DELETED_EVERY = timedelta(days=1)
MOST_NOTED = 10_000


class Lifetimes(msgspec.Struct, frozen=True, kw_only=True):
    """For how long a session serves: at most ``lasting``, and only as long as it is used again within ``idle``."""

    lasting: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        if not SHORTEST_IDLE <= self.idle <= self.lasting <= LONGEST:
            raise ValueError(
                "A session may be idle for 5 minutes at least, last for 90 days at most, and not be idle for longer "
                "than it lasts."
            )


class UnknownSession(LookupError):
    """There is no session of that id in force, or it is somebody else's."""


class Sessions:
    """The sessions of one server's database."""

    def __init__(self, guard: Guard, remembered: Remembered, lifetimes: Lifetimes) -> None:
        self._guard = guard
        self._remembered = remembered
        self.lifetimes = lifetimes
        self._lock = threading.Lock()
        self._used: dict[int, datetime] = {}
        self._deleted_at: datetime | None = None

    def begin(
        self, connection: Connection, *, name: str, role: Role, method: Method, visitor: Visitor, **detail: object
    ) -> str:
        """Begin a session in the caller's transaction; answers its secret, which is new each time."""
        now = self._guard.now()
        _, secret = credentials.create(
            connection,
            Kind.SESSION,
            name=name,
            role=role,
            now=now,
            expires_at=now + self.lifetimes.lasting,
            method=method,
            visitor=visitor,
        )
        told = {"method": str(method), "address": visitor.address} | detail
        audit.record(connection, audit.Event.SIGNED_IN, now=now, actor=name, subject=name, **told)
        return secret

    def is_idle(self, session: Credential, now: datetime) -> bool:
        """Tell whether a session was not used for too long."""
        return now - self.last_used(session) >= self.lifetimes.idle

    def last_used(self, session: Credential) -> datetime:
        """Answer when a session was last used, as far as this server knows."""
        known = (session.created_at, session.last_used_at, self._used.get(session.id))
        return max(at for at in known if at is not None)

    def see(self, session: Credential, now: datetime) -> None:
        """Note that a session is used; cheap. Of more than 10,000 in a minute some are forgotten."""
        with self._lock:
            if len(self._used) < MOST_NOTED or session.id in self._used:
                self._used[session.id] = now

    def keep_up(self) -> None:
        """Write down what was used, and once a day delete what has been over for long. Meant for once a minute."""
        self.write()
        now = self._guard.now()
        if self._deleted_at is None or now - self._deleted_at >= DELETED_EVERY:
            with self._guard.database.write() as connection:
                credentials.delete_old(connection, now - KEPT)
            self._deleted_at = now

    def write(self) -> None:
        """Write down what was used."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        try:
            with self._guard.database.write() as connection:
                credentials.note_used(connection, used)
        except BaseException:
            with self._lock:
                self._used = used | self._used
            raise

    def in_force(self, name: str | None = None) -> list[Credential]:
        """Answer the sessions in force, somebody's or everybody's, oldest first."""
        now = self._guard.now()
        with self._guard.database.read() as connection:
            found = credentials.in_force(connection, Kind.SESSION, now, name=name)
        return [session for session in found if not self.is_idle(session, now)]

    def end(self, session_id: int, *, actor: str, owner: str | None) -> Credential:
        """End a session; where an ``owner`` is given, only one of theirs. Raises :class:`UnknownSession`."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            session = credentials.end(connection, Kind.SESSION, session_id, now)
            if session is None or (owner is not None and session.name != owner):
                raise UnknownSession(f"There is no session {session_id} in force that is yours to end.")
            _record_ended(connection, [session], actor, now)
        self._remembered.forget(session.id)
        return session

    def end_all(self, *, actor: str, name: str | None, spared: int | None) -> list[Credential]:
        """End somebody's sessions, or everybody's for ``None``, but the one ``spared``; answers those it was."""
        with self._guard.database.write() as connection:
            ended = self.end_all_in(connection, actor=actor, name=name, spared=spared)
        self.forget(ended)
        return ended

    def end_all_in(
        self, connection: Connection, *, actor: str, name: str | None, spared: int | None
    ) -> list[Credential]:
        """Like :meth:`end_all`, in the caller's transaction; :meth:`forget` them once it is durable."""
        now = self._guard.now()
        ended = credentials.end_all(connection, Kind.SESSION, now, name=name, spared=spared)
        _record_ended(connection, ended, actor, now)
        return ended

    def forget(self, ended: list[Credential]) -> None:
        """Believe ended sessions no longer, even while the database cannot be reached."""
        for session in ended:
            self._remembered.forget(session.id)

    def sign_out(self, session: Credential) -> None:
        """End the caller's own session."""
        now = self._guard.now()
        with self._guard.database.write() as connection:
            credentials.end(connection, Kind.SESSION, session.id, now)
            audit.record(connection, audit.Event.SIGNED_OUT, now=now, actor=session.name, subject=session.name)
        self._remembered.forget(session.id)


def _record_ended(connection: Connection, ended: list[Credential], actor: str, now: datetime) -> None:
    for session in ended:
        event = audit.Event.SESSION_ENDED
        audit.record(connection, event, now=now, actor=actor, subject=session.name, id=session.id)
