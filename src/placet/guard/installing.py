"""Installing a license: bytes → verify → evaluate → one transaction stores bytes and audit event.

Refused is: what does not verify (E1 with its diagnosis), a license of another server (E3), a revoked one, an
evaluation where there has been one, and, unless it is acknowledged, one that would block what is allowed now. A
refused license changes nothing but the audit trail.
"""

from datetime import datetime
from typing import NoReturn

import msgspec
from sqlalchemy import Connection

from placet.enforcement import (
    Changes,
    Code,
    Decision,
    Facts,
    Policy,
    Product,
    Refused,
    State,
    Status,
    compare,
    evaluate,
)
from placet.enforcement.decision import refusal
from placet.enforcement.messages import Diagnosed, Notice, notice
from placet.license.diagnosis import DocumentRejected, Rejection
from placet.license.document import License, verify
from placet.license.instants import rfc3339
from placet.license.keys import TrustStore
from placet.store import audit, licenses
from placet.store.facts import StoredFacts, find_revocation, read_facts
from placet.store.installation import Installation, change_installation

OPERATION = "install_license"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What installing a license did, or would do: the status before and after, and what differs between them."""

    installed: bool
    license: License
    before: Status
    after: Status
    changes: Changes


class AcknowledgementRequired(Refused):
    """The license would block what is allowed now; ``outcome`` says what."""

    def __init__(self, decision: Decision, outcome: Outcome) -> None:
        super().__init__(decision)
        self.outcome = outcome


class Installer(msgspec.Struct, frozen=True, kw_only=True):
    """Installs one license, at ``now``, on behalf of ``actor``."""

    product: Product
    trust: TrustStore
    policy: Policy
    now: datetime
    actor: str

    def verified(self, data: bytes, stored: StoredFacts) -> License:
        """Verify the file; raises :class:`Refused` with E1 and the diagnosis."""
        try:
            return verify(data, self.trust)
        except DocumentRejected as error:
            self._refuse(stored, Code.NO_LICENSE, _diagnosed(error.rejection))

    def prepare(
        self, connection: Connection, license_: License, *, acknowledged: bool, restoring: bool = False
    ) -> Outcome:
        """Judge what installing ``license_`` would do; raises :class:`Refused`, changes nothing."""
        stored = read_facts(connection, self.trust)
        row, terms = stored.installation, license_.terms
        if terms.evaluation_seconds is not None and row.evaluation_started_at is not None and not restoring:
            self._refuse(
                stored, Code.EVALUATION_USED, instant=rfc3339(row.evaluation_started_at.replace(microsecond=0))
            )
        before = self._evaluate(stored.facts)
        after = self._evaluate(self._facts_with(connection, stored, license_))
        if after.state in {State.WRONG_SERVER, State.REVOKED}:
            raise Refused(refusal(OPERATION, before.state, after.errors[0]))
        changes = compare(before, after)
        outcome = Outcome(installed=False, license=license_, before=before, after=after, changes=changes)
        if changes.needs_acknowledgement and not acknowledged:
            self._require_acknowledgement(outcome)
        return outcome

    def store(self, connection: Connection, license_: License, *, restored_from: int | None = None) -> None:
        """Put a prepared license in force: bytes, installation and audit event."""
        terms = license_.terms
        stored = read_facts(connection, self.trust)
        facts = self._facts_with(connection, stored, license_)
        license_id = licenses.add_license(
            connection, license_, now=self.now, actor=self.actor, restored_from=restored_from
        )
        evaluation: dict[str, object] = {}
        if terms.evaluation_seconds is not None and stored.installation.evaluation_started_at is None:
            evaluation = {"evaluation_jti": terms.jti, "evaluation_started_at": self.now}
        change_installation(connection, license_id=license_id, newest_moment=facts.newest_moment, **evaluation)
        audit.record(
            connection,
            audit.Event.LICENSE_INSTALLED if restored_from is None else audit.Event.LICENSE_RESTORED,
            now=self.now,
            actor=self.actor,
            subject=terms.jti,
            digest=license_.digest,
            customer=terms.customer,
            expires_at=rfc3339(terms.expires_at()),
        )

    def _evaluate(self, facts: Facts) -> Status:
        return evaluate(facts, self.product, self.now, self.policy)

    def _facts_with(self, connection: Connection, stored: StoredFacts, license_: License) -> Facts:
        """The facts as they would be. A license never seen here starts the record of time afresh."""
        row, terms = stored.installation, license_.terms
        fresh = not licenses.was_installed(connection, terms.jti)
        return msgspec.structs.replace(
            stored.facts,
            license=license_,
            revocation=find_revocation(row, license_, self.trust),
            newest_moment=self.now if fresh else row.newest_moment,
            evaluation_started_at=self._evaluation_start(row, license_),
        )

    def _evaluation_start(self, row: Installation, license_: License) -> datetime | None:
        if license_.terms.evaluation_seconds is None:
            return None
        return row.evaluation_started_at if row.evaluation_started_at is not None else self.now

    def _refuse(
        self, stored: StoredFacts, code: Code, diagnosis: Diagnosed | None = None, **parameters: str
    ) -> NoReturn:
        raise Refused(refusal(OPERATION, self._evaluate(stored.facts).state, self._notice(code, diagnosis, parameters)))

    def _require_acknowledgement(self, outcome: Outcome) -> NoReturn:
        blocked = outcome.changes.blocked[0]
        diagnosis = Diagnosed(blocked.diagnosis_code or "", blocked.diagnosis or "")
        told = self._notice(Code.ACKNOWLEDGEMENT_REQUIRED, diagnosis, {})
        raise AcknowledgementRequired(refusal(OPERATION, outcome.before.state, told), outcome)

    def _notice(self, code: Code, diagnosis: Diagnosed | None, parameters: dict[str, str]) -> Notice:
        vendor, locale = self.policy.vendor_name, self.policy.locale
        return notice(code, parameters, vendor=vendor, locale=locale, diagnosis=diagnosis)


def _diagnosed(rejection: Rejection) -> Diagnosed:
    return Diagnosed(rejection.diagnosis, rejection.explanation)
