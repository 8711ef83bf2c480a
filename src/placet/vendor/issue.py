"""Issuing a license: an order becomes terms, the terms are signed, and the ledger knows before anybody else does."""

import difflib
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from placet.license import document
from placet.license.diagnosis import DocumentRejected
from placet.license.instants import LATEST, rfc3339, to_numeric_date
from placet.license.keys import SigningKey
from placet.license.terms import FORMAT_VERSION, Enforcement, Grant, Terms
from placet.vendor.failures import Mistaken
from placet.vendor.keystore import Vendor
from placet.vendor.ledger import Entry, EntryKind, LedgerContents


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a license is to say, before it has a number.

    ``serial_number`` in its canonical form, ``evaluation`` how long it lasts from its first installation,
    ``server_key`` the thumbprint of the key that signed the request it answers, if it answers one.
    """

    serial_number: str
    customer: str
    expires_at: datetime
    features: dict[str, Grant]
    starts_at: datetime | None = None
    grace: timedelta = timedelta(0)
    enforcement: Enforcement = Enforcement.STRICT
    evaluation: timedelta | None = None
    edition: str | None = None
    contact: str | None = None
    replaces: str | None = None
    server_key: str | None = None


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """An issued license: the file's bytes, its terms, its ledger entry, and what its vendor should look at again."""

    signed: bytes
    terms: Terms
    entry: Entry
    warnings: tuple[str, ...]


def issue(
    vendor: Vendor,
    key: SigningKey,
    order: Order,
    now: datetime,
    file: str | None = None,
    *,
    known_features: Collection[str] | None = None,
) -> Issued:
    """Sign the license that ``order`` describes; its entry is on the disk when this returns.

    ``file`` is the name under which it will be handed out, for the ledger. With ``known_features``, names that are
    neither among them nor in a license issued before are warned of: they may be misspelled.

    Raises :class:`Mistaken` when the order makes no sense, ``Failed`` when the ledger is damaged, and ``OSError``;
    nothing was issued then.
    """
    check_order(order)
    with vendor.ledger.locked() as page:
        warnings = _warnings(order, page.contents, now)
        if known_features is not None:
            warnings += _unheard_of(order, page.contents, known_features)
        terms = terms_of(order, vendor.name, page.contents.next_sequence, now)
        signed = document.issue(terms, [key])
        try:  # what a server would not accept is not issued
            verified = document.verify(signed, vendor.trust())
        except DocumentRejected as error:
            raise Mistaken(f"No server would accept this license. {error}") from None
        entry = page.append(
            key,
            EntryKind.ISSUED,
            now,
            jti=terms.jti,
            serial_number=terms.serial_number,
            customer=terms.customer,
            exp=terms.exp,
            grace_until=terms.grace_until,
            digest=verified.digest,
            server_key=order.server_key,
            replaces=order.replaces,
            file=file,
            features=tuple(order.features),
        )
    return Issued(signed=signed, terms=terms, entry=entry, warnings=warnings)


def check_order(order: Order) -> None:
    """Judge what only shows when the parts of an order are seen together; raises :class:`Mistaken`."""
    if order.starts_at is not None and order.expires_at <= order.starts_at:
        raise Mistaken(
            f"The license would expire before it starts: it starts {rfc3339(order.starts_at)} and expires "
            f"{rfc3339(order.expires_at)}."
        )
    if order.grace > LATEST - order.expires_at:
        raise Mistaken("The grace would end after the year 9999.")


def terms_of(order: Order, issuer: str, sequence: int, now: datetime) -> Terms:
    """Answer the terms of a new license, with an identifier of its own; ``now`` is when it is issued."""
    exp = to_numeric_date(order.expires_at)
    return Terms(
        iss=issuer,
        sub=order.serial_number,
        jti=uuid.uuid4().hex,
        iat=to_numeric_date(now),
        exp=exp,
        version=FORMAT_VERSION,
        sequence=sequence,
        customer=order.customer,
        serial_number=order.serial_number,
        features=order.features,
        nbf=None if order.starts_at is None else to_numeric_date(order.starts_at),
        grace_until=exp + int(order.grace.total_seconds()) if order.grace else None,
        enforcement=order.enforcement,
        edition=order.edition,
        contact=order.contact,
        replaces=order.replaces,
        evaluation_seconds=None if order.evaluation is None else int(order.evaluation.total_seconds()),
    )


def _warnings(order: Order, ledger: LedgerContents, now: datetime) -> tuple[str, ...]:
    warnings = []
    if order.expires_at <= now:
        warnings.append(f"The license has expired already: {rfc3339(order.expires_at)} is past.")
    if not order.features:
        warnings.append("The license grants no feature at all.")
    if order.replaces is not None:
        replaced = ledger.find(EntryKind.ISSUED, order.replaces)
        if replaced is None:
            warnings.append(f"This ledger knows no license {order.replaces}, which is to be replaced.")
        elif replaced.serial_number != order.serial_number:
            warnings.append(
                f"The license to be replaced is for another server, with serial number {replaced.serial_number}."
            )
    known = _server_keys(ledger, order.serial_number)
    if order.server_key is not None and known and order.server_key not in known:
        warnings.append(
            "Earlier requests with this serial number were signed by another key. The server was set up anew or "
            "copied, or somebody else wrote this request: ask the customer."
        )
    return tuple(warnings)


def _unheard_of(order: Order, ledger: LedgerContents, known_features: Collection[str]) -> tuple[str, ...]:
    known = {*known_features, *(name for entry in ledger.entries for name in entry.features)}
    warnings = []
    for name in sorted(order.features.keys() - known):
        closest = difflib.get_close_matches(name, sorted(known), n=1)
        advice = f"Did you mean {closest[0]!r}?" if closest else "Does your product call it that?"
        warnings.append(f"No license issued here has named the feature {name!r} before. {advice}")
    return tuple(warnings)


def _server_keys(ledger: LedgerContents, serial_number: str) -> set[str]:
    return {
        entry.server_key
        for entry in ledger.entries
        if entry.serial_number == serial_number and entry.server_key is not None
    }
