"""The license document: signed, and verified before it is read as a license.

Verification, in this order, fails closed, and the first failure wins:

1. size cap: at most 256 KiB;
2. envelope: UTF-8, strict JSON, JWS in general JSON serialization;
3. a known key: one of the trust store's, with the algorithm that belongs to it;
4. signature: over the exact bytes, by every known key that signed;
5. type and format version: a license, of a major version this code understands;
6. required claims: each there, of its type, of a sane value.

Only then is the payload read as a license. Time, server, limits and revocation are not judged here; they are
``placet.enforcement``'s, which judges them again at every moment.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from placet.license.diagnosis import Diagnosis, DocumentRejected, Rejection, rejected
from placet.license.jws import DocumentType, check_signatures, check_type, read_envelope, sign
from placet.license.keys import SigningKey, TrustStore
from placet.license.strict_json import loads
from placet.license.terms import Terms, check_version, read_terms


class License(msgspec.Struct, frozen=True, kw_only=True):
    """A verified license.

    ``signed`` is the document as text without what mail adds around it, ``digest`` the SHA-256 of its payload in
    hexadecimal, ``key_id`` the key that signed it, ``other_claims`` what this version does not know.
    """

    terms: Terms
    signed: str
    digest: str
    key_id: str
    other_claims: Mapping[str, Any]


def issue(terms: Terms, keys: Sequence[SigningKey], other_claims: Mapping[str, Any] | None = None) -> bytes:
    """Sign ``terms`` with every key; the answer is the license file."""
    claims = msgspec.to_builtins(terms) | dict(other_claims or {})
    return sign(claims, typ=DocumentType.LICENSE, keys=keys)


def verify(data: bytes, trust: TrustStore) -> License:
    """Verify a license file against the trust store; raises :class:`DocumentRejected` with the cause."""
    envelope = read_envelope(data)  # 1. size cap, 2. envelope
    payload, signature = check_signatures(envelope, trust.find)  # 3. known key, 4. signature
    check_type(signature, DocumentType.LICENSE)  # 5. type and format version
    claims = read_claims(payload)
    check_version(claims)
    terms, other_claims = read_terms(claims)  # 6. required claims
    return License(
        terms=terms,
        signed=envelope.text,
        digest=hashlib.sha256(payload).hexdigest(),
        key_id=str(signature.header["kid"]),
        other_claims=other_claims,
    )


def examine(data: bytes, trust: TrustStore) -> License | Rejection:
    """Verify like :func:`verify`, and answer the rejection instead of raising it."""
    try:
        return verify(data, trust)
    except DocumentRejected as error:
        return error.rejection


def read_claims(payload: bytes) -> dict[str, Any]:
    """Read a verified payload as a JSON object; raises :class:`DocumentRejected`."""
    try:
        claims = loads(payload.decode())
    except UnicodeDecodeError:
        claims = None
    if not isinstance(claims, dict):
        raise rejected(Diagnosis.NOT_JSON, "Not a license: what was signed is not a JSON object.")
    return claims
