"""Revoking a license: an entry in the ledger, and a newly signed status list of everything that is revoked."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from placet.license.instants import to_numeric_date
from placet.license.jws import SIZE_CAP
from placet.license.keys import SigningKey
from placet.license.status_list import (
    Revocation,
    SignedStatusList,
    StatusList,
    issue_status_list,
    verify_status_list,
)
from placet.license.terms import FORMAT_VERSION
from placet.vendor.failures import Refused
from placet.vendor.files import PUBLIC, write_whole
from placet.vendor.keystore import Vendor
from placet.vendor.ledger import Entry, EntryKind
from placet.vendor.words import one_line

MOST_REVOCATIONS = 2000


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """A revoked license: its ledger entry, and the status list as it was signed.

    ``already`` says that the license had been revoked before; the entry is the one of then.
    """

    entry: Entry
    status_list: SignedStatusList
    already: bool


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A revocation, and when its license and the license's grace end anyway (NumericDate)."""

    revocation: Revocation
    ends_at: int


def revoke(vendor: Vendor, key: SigningKey, jti: str, reason: str, now: datetime) -> Revoked:
    """Revoke the license ``jti`` and write the vendor's status list anew.

    Revoking twice changes nothing; the status list is written all the same, with the sequence it had. Raises
    :class:`Mistaken`, :class:`Refused` when this vendor never issued such a license, ``Failed`` and ``OSError``.
    """
    jti, reason = one_line("jti", jti, 200), one_line("reason", reason, 1000)
    with vendor.ledger.locked() as page:
        issued = page.contents.find(EntryKind.ISSUED, jti)
        if issued is None:
            raise Refused(f"This vendor never issued a license {jti}. List what was: placet vendor ledger DIR")
        before = page.contents.find(EntryKind.REVOKED, jti)
        revoked = [_ended(entry) for entry in page.contents.entries if entry.kind is EntryKind.REVOKED]
        if before is None:
            sequence, signed_at = page.contents.next_sequence, to_numeric_date(now)
            this = Revocation(jti=jti, revoked_at=signed_at, reason=reason)
            revoked.append(_Ended(revocation=this, ends_at=_ends_at(issued)))
        else:
            newest = [entry for entry in page.contents.entries if entry.kind is EntryKind.REVOKED][-1]
            sequence, signed_at = newest.sequence, _seconds(newest.at)
        status_list = _status_list(vendor, key, revoked, sequence=sequence, signed_at=signed_at, now=now)
        entry = before or page.append(
            key, EntryKind.REVOKED, now, digest=status_list.digest, reason=reason, **_facts(issued)
        )
        # Still locked: a list never takes the place of a newer one.
        write_whole(vendor.status_list_path, status_list.signed.encode() + b"\n", mode=PUBLIC)
    return Revoked(entry=entry, status_list=status_list, already=before is not None)


def _status_list(
    vendor: Vendor, key: SigningKey, revoked: Sequence[_Ended], *, sequence: int, signed_at: int, now: datetime
) -> SignedStatusList:
    """Sign the list. Where it is full, licenses that ended longest ago leave it first: they are refused anyway."""
    kept = list(revoked)
    while True:
        content = StatusList(
            iss=vendor.name,
            iat=signed_at,
            version=FORMAT_VERSION,
            sequence=sequence,
            revoked=[entry.revocation for entry in kept],
        )
        signed = issue_status_list(content, [key])
        if len(kept) <= MOST_REVOCATIONS and len(signed) <= SIZE_CAP:
            return verify_status_list(signed, vendor.trust())
        ended = sorted(entry.ends_at for entry in kept if entry.ends_at <= now.timestamp())
        if not ended:
            raise Refused(
                f"The status list is full: {len(kept):,} revoked licenses take {len(signed):,} bytes with their "
                f"reasons, and servers read at most {MOST_REVOCATIONS:,} licenses and {SIZE_CAP:,} bytes. "
                "Nothing was revoked."
            )
        latest_to_leave = ended[len(ended) // 8]
        kept = [entry for entry in kept if entry.ends_at > latest_to_leave]


def _ended(entry: Entry) -> _Ended:
    revocation = Revocation(jti=entry.jti or "", revoked_at=_seconds(entry.at), reason=entry.reason or "")
    return _Ended(revocation=revocation, ends_at=_ends_at(entry))


def _ends_at(entry: Entry) -> int:
    return max(entry.exp or 0, entry.grace_until or 0)


def _seconds(at: str) -> int:
    return to_numeric_date(datetime.fromisoformat(at))


def _facts(issued: Entry) -> dict[str, str | int | None]:
    """What the entry of a revocation repeats of the license's own, so that it can be read alone."""
    return {
        "jti": issued.jti,
        "serial_number": issued.serial_number,
        "customer": issued.customer,
        "exp": issued.exp,
        "grace_until": issued.grace_until,
    }
