"""Examining an installation, and mending what was found."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from placet.enforcement import Product
from placet.license.keys import TrustStore
from placet.platform.doctor.cells import examine_cells
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
from placet.store.failures import DatabaseDamaged, DatabaseFailed

_PARTS: Mapping[str, Callable[[Connection, Case], Iterable[Finding]]] = {
    "values": examine_cells,
    "totals": examine_ledger,
    "holders": examine_holders,
    "meters": examine_meters,
    "usage over time": examine_history,
    "people": examine_people,
    "licenses": examine_licenses,
    "files": examine_files,
}
_UNREADABLE = (DBAPIError, msgspec.MsgspecError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a value that no operation writes may lead to."""
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
                for part, examined in _PARTS.items():
                    findings += _part(part, examined, connection, case)
    except (DBAPIError, DatabaseFailed):  # what is damaged may not even let a transaction end
        if all(finding.ok for finding in findings):
            raise
    return findings


def _part(
    part: str, examined: Callable[[Connection, Case], Iterable[Finding]], connection: Connection, case: Case
) -> list[Finding]:
    """Examine one part; a value that cannot be read keeps nobody from examining the others."""
    try:
        with connection.begin_nested():
            return list(examined(connection, case))
    except _UNREADABLE as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        text = f"they could not be examined: {type(getattr(error, 'orig', error)).__name__}"
        return [Finding(subject=part, text=text, kind=Kind.NOT_EXAMINED)]


def _mend(finding: Finding, case: Case, actor: str) -> Mended | None:
    try:
        return _mended(finding, case, actor)
    except (*_UNREADABLE, DatabaseDamaged):  # nothing of the repair stays
        return None


def _mended(finding: Finding, case: Case, actor: str) -> Mended | None:
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
