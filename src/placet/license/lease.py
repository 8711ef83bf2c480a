"""The lease document: a borrowed seat, which its holder can prove without reaching the server.

The server signs it with its own key, the one that signs its license requests. Whoever is to verify it has that key's
public half beforehand; what a document says of its own key is only compared, never followed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from joserfc.jwk import OKPKey
from msgspec import Meta

from placet.license import serial
from placet.license.diagnosis import Diagnosis, rejected
from placet.license.document import read_claims
from placet.license.instants import from_numeric_date, rfc3339
from placet.license.jws import DocumentType, check_signatures, check_type, read_envelope, sign
from placet.license.keys import SigningKey, read_public_jwk
from placet.license.terms import LARGEST_LIMIT, FeatureName, NumericDate, Text, check_version

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clock of a client may be behind the server's."""


class BorrowedLease(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a lease document: ``holder`` has ``amount`` seats of ``feature`` from ``iat`` until ``exp``.

    ``jti`` is the lease's id, ``serial_number`` the server it was borrowed from. ``group`` is the group whose seats it
    may be of.
    """

    version: Text
    iat: NumericDate
    exp: NumericDate
    jti: Text
    serial_number: Text
    product: Text
    feature: FeatureName
    holder: Text
    amount: Annotated[int, Meta(ge=1, le=LARGEST_LIMIT)]
    group: Text | None = None

    def expires_at(self) -> datetime:
        """The first instant at which it has expired."""
        return from_numeric_date(self.exp)


def sign_lease(lease: BorrowedLease, key: SigningKey) -> bytes:
    """Sign a lease with the server's key; the answer is the document. Raises ``msgspec.ValidationError``."""
    claims = msgspec.to_builtins(lease)
    msgspec.convert(claims, BorrowedLease)
    return sign(claims, typ=DocumentType.LEASE, keys=[key])


def verify_lease(data: bytes, public_jwk: Mapping[str, Any], now: datetime) -> BorrowedLease:
    """Verify a lease document at ``now`` with the server's public key (a JWK, RFC 8037).

    Raises :class:`DocumentRejected` with the cause, and :class:`KeyUnusable` for what is no such key.
    """
    kid, key = read_public_jwk(dict(public_jwk))

    def find_key(header: Mapping[str, Any]) -> OKPKey | None:
        return key if header.get("kid") == kid else None

    payload, signature = check_signatures(read_envelope(data), find_key)
    check_type(signature, DocumentType.LEASE)
    claims = read_claims(payload)
    check_version(claims)
    try:
        lease = msgspec.convert(claims, BorrowedLease)
        serial.check(lease.serial_number)
    except (msgspec.ValidationError, serial.SerialNumberError) as error:
        raise rejected(Diagnosis.MISTYPED_CLAIM, f"Not a lease: {error}") from None
    _check_time(lease, now)
    return lease


def _check_time(lease: BorrowedLease, now: datetime) -> None:
    if now >= lease.expires_at():
        raise rejected(
            Diagnosis.LEASE_EXPIRED,
            f"The lease has expired: it ended at {rfc3339(lease.expires_at())}. Borrow the seat again from the server.",
        )
    begins_at = from_numeric_date(lease.iat)
    if now < begins_at - CLOCKS_DIFFER:
        shown = rfc3339(now.replace(microsecond=0))
        raise rejected(
            Diagnosis.LEASE_NOT_YET_VALID,
            f"The lease begins at {rfc3339(begins_at)}, and the clock here shows {shown}. Set the clock right.",
        )
