"""A front-end: one of the servers that share a database, a license and its usage.

1. Each server enters itself and beats. Who has not beaten for four beats is dead: whoever beats next takes it out and
   gives back what it held, so that the limit counts the living. A server that stops takes itself out.
2. A place of the limit *Front-end Servers* is taken at the start, and where that is refused, at each beat, as soon as
   what bears on the license changes, and at an operation.
3. A server without a place serves: sign-in, views, license upload, published modules. An operation that is allowed
   otherwise is refused on it with the decision that refused the place. Where the operation's own decision refuses, that
   one is told.
4. The identity is kept in the data directory, so that a server started again is the same front-end. Where two
   processes have the same one (a copied data directory), the one that was there first takes a new one.
"""

import json
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from placet import __version__
from placet.enforcement import Decision, Refused
from placet.guard import Guard
from placet.guard.judge import SYSTEM
from placet.platform.layout import Layout, write_durably
from placet.platform.product import FRONT_END_SERVERS
from placet.store import audit, front_ends

REGISTER = "register_front_end"
BEAT = timedelta(seconds=5)
BEATS_OF_LIFE = 4

log = structlog.get_logger()


class FrontEnd:
    """This server as one of the front-ends; ``address`` is where others reach it, ``beat`` how often it beats."""

    def __init__(self, guard: Guard, layout: Layout, *, address: str = "", beat: timedelta = BEAT) -> None:
        self.name = socket.gethostname() or "front-end"
        self.address = address
        self.every = beat
        self._guard = guard
        self._identity = layout.data / "front-end.json"
        self._id = _identity_in(self._identity)
        self._lasting = beat * BEATS_OF_LIFE
        self._lock = threading.Lock()
        self._started_at: datetime | None = None
        self._lives_until = 0.0
        self._told_digest: str | None = None
        self._holds_place = False
        self._refusal: Decision | None = None

    @property
    def id(self) -> str:
        """Its identity, a UUID."""
        return self._id

    @property
    def entry(self) -> tuple[str, datetime | None]:
        """Which entry among the front-ends is this server's now: it may have been taken out and entered anew."""
        return self._id, self._started_at

    @property
    def license_digest(self) -> str | None:
        """The digest of the license this server goes by now."""
        found = self._guard.status().license
        return None if found is None else found.digest

    @property
    def registered(self) -> bool:
        """Whether it holds a place, as far as it can know: who could not beat for too long may have lost it."""
        return self._holds_place and time.monotonic() < self._lives_until

    # What it does

    def beat(self) -> None:
        """Say that this server lives, take the dead out, and take a place where it has none."""
        self._guard.refresh()
        with self._lock:
            self._enter()
            self._take_out_the_dead()
            self._take_place()

    def notice(self) -> None:
        """Do what changed facts ask for: tell which license this server goes by now, and take a place."""
        with self._lock:
            if self.license_digest != self._told_digest or not self._holds_place:
                self._enter()
            self._take_place()

    def leave(self) -> None:
        """Stop being a front-end: give the place back, and go."""
        with self._lock, suppress(_StandsOtherwise):
            if self._started_at is not None:
                with self._guard.releasing(self._id, FRONT_END_SERVERS) as connection:
                    _expect(front_ends.leave(connection, self._id, self._started_at))
            self._started_at, self._holds_place = None, False

    # What is asked of it

    def require(self) -> None:
        """Let an operation through that is allowed otherwise; raises :class:`Refused` on a server without a place."""
        if self.registered:
            return
        with self._lock:
            self._enter()
            self._take_place()
            if self._refusal is not None:
                raise Refused(self._refusal)

    def decide(self, operation: str) -> Decision:
        """Answer whether an operation may happen on this server now, by what is known: no database is asked."""
        decision, refusal = self._guard.check(operation), self._refusal
        if decision.allowed and refusal is not None and refusal.feature == FRONT_END_SERVERS:
            return refusal
        return decision

    # For itself

    def _enter(self) -> None:
        """Beat, or enter anew where this server was taken out meanwhile, or another process has its identity."""
        digest, began = self.license_digest, time.monotonic()
        with self._guard.database.write() as connection:
            started_at = self._started_at
            if started_at is None or not self._beat(connection, started_at, digest):
                self._holds_place = False
                if started_at is not None and front_ends.is_entered(connection, self._id):
                    log.warning("front_end_copied", id=self._id, advice="A server with a copied data directory runs.")
                    self._id = _new_identity(self._identity)
                started_at = front_ends.arrive(
                    connection,
                    self._id,
                    name=self.name,
                    address=self.address,
                    version=__version__,
                    lasting=self._lasting,
                )
                self._beat(connection, started_at, digest)
        self._started_at, self._told_digest = started_at, digest
        self._lives_until = began + self._lasting.total_seconds()

    def _beat(self, connection: Connection, started_at: datetime, digest: str | None) -> bool:
        return front_ends.beat(connection, self._id, started_at, license_digest=digest, lasting=self._lasting)

    def _take_place(self) -> None:
        if self._holds_place:
            return
        decision = self._guard.check(REGISTER)  # what no place can change is told without asking for one
        if decision.allowed:
            try:
                decision = self._guard.allocate(REGISTER, self._id, front_end_servers=1)
            except Refused as error:
                decision = error.decision
        self._holds_place = decision.allowed
        self._refusal = None if decision.allowed else decision

    def _take_out_the_dead(self) -> None:
        with self._guard.database.read() as connection:
            dead = front_ends.dead(connection)
            strangers = front_ends.strangers(connection, FRONT_END_SERVERS)
        for gone in dead:
            self._take_out(gone)
        for holder in strangers:
            with suppress(_StandsOtherwise), self._guard.releasing(holder, FRONT_END_SERVERS) as connection:
                _expect(not front_ends.is_entered(connection, holder))

    def _take_out(self, gone: front_ends.Dead) -> None:
        with suppress(_StandsOtherwise), self._guard.releasing(gone.id, FRONT_END_SERVERS) as connection:
            _expect(front_ends.remove_dead(connection, gone.id))
            now, event = self._guard.now(), audit.Event.FRONT_END_REMOVED
            audit.record(connection, event, now=now, actor=SYSTEM, subject=gone.name, id=gone.id, by=self._id)


class _StandsOtherwise(Exception):
    """Somebody else has settled meanwhile what was to be settled; nothing of it is done twice."""


def _expect(condition: bool) -> None:  # noqa: FBT001
    if not condition:
        raise _StandsOtherwise


def _identity_in(path: Path) -> str:
    try:
        return str(uuid.UUID(json.loads(path.read_text())["id"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _new_identity(path)


def _new_identity(path: Path) -> str:
    identity = str(uuid.uuid4())
    write_durably(path, {"id": identity})
    return identity
