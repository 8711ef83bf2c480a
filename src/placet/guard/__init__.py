"""The guard: facts and rules together. The public API of Placet for a product that enforces licenses.

A guard answers "may this happen now?" (:meth:`Guard.check`, :meth:`Guard.require`), counts what is used
(:meth:`Guard.allocation`, :meth:`Guard.releasing`), and looks after the license itself (:meth:`Guard.status`,
:meth:`Guard.install`, :meth:`Guard.request`). It is safe for threads. Refusals are :class:`Refused`; a call that
contradicts the product's definition is a ``ProductError``.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, Policy, Product, ProductError, Refused, Status, decide, evaluate
from placet.guard.installing import AcknowledgementRequired, Installer, Outcome
from placet.guard.snapshot import Snapshot
from placet.license.document import License, examine
from placet.license.keys import TrustStore
from placet.license.request import LicenseRequest, sign_request
from placet.license.status_list import SignedStatusList, verify_status_list
from placet.license.terms import FORMAT_VERSION
from placet.store import audit, licenses, usage
from placet.store.database import Database
from placet.store.facts import read_facts
from placet.store.installation import (
    change_installation,
    ensure_installation,
    lock_installation,
    note_moment,
    renew_identity,
)

__all__ = ["AcknowledgementRequired", "Grant", "Guard", "Outcome", "StatusListOutdated", "UnknownLicense"]

SYSTEM = "system"
LONGEST_HOLDER = 200


class Grant(msgspec.Struct, frozen=True):
    """An allocation that was allowed: the decision, and the transaction it is part of."""

    decision: Decision
    connection: Connection


class UnknownLicense(LookupError):
    """The license history has no entry of that id."""


class StatusListOutdated(ValueError):
    """The server holds a newer status list already."""


class Guard:
    """Guards one installation of one product.

    ``clock`` answers seconds since the epoch; each decision and each status is of one moment.
    """

    def __init__(
        self,
        database: Database,
        product: Product,
        trust: TrustStore,
        *,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        policy = policy or Policy()
        if policy.vendor_name is None:
            policy = msgspec.structs.replace(policy, vendor_name=trust.issuer)
        self.database = database
        self.product = product
        self.trust = trust
        self.policy = policy
        self._clock = clock
        self._limits = frozenset(limit.name for limit in product.limits)
        self._loading = threading.Lock()
        with database.write() as connection:
            ensure_installation(connection, self.now())
            usage.ensure_totals(connection, self._limits)
        self._mark = database.change_mark()
        self._swap(self._load(None))

    @classmethod
    def open(cls, url: str, product: Product, trust: bytes, *, policy: Policy | None = None) -> Self:
        """Open a guard on the database at ``url`` (SQLAlchemy's form) with a trust store file's content.

        Raises ``DatabaseUnusable`` and ``KeyUnusable``.
        """
        store = TrustStore.from_jwks(trust)
        return cls(Database.open(url), product, store, policy=policy)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def now(self) -> datetime:
        """The moment by the guard's clock."""
        return datetime.fromtimestamp(self._clock(), UTC)

    # What is asked

    def status(self) -> Status:
        """Answer the license as it stands now."""
        return self._snapshot.status(self._clock())

    def check(self, operation: str, /, **amounts: int) -> Decision:
        """Answer whether ``operation`` may happen now; ``amounts`` are units by limit, for a new holder."""
        if amounts:
            wanted = {name: Amount(units) for name, units in amounts.items()}
            return decide(self.status(), operation, wanted)
        try:
            decision, since, until = self._answers[operation]
            if since <= self._clock() < until:
                return decision
        except KeyError:
            pass
        return self._snapshot.answer(operation, self._clock())

    def require(self, operation: str, /, **amounts: int) -> Decision:
        """Answer the decision like :meth:`check`, or raise :class:`Refused` with it."""
        decision = self.check(operation, **amounts)
        if not decision.allowed:
            raise Refused(decision)
        return decision

    def preview(self, operation: str, holder: str, /, **amounts: int) -> Decision:
        """Answer what :meth:`allocation` would decide for ``holder`` now, changing nothing."""
        _check_holder(holder)
        with self.database.read() as connection:
            return self._decide(connection, self._evaluate(connection), operation, holder, amounts)

    # What is counted

    @contextmanager
    def allocation(self, operation: str, holder: str, /, *, actor: str = SYSTEM, **amounts: int) -> Iterator[Grant]:
        """Set what ``holder`` holds, in a transaction the caller adds to: all of it happens, or nothing.

        ``amounts`` are absolute units by limit; a retry changes nothing. Raises :class:`Refused` before the body
        runs; rolls back where the body raises.
        """
        _check_holder(holder)
        with self.database.write() as connection:
            usage.lock(connection, amounts)
            status = self._evaluate(connection)
            decision = self._decide(connection, status, operation, holder, amounts)
            if not decision.allowed:
                raise Refused(decision)
            for name, units in sorted(amounts.items()):
                limit = status.features[name].tolerated_limit
                usage.set_amount(connection, name, holder, units, limit=limit, now=self.now())
            self._record(connection, audit.Event.ALLOCATED, actor, holder, operation=operation, **amounts)
            yield Grant(decision, connection)
        self.reload()

    @contextmanager
    def releasing(self, holder: str, /, *features: str, actor: str = SYSTEM) -> Iterator[Connection]:
        """Give back what ``holder`` holds of ``features``, in a transaction the caller adds to. Never refused."""
        _check_holder(holder)
        for name in features:
            if name not in self._limits:
                raise ProductError(f"The product {self.product.name!r} has no limit {name!r}.")
        with self.database.write() as connection:
            freed = {name: usage.release(connection, name, holder) for name in sorted(features)}
            self._record(connection, audit.Event.RELEASED, actor, holder, **freed)
            yield connection
        self.reload()

    # The license itself

    def install(self, data: bytes, *, actor: str = SYSTEM, dry_run: bool = False, acknowledge: bool = False) -> Outcome:
        """Install a license file. Raises :class:`Refused`; the license before it stays in force then."""
        return self._install(data, actor=actor, dry_run=dry_run, acknowledge=acknowledge)

    def restore(self, license_id: int, *, actor: str = SYSTEM, acknowledge: bool = False) -> Outcome:
        """Put a license of the history in force again, verified anew.

        Raises :class:`UnknownLicense`, :class:`Refused`.
        """
        with self.database.read() as connection:
            found = licenses.read_license(connection, license_id)
        if found is None:
            raise UnknownLicense(f"The license history has no entry {license_id}.")
        return self._install(found.signed.encode(), actor=actor, acknowledge=acknowledge, restored_from=license_id)

    @property
    def license_id(self) -> int | None:
        """The entry of the history that is in force, if any."""
        return self._snapshot.stored.installation.license_id

    def history(self) -> list[licenses.InstalledLicense]:
        """Answer the licenses that were installed, newest first; an evaluation with the end it has here."""
        with self.database.read() as connection:
            entries = licenses.history(connection)
        return [self._with_its_end(entry) for entry in entries]

    def _with_its_end(self, entry: licenses.InstalledLicense) -> licenses.InstalledLicense:
        row = self._snapshot.stored.installation
        found = examine(entry.signed.encode(), self.trust) if entry.jti == row.evaluation_jti else None
        if not isinstance(found, License):
            return entry
        return msgspec.structs.replace(entry, expires_at=found.terms.expires_at(row.evaluation_started_at))

    def install_status_list(self, data: bytes, *, actor: str = SYSTEM) -> SignedStatusList:
        """Install the vendor's list of revoked licenses.

        Raises ``DocumentRejected``, or :class:`StatusListOutdated` where a newer list is there already.
        """
        found = verify_status_list(data, self.trust)
        sequence = found.content.sequence
        with self.database.write() as connection:
            lock_installation(connection)
            held = read_facts(connection, self.trust).installation.status_list_sequence
            if held is not None and sequence < held:
                raise StatusListOutdated(f"This is status list {sequence}, and this server holds list {held} already.")
            change_installation(connection, status_list=found.signed, status_list_sequence=sequence)
            self._record(connection, audit.Event.STATUS_LIST_INSTALLED, actor, found.digest, sequence=sequence)
        self.reload()
        return found

    def request(self, *, product_version: str, wishes: str | None = None) -> bytes:
        """Write the request for a license of this server, signed with the server's own key.

        ``wishes`` has at most 1,000 characters, ``product_version`` 1 to 200.
        """
        stored = self._snapshot.stored
        found = stored.facts.license
        request = LicenseRequest(
            version=FORMAT_VERSION,
            iat=int(self._clock()),
            serial_number=stored.facts.serial_number,
            product=self.product.name,
            product_version=product_version,
            usage=dict(stored.facts.usage),
            installed=found.terms.jti if isinstance(found, License) else None,
            wishes=wishes,
        )
        try:
            msgspec.convert(msgspec.to_builtins(request), LicenseRequest)
        except msgspec.ValidationError as error:
            raise ProductError(f"That cannot be requested: {error}.") from None
        return sign_request(request, stored.installation.signing_key())

    def renew_serial_number(self, *, actor: str = SYSTEM) -> str:
        """Make this installation another server, as after a copy. Answers its new serial number."""
        with self.database.write() as connection:
            number = renew_identity(connection)
            self._record(connection, audit.Event.SERIAL_NUMBER_RENEWED, actor, number)
        self.reload()
        return number

    # Keeping up

    def reload(self) -> None:
        """Read the facts anew and swap the snapshot."""
        with self._loading:
            self._swap(self._load(self._snapshot))

    def refresh(self) -> bool:
        """Read the facts anew if anything, in any process, has changed the database; answers whether it has."""
        mark = self.database.change_mark()
        if mark is not None and mark == self._mark:
            return False
        self.reload()
        self._mark = mark
        return True

    def tick(self) -> None:
        """Note the passing of time: the newest moment seen, and this hour's usage. Meant for once a minute."""
        now = self.now()
        limits = {feature.name: feature.limit for feature in self.status().features.values() if feature.kind == "limit"}
        with self.database.write() as connection:
            lock_installation(connection)
            note_moment(connection, now)
            usage.sample(connection, limits, now.replace(minute=0, second=0, microsecond=0))
        self.reload()

    # Inside

    def _swap(self, snapshot: Snapshot) -> None:
        """Put a snapshot in force. Its answers are reached directly: that is the path of a switch."""
        self._snapshot = snapshot
        self._answers = snapshot.answers

    def _load(self, known: Snapshot | None) -> Snapshot:
        with self.database.read() as connection:
            stored = read_facts(connection, self.trust, known.stored if known else None)
        if known is not None and stored == known.stored:
            return known
        return Snapshot(stored, self.product, self.policy)

    def _evaluate(self, connection: Connection) -> Status:
        stored = read_facts(connection, self.trust, self._snapshot.stored)
        return evaluate(stored.facts, self.product, self.now(), self.policy)

    def _decide(
        self, connection: Connection, status: Status, operation: str, holder: str, amounts: dict[str, int]
    ) -> Decision:
        wanted = {name: Amount(units, usage.held(connection, name, holder)) for name, units in amounts.items()}
        return decide(status, operation, wanted)

    def _install(
        self,
        data: bytes,
        *,
        actor: str,
        acknowledge: bool,
        dry_run: bool = False,
        restored_from: int | None = None,
    ) -> Outcome:
        self.reload()
        now, stored = self.now(), self._snapshot.stored
        installer = Installer(product=self.product, trust=self.trust, policy=self.policy, now=now, actor=actor)
        try:
            license_ = installer.verified(data, stored)
            with self.database.write() as connection:
                lock_installation(connection)
                restoring, acknowledged = restored_from is not None, acknowledge or dry_run
                outcome = installer.prepare(connection, license_, acknowledged=acknowledged, restoring=restoring)
                if dry_run:
                    return outcome
                installer.store(connection, license_, restored_from=restored_from)
        except Refused as error:
            self._record_refusal(actor, error.decision)
            raise
        self.reload()
        return msgspec.structs.replace(outcome, installed=True)

    def _record(self, connection: Connection, event: audit.Event, actor: str, subject: str, **detail: object) -> None:
        audit.record(connection, event, now=self.now(), actor=actor, subject=subject, **detail)

    def _record_refusal(self, actor: str, decision: Decision) -> None:
        with self.database.write() as connection:
            self._record(
                connection,
                audit.Event.LICENSE_REFUSED,
                actor,
                str(decision.code),
                diagnosis=decision.diagnosis_code,
                message=decision.message,
            )


def _check_holder(holder: str) -> None:
    if not 0 < len(holder) <= LONGEST_HOLDER:
        raise ProductError(f"A holder has a name of 1 to {LONGEST_HOLDER} characters, not {len(holder):,}.")
