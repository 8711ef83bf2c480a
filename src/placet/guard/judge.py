"""What every part of a guard stands on: the facts as one snapshot, kept up to date, and judged by the rules."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, Policy, Product, Refused, Status, decide, evaluate, with_usage
from placet.guard.snapshot import Answer, Snapshot
from placet.license.keys import TrustStore
from placet.store import audit, dialects, history, holders, metering, usage
from placet.store.database import Database
from placet.store.facts import StoredFacts, read_facts, read_with
from placet.store.history import Retention
from placet.store.hot import Call
from placet.store.installation import ensure_installation, lock_installation, note_moment
from placet.store.reach import NOT_REACHED

SYSTEM = "system"


class Judge:
    """Judges one installation of one product.

    ``clock`` answers seconds since the epoch; each decision and each status is of one moment. ``retention`` says how
    long the usage of the past is kept. ``refused`` is told of each license that is refused, by whom it was uploaded and
    when, in the transaction that records it.
    """

    def __init__(
        self,
        database: Database,
        product: Product,
        trust: TrustStore,
        *,
        policy: Policy | None = None,
        retention: Retention | None = None,
        clock: Callable[[], float] = time.time,
        refused: Callable[[Connection, Decision, str, datetime], None] | None = None,
    ) -> None:
        policy = policy or Policy()
        if policy.vendor_name is None:
            policy = msgspec.structs.replace(policy, vendor_name=trust.issuer)
        self.database = database
        self.product = product
        self.trust = trust
        self.policy = policy
        self.retention = retention or Retention()
        self.clock = clock
        self._refused = refused
        self._limits = frozenset(limit.name for limit in product.limits)
        self._totals = self._limits | {seats.name for seats in product.seats}
        self._by_day = [*(seats.name for seats in product.seats), *(metered.name for metered in product.metered)]
        self._loading = threading.Lock()
        self._answers: Mapping[str, Answer] = {}
        self._numbers = itertools.count(1)
        self._change = self._known_change = 0  # the newest of its own changes, and that which the snapshot has
        self._folded_in: datetime | None = None
        with database.write() as connection:
            ensure_installation(connection, self.now())
            usage.ensure_totals(connection, self._totals)
            metering.ensure_meters(connection, (metered.name for metered in product.metered), self.now())
        self._mark = database.change_mark()
        self._snapshot = self._load(None)
        self._answers = self._snapshot.answers

    def now(self) -> datetime:
        """The moment by the guard's clock."""
        return datetime.fromtimestamp(self.clock(), UTC)

    # What is asked

    def status(self) -> Status:
        """Answer the license as it stands now."""
        return self._current().status(self.clock())

    def check(self, operation: str, /, **amounts: int) -> Decision:
        """Answer whether ``operation`` may happen now; ``amounts`` are units by limit, for a new holder."""
        if amounts:
            wanted = {name: Amount(units) for name, units in amounts.items()}
            return decide(self.status(), operation, wanted)
        try:
            decision, since, until = self._answers[operation]
            if since <= self.clock() < until:
                return decision
        except KeyError:
            pass
        return self._current().answer(operation, self.clock())

    def require(self, operation: str, /, **amounts: int) -> Decision:
        """Answer the decision like :meth:`check`, or raise :class:`Refused` with it."""
        decision = self.check(operation, **amounts)
        if not decision.allowed:
            raise Refused(decision)
        return decision

    # Keeping up

    def reload(self) -> None:
        """Read the facts anew and swap the snapshot."""
        with self._loading:
            self._reload()

    def refresh(self) -> bool:
        """Read the facts anew if anything, in any process, has changed the database; answers whether it has."""
        mark = self.database.change_mark()
        if mark == self._mark:
            return False
        self.reload()
        self._mark = mark
        return True

    def tick(self) -> None:
        """Note the passing of time: the newest moment seen, and usage now. Meant for once a minute.

        Once an hour what is past its retention is folded.
        """
        now = self.now()
        hour = history.hour_of(now)
        with self.database.write() as connection:
            lock_installation(connection)
            note_moment(connection, now)
            history.sample(connection, self._evaluate(connection).features.values(), now)
            for seats in self.product.seats:
                holders.sample_seats(connection, seats.name, now, dialects.clock(connection))
            if hour != self._folded_in:
                history.fold(connection, now, self.retention)
                holders.forget(connection, now, self.retention)
                holders.forget_days(connection, self._by_day, now, self.retention)
                holders.note(connection, self._limits, now)
        self._folded_in = hour
        self.reload()

    # For the parts

    def _changed(self) -> None:
        """Say that this guard has changed the facts. They are read anew by whoever asks next, not by who changed them.

        The path of a switch asks nobody: it is emptied, so that the next switch comes by here as well.
        """
        self._change = next(self._numbers)
        self._answers = {}

    def _current(self) -> Snapshot:
        """The snapshot, with everything this guard itself has changed.

        While the database cannot be reached, what was known before is the best there is to answer by.
        """
        if self._known_change != self._change:
            with suppress(*NOT_REACHED), self._loading:  # who waited for another to load finds it done
                if self._known_change != self._change:
                    self._reload()
        return self._snapshot

    def _reload(self) -> None:
        """Swap the snapshot. What is changed meanwhile is not in it: in this order, nobody takes it for known."""
        change = self._change
        self._snapshot = self._load(self._snapshot)
        self._known_change = change
        self._answers = self._snapshot.answers
        if change != self._change:
            self._answers = {}

    def _load(self, known: Snapshot | None) -> Snapshot:
        with self.database.read() as connection:
            stored = read_facts(connection, self.trust, known.stored if known else None)
        if known is not None and stored == known.stored:
            return known
        return Snapshot(stored, self.product, self.policy)

    def _evaluate(self, connection: Connection) -> Status:
        """Judge the facts as the caller's transaction sees them."""
        return self._evaluate_with(connection, (), ())[0]

    def _evaluate_with(
        self, connection: Connection, first: Sequence[Call], then: Sequence[Call]
    ) -> tuple[Status, list[Any]]:
        """Judge the facts between other statements, like ``facts.read_with``."""
        stored, others = self._read_with(connection, first, then)
        return self._judge(stored), others

    def _read_with(
        self, connection: Connection, first: Sequence[Call], then: Sequence[Call]
    ) -> tuple[StoredFacts, list[Any]]:
        return read_with(connection, self.trust, self._snapshot.stored, first, then)

    def _judge(self, stored: StoredFacts) -> Status:
        snapshot = self._snapshot
        if stored is snapshot.stored:
            return snapshot.status(self.clock())
        if stored.installation is snapshot.stored.installation:
            return with_usage(snapshot.status(self.clock()), stored.facts)
        return evaluate(stored.facts, self.product, self.now(), self.policy)

    def _record(self, connection: Connection, event: audit.Event, actor: str, subject: str, **detail: object) -> None:
        audit.record(connection, event, now=self.now(), actor=actor, subject=subject, **detail)
