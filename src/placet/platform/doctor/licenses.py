"""The licenses: the one in force is there, and each is still the document that was installed."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from placet.license import License
from placet.license.diagnosis import DocumentRejected, Rejection
from placet.license.document import examine, read_claims
from placet.license.instants import rfc3339
from placet.license.jws import read_envelope
from placet.license.terms import Terms, read_terms
from placet.platform.doctor.findings import Case, Change, Finding, Repair
from placet.platform.doctor.kinds import Kind
from placet.store.installation import lock_installation, read_installation
from placet.store.schema import licenses

Index = dict[str, str | datetime]


def examine_licenses(connection: Connection, case: Case) -> list[Finding]:
    """Examine the license in force, and the history."""
    in_force = read_installation(connection).license_id
    rows = connection.execute(select(licenses).order_by(licenses.c.id)).all()
    findings = [finding for row in rows for finding in _entry(row, case, in_force=row.id == in_force)]
    if in_force is None and rows:
        text = f"none of the history is in force, and there is {_restorable(rows)}"
        findings.append(Finding(subject="license", text=text, kind=Kind.LICENSE_MISSING))
    elif in_force is None:
        findings.append(Finding(subject="license", text="none is installed"))
    elif in_force not in {row.id for row in rows}:
        text = f"entry {in_force} of the history is missing, and there is {_restorable(rows)}"
        findings.append(Finding(subject="license", text=text, kind=Kind.LICENSE_MISSING))
    elif not findings:
        findings.append(Finding(subject="license", text="its signed bytes are a whole document"))
    return findings


def _restorable(rows: Sequence[Row[Any]]) -> str:
    whole = [row.id for row in rows if _payload(row.signed) is not None]
    return f"entry {whole[-1]} to restore" if whole else "no entry to restore"


def _entry(row: Row[Any], case: Case, *, in_force: bool) -> Iterator[Finding]:
    subject = "license" if in_force else f"entry {row.id} of the license history"
    payload = _payload(row.signed)
    if payload is None:
        yield Finding(subject=subject, text=f"its signed bytes are damaged: {_why(row)}", kind=Kind.LICENSE_DAMAGED)
        return
    digest = hashlib.sha256(payload).hexdigest()
    if digest != row.digest:
        text = f"its signed bytes have the digest {digest[:16]}…, and {row.digest[:16]}… was installed"
        yield Finding(subject=subject, text=text, kind=Kind.LICENSE_REPLACED)
        return
    found = None if case.trust is None else examine(row.signed.encode(), case.trust)
    if isinstance(found, Rejection) and in_force:
        text = f"it cannot be verified: {found.explanation}"
        yield Finding(subject=subject, text=text, kind=Kind.LICENSE_UNVERIFIED)
        return
    terms = _terms(payload)
    wrong = {} if terms is None else _differing(row, _index(terms))
    if wrong:
        name, value = next(iter(wrong.items()))
        told = f"the column {name} says {_told(getattr(row, name))}, and the license {_told(value)}"
        repair = _indexed(row.id) if isinstance(found, License) else None
        text = f"{told}; {len(wrong)} such in all"
        yield Finding(subject=subject, text=text, kind=Kind.LICENSE_INDEX_DIFFERS, repair=repair)


def _payload(signed: str) -> bytes | None:
    """Answer the payload of a document that is whole, verified or not."""
    try:
        encoded = read_envelope(signed.encode()).payload
        payload = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        read_claims(payload)
    except (DocumentRejected, ValueError):
        return None
    return payload


def _why(row: Row[Any]) -> str:
    try:
        read_envelope(row.signed.encode())
    except DocumentRejected as error:
        return str(error)
    return "what was signed is not a JSON object."


def _terms(payload: bytes) -> Terms | None:
    try:
        return read_terms(read_claims(payload))[0]
    except DocumentRejected:  # of a version this code cannot read
        return None


def _index(terms: Terms) -> Index:
    return {
        "jti": terms.jti,
        "issuer": terms.iss,
        "customer": terms.customer,
        "serial_number": terms.serial_number,
        "expires_at": terms.expires_at(),
    }


def _differing(row: Row[Any], index: Index) -> Index:
    return {name: value for name, value in index.items() if getattr(row, name) != value}


def _indexed(license_id: int) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        lock_installation(connection)
        row = connection.execute(select(licenses).where(licenses.c.id == license_id)).one_or_none()
        found = None if row is None or case.trust is None else examine(row.signed.encode(), case.trust)
        if row is None or not isinstance(found, License) or found.digest != row.digest:
            return None
        wrong = _differing(row, _index(found.terms))
        if not wrong:
            return None
        connection.execute(update(licenses).where(licenses.c.id == license_id).values(wrong))
        before = {name: _told(getattr(row, name)) for name in wrong}
        return Change(before, {name: _told(value) for name, value in wrong.items()})

    return repair


def _told(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else repr(value)
