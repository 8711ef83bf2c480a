"""License requests: signed with the server's own key, which travels with them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    KEY,
    NOW,
    OTHER_KEY,
    SERIAL,
    SERVER_KEY,
    TRUST,
    a_header,
    a_license,
    a_request,
    a_status_list,
    by_hand,
    changed,
    numeric,
)
from placet.license import Diagnosis, DocumentRejected, Rejection, examine
from placet.license.jws import DocumentType
from placet.license.request import verify_request

VALID = a_request(installed="L-0001", wishes="More users, please.\nBy Monday.")
CLAIMS: dict[str, Any] = {
    "version": "1.0",
    "iat": numeric(NOW),
    "serial_number": SERIAL,
    "product": "platform_server",
    "product_version": "1.2.3",
    "usage": {"software_units": 12},
}


def a_request_header(**members: Any) -> dict[str, Any]:
    own = {"typ": str(DocumentType.REQUEST), "jwk": SERVER_KEY.public_jwk()}
    return a_header(SERVER_KEY, **(own | members))


def saying(**claims: Any) -> bytes:
    """A request, rightly signed, whose claims are whatever they are; one given as ``...`` is left out."""
    merged = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return by_hand(json.dumps(merged).encode(), a_request_header(), SERVER_KEY)


def with_header(**members: Any) -> bytes:
    return by_hand(json.dumps(CLAIMS).encode(), a_request_header(**members), SERVER_KEY)


def test_what_a_server_signs_is_verified_by_its_own_key() -> None:
    request, kid = verify_request(VALID)
    assert kid == SERVER_KEY.kid
    assert (request.serial_number, request.installed) == (SERIAL, "L-0001")
    assert request.usage == {"software_units": 12}
    assert request.wishes == "More users, please.\nBy Monday."
    assert verify_request(saying())[0].iat == numeric(NOW)


DEFECTIVE: dict[str, tuple[bytes, Diagnosis]] = {
    "empty": (b"", Diagnosis.EMPTY),
    "truncated": (VALID[:200], Diagnosis.TRUNCATED),
    "a_license": (a_license(), Diagnosis.UNKNOWN_KEY),
    "a_status_list": (a_status_list(), Diagnosis.UNKNOWN_KEY),
    "a_license_with_its_key": (with_header(typ="placet-license+jws"), Diagnosis.WRONG_TYPE),
    "key_missing": (with_header(jwk=...), Diagnosis.UNKNOWN_KEY),
    "key_a_text": (with_header(jwk=SERVER_KEY.kid), Diagnosis.UNKNOWN_KEY),
    "key_of_another_kid": (with_header(kid=OTHER_KEY.kid), Diagnosis.UNKNOWN_KEY),
    "kid_of_the_writers_choice": (with_header(kid="mine"), Diagnosis.UNKNOWN_KEY),
    "kid_missing": (with_header(kid=...), Diagnosis.UNKNOWN_KEY),
    "private_key": (with_header(jwk=dict(SERVER_KEY.jwk.as_dict(private=True))), Diagnosis.UNKNOWN_KEY),
    "rsa_key": (with_header(jwk={"kty": "RSA", "n": "AQAB", "e": "AQAB"}), Diagnosis.UNKNOWN_KEY),
    "alg_none": (with_header(alg="none"), Diagnosis.UNSIGNED),
    "hmac": (with_header(alg="HS256"), Diagnosis.SYMMETRIC_ALGORITHM),
    "another_key": (by_hand(json.dumps(CLAIMS).encode(), a_request_header(), OTHER_KEY), Diagnosis.BAD_SIGNATURE),
    "payload_of_another": (changed(VALID, payload=json.loads(a_request())["payload"]), Diagnosis.BAD_SIGNATURE),
    "version_missing": (saying(version=...), Diagnosis.MISSING_CLAIM),
    "version_too_new": (saying(version="2.0"), Diagnosis.VERSION_TOO_NEW),
    "serial_number_mistyped": (saying(serial_number=SERIAL[:-1] + "X"), Diagnosis.MISTYPED_CLAIM),
    "serial_number_in_lower_case": (saying(serial_number=SERIAL.lower()), Diagnosis.MISTYPED_CLAIM),
    "serial_number_missing": (saying(serial_number=...), Diagnosis.MISTYPED_CLAIM),
    "product_a_number": (saying(product=5), Diagnosis.MISTYPED_CLAIM),
    "product_with_escape_sequence": (saying(product="\x1b]0;pwned\x07"), Diagnosis.MISTYPED_CLAIM),
    "usage_negative": (saying(usage={"software_units": -1}), Diagnosis.MISTYPED_CLAIM),
    "usage_huge": (saying(usage={"software_units": 10**13}), Diagnosis.MISTYPED_CLAIM),
    "usage_a_float": (saying(usage={"software_units": 1.5}), Diagnosis.MISTYPED_CLAIM),
    "usage_of_no_feature": (saying(usage={"<script>": 1}), Diagnosis.MISTYPED_CLAIM),
    "usage_of_too_many": (saying(usage={f"f{number}": 1 for number in range(1001)}), Diagnosis.MISTYPED_CLAIM),
    "wanted_is_no_grant": (saying(wanted={"users": 5}), Diagnosis.MISTYPED_CLAIM),
    "wanted_huge": (saying(wanted={"users": {"kind": "limit", "limit": 10**13}}), Diagnosis.MISTYPED_CLAIM),
    "wanted_until_long_ago": (saying(wanted_until=0), Diagnosis.MISTYPED_CLAIM),
    "wishes_long": (saying(wishes="w" * 1001), Diagnosis.MISTYPED_CLAIM),
}


@pytest.mark.parametrize(("data", "expected"), DEFECTIVE.values(), ids=DEFECTIVE)
def test_defective_requests(data: bytes, expected: Diagnosis) -> None:
    with pytest.raises(DocumentRejected) as refused:
        verify_request(data)
    assert refused.value.rejection.diagnosis is expected
    assert len(str(refused.value)) < 300


def test_a_request_is_no_license_even_of_a_trusted_key() -> None:
    rejection = examine(a_request(KEY), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is Diagnosis.WRONG_TYPE


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
def test_one_changed_byte_never_verifies_to_another_request(position: int, byte: int) -> None:
    original = verify_request(VALID)
    try:
        found = verify_request(VALID[:position] + bytes([byte]) + VALID[position + 1 :])
    except DocumentRejected:
        return
    assert found == original
