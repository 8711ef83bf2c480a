"""The license request: what a server tells the vendor when its administrator asks for a license.

It is signed with the server's own key, whose public half travels in the header (``jwk``, RFC 7515 section 4.1.3).
That proves no more than that the request is whole and that the same server wrote an earlier one with the same
key; whether to sell is the vendor's decision.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from joserfc.jwk import OKPKey
from msgspec import Meta

from placet.license import serial
from placet.license.diagnosis import Diagnosis, rejected
from placet.license.document import read_claims
from placet.license.jws import DocumentType, check_signatures, check_type, read_envelope, sign
from placet.license.keys import KeyUnusable, SigningKey, read_public_jwk
from placet.license.terms import LARGEST_LIMIT, FeatureName, Grant, LongText, NumericDate, Text, check_version


class LicenseRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a request. ``installed`` is the ``jti`` of the server's license, ``usage`` what it uses now.

    ``wanted`` is what the customer would like the license to grant, in the form in which a license grants it, until
    ``wanted_until``; ``wishes`` is the rest, in the customer's words. Nobody has to follow them.
    """

    version: Text
    iat: NumericDate
    serial_number: Text
    product: Text
    product_version: Text
    usage: Annotated[dict[FeatureName, Annotated[int, Meta(ge=0, le=LARGEST_LIMIT)]], Meta(max_length=1000)]
    installed: Text | None = None
    wishes: LongText | None = None
    wanted: Annotated[dict[FeatureName, Grant], Meta(max_length=1000)] = {}
    wanted_until: NumericDate | None = None


def sign_request(request: LicenseRequest, key: SigningKey) -> bytes:
    """Sign a request with the server's key; the answer is the request file."""
    return sign(msgspec.to_builtins(request), typ=DocumentType.REQUEST, keys=[key], embed_key=True)


def verify_request(data: bytes) -> tuple[LicenseRequest, str]:
    """Verify a request file; answers it and the thumbprint of the server's key. Raises :class:`DocumentRejected`."""
    envelope = read_envelope(data)
    payload, signature = check_signatures(envelope, _embedded_key)
    check_type(signature, DocumentType.REQUEST)
    claims = read_claims(payload)
    check_version(claims)
    try:
        request = msgspec.convert(claims, LicenseRequest)
        serial.check(request.serial_number)
    except (msgspec.ValidationError, serial.SerialNumberError) as error:
        raise rejected(Diagnosis.MISTYPED_CLAIM, f"Not a license request: {error}") from None
    return request, str(signature.header["kid"])


def _embedded_key(header: Mapping[str, Any]) -> OKPKey | None:
    """Answer the header's own key, if its ``kid`` is that key's thumbprint and nothing else."""
    try:
        _, key = read_public_jwk(header.get("jwk"))
    except KeyUnusable:
        return None
    return key if key.thumbprint() == header.get("kid") else None
