"""Examining an installation, and mending what was found."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from placet.enforcement import Product
from placet.license.keys import TrustStore
from placet.platform.doctor.files import examine_files
from placet.platform.doctor.findings import Case, Change, Finding
from placet.platform.doctor.holders import examine_holders
from placet.platform.doctor.kinds import Kind
from placet.platform.doctor.ledger import examine_ledger
from placet.platform.doctor.licenses import examine_licenses
from placet.platform.doctor.meters import examine_meters
from placet.platform.doctor.people import examine_people
from placet.platform.doctor.soundness import examine_history, examine_soundness
from placet.platform.doctor.structure import examine_structure
from placet.platform.layout import DataDirectoryInUse, Layout
from placet.platform.product import PLATFORM_SERVER
from placet.store import audit
from placet.store.database import Database

_IN_THE_DATABASE = (
    examine_ledger,
    examine_holders,
    examine_meters,
    examine_history,
    examine_people,
    examine_licenses,
)
_MOST_ROUNDS = 4


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong, and what a repair has made of it."""

    finding: Finding
    change: Change


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand now, and what was mended on the way. ``server_runs``: files could not be mended."""

    findings: list[Finding]
    mended: list[Mended]
    server_runs: bool

    @property
    def wrong(self) -> list[Finding]:
        """What is not as it has to be."""
        return [finding for finding in self.findings if not finding.ok]


def examine(
    database: Database,
    layout: Layout,
    *,
    product: Product = PLATFORM_SERVER,
    trust: TrustStore | None = None,
    now: datetime | None = None,
) -> Examination:
    """Examine everything; nothing is changed."""
    case = _case(database, layout, product, trust, now)
    return Examination(findings=_findings(case), mended=[], server_runs=case.server_runs)


def repair(
    database: Database,
    layout: Layout,
    *,
    actor: str,
    product: Product = PLATFORM_SERVER,
    trust: TrustStore | None = None,
    now: datetime | None = None,
) -> Examination:
    """Mend what can be mended, until nothing more can be, and examine everything again."""
    case = _case(database, layout, product, trust, now)
    mended: list[Mended] = []
    for _ in range(_MOST_ROUNDS):
        findings = _findings(case)
        done = [item for finding in findings if (item := _mend(finding, case, actor)) is not None]
        if not done:
            return Examination(findings=findings, mended=mended, server_runs=case.server_runs)
        mended += done
    return Examination(findings=_findings(case), mended=mended, server_runs=case.server_runs)


def _case(database: Database, layout: Layout, product: Product, trust: TrustStore | None, now: datetime | None) -> Case:
    return Case(
        database=database,
        layout=layout,
        product=product,
        trust=trust,
        now=now or datetime.now(UTC),
        server_runs=layout.is_held(),
    )


def _findings(case: Case) -> list[Finding]:
    findings: list[Finding] = []
    try:
        with case.database.read() as connection:
            findings += examine_soundness(connection)
            if all(finding.ok for finding in findings):
                findings += examine_structure(connection)
            if all(finding.ok or finding.kind is Kind.INDEX_MISSING for finding in findings):
                findings += [finding for examined in _IN_THE_DATABASE for finding in examined(connection, case)]
                findings += examine_files(connection, case)
    except DBAPIError:  # what is damaged may not even let a transaction end
        if all(finding.ok for finding in findings):
            raise
    return findings


def _mend(finding: Finding, case: Case, actor: str) -> Mended | None:
    change = None
    if finding.repair is not None:
        with case.database.write() as connection:
            change = finding.repair(connection, case)
            if change is not None:
                _record(connection, finding, change, case, actor)
    elif finding.file_repair is not None and not case.server_runs:
        try:
            with case.layout.held():
                change = finding.file_repair(case)
        except DataDirectoryInUse:  # a server has just been started, and does the same
            return None
        if change is not None:
            with case.database.write() as connection:
                _record(connection, finding, change, case, actor)
    return None if change is None else Mended(finding=finding, change=change)


def _record(connection: Connection, finding: Finding, change: Change, case: Case, actor: str) -> None:
    audit.record(
        connection,
        audit.Event.DOCTOR_REPAIRED,
        now=case.now,
        actor=actor,
        subject=finding.subject,
        finding=finding.kind,
        before=change.before,
        after=change.after,
    )
