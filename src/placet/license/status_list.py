"""The status list: the licenses a vendor has revoked, signed like a license.

A server keeps the newest list it was given; an older one (by ``sequence``) never replaces it.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from placet.license.diagnosis import Diagnosis, rejected
from placet.license.document import read_claims
from placet.license.jws import DocumentType, check_signatures, check_type, read_envelope, sign
from placet.license.keys import SigningKey, TrustStore
from placet.license.terms import LARGEST_LIMIT, LongText, NumericDate, Text, check_version


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """One revoked license: its ``jti``, since when, and the vendor's reason in words."""

    jti: Text
    revoked_at: NumericDate
    reason: LongText


class StatusList(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of a status list; ``sequence`` grows with every list a vendor signs."""

    iss: Text
    iat: NumericDate
    version: Text
    sequence: Annotated[int, Meta(ge=1, le=LARGEST_LIMIT)]
    revoked: Annotated[list[Revocation], Meta(max_length=2000)]

    def find(self, jti: str) -> Revocation | None:
        """Answer the revocation of the license ``jti``, if it is revoked."""
        return next((entry for entry in self.revoked if entry.jti == jti), None)


class SignedStatusList(msgspec.Struct, frozen=True, kw_only=True):
    """A verified status list with its text and the SHA-256 of its payload."""

    content: StatusList
    signed: str
    digest: str


def issue_status_list(status_list: StatusList, keys: Sequence[SigningKey]) -> bytes:
    """Sign a status list with every key; the answer is the file."""
    return sign(msgspec.to_builtins(status_list), typ=DocumentType.STATUS_LIST, keys=keys)


def verify_status_list(data: bytes, trust: TrustStore) -> SignedStatusList:
    """Verify a status list file against the trust store; raises :class:`DocumentRejected` with the cause."""
    envelope = read_envelope(data)
    payload, signature = check_signatures(envelope, trust.find)
    check_type(signature, DocumentType.STATUS_LIST)
    claims = read_claims(payload)
    check_version(claims)
    try:
        content = msgspec.convert(claims, StatusList)
    except msgspec.ValidationError as error:
        raise rejected(Diagnosis.MISTYPED_CLAIM, f"Not a status list: {error}.") from None
    return SignedStatusList(content=content, signed=envelope.text, digest=hashlib.sha256(payload).hexdigest())
