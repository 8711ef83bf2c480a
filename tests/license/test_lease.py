"""The lease document: whoever has the server's public key can verify it anywhere, and nobody can change it."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from builders import (
    DAY,
    KEY,
    NOW,
    OTHER_KEY,
    SECOND,
    SERIAL,
    SERVER_KEY,
    a_license,
    a_request,
    base64url,
    by_hand,
    changed,
    from_base64url,
    numeric,
)
from placet.license import Diagnosis, DocumentRejected, KeyUnusable
from placet.license.jws import DocumentType, sign
from placet.license.lease import CLOCKS_DIFFER, BorrowedLease, sign_lease, verify_lease

LEASE = BorrowedLease(
    version="1.0",
    iat=numeric(NOW),
    exp=numeric(NOW + 3 * DAY),
    jti="0b1d",
    serial_number=SERIAL,
    product="platform_server",
    feature="desks",
    holder="ann",
    amount=2,
    group="design",
)
PUBLIC = SERVER_KEY.public_jwk()


def claims(**members: Any) -> dict[str, Any]:
    merged = msgspec.to_builtins(LEASE) | members
    return {name: value for name, value in merged.items() if value is not ...}


def signed(typ: DocumentType = DocumentType.LEASE, **members: Any) -> bytes:
    return sign(claims(**members), typ=typ, keys=[SERVER_KEY])


def diagnosis(data: bytes, public: dict[str, Any] = PUBLIC, after: timedelta = DAY) -> Diagnosis:
    with pytest.raises(DocumentRejected) as caught:
        verify_lease(data, public, NOW + after)
    assert caught.value.rejection.explanation.endswith((".", "`"))
    return caught.value.rejection.diagnosis


def test_what_was_signed_is_read() -> None:
    assert verify_lease(sign_lease(LEASE, SERVER_KEY), PUBLIC, NOW + DAY) == LEASE
    alone = msgspec.structs.replace(LEASE, group=None)
    data = sign_lease(alone, SERVER_KEY)
    assert verify_lease(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"), PUBLIC, NOW + DAY) == alone


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-CLOCKS_DIFFER - SECOND, Diagnosis.LEASE_NOT_YET_VALID),
        (-CLOCKS_DIFFER, None),
        (timedelta(0), None),
        (3 * DAY - SECOND, None),
        (3 * DAY, Diagnosis.LEASE_EXPIRED),
        (30 * DAY, Diagnosis.LEASE_EXPIRED),
    ],
)
def test_it_holds_from_when_it_was_signed_until_it_ends(after: timedelta, expected: Diagnosis | None) -> None:
    data = sign_lease(LEASE, SERVER_KEY)
    if expected is None:
        assert verify_lease(data, PUBLIC, NOW + after).expires_at() == NOW + 3 * DAY
    else:
        assert diagnosis(data, after=after) is expected


def test_another_key_counts_for_nothing() -> None:
    assert diagnosis(sign_lease(LEASE, OTHER_KEY)) is Diagnosis.UNKNOWN_KEY
    pretending = OTHER_KEY.public_jwk() | {"kid": SERVER_KEY.kid}
    assert diagnosis(sign_lease(LEASE, SERVER_KEY), pretending) is Diagnosis.BAD_SIGNATURE
    with pytest.raises(KeyUnusable):
        verify_lease(sign_lease(LEASE, SERVER_KEY), {"kty": "oct", "k": "c2VjcmV0"}, NOW)


def test_what_was_changed_does_not_verify() -> None:
    data = sign_lease(LEASE, SERVER_KEY)
    payload = from_base64url(json.loads(data)["payload"])
    for old, new in ((b'"amount":2', b'"amount":9'), (b'"ann"', b'"bob"'), (b'"desks"', b'"doors"')):
        assert old in payload
        forged = changed(data, payload=base64url(payload.replace(old, new)))
        assert diagnosis(forged) is Diagnosis.BAD_SIGNATURE


def test_other_documents_are_none() -> None:
    assert diagnosis(a_request(SERVER_KEY)) is Diagnosis.WRONG_TYPE
    assert diagnosis(a_license(keys=[SERVER_KEY])) is Diagnosis.WRONG_TYPE
    assert diagnosis(a_license(keys=[KEY])) is Diagnosis.UNKNOWN_KEY
    assert diagnosis(by_hand(b"{}")) is Diagnosis.UNKNOWN_KEY
    assert diagnosis(b"") is Diagnosis.EMPTY


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"version": "2.0"}, Diagnosis.VERSION_TOO_NEW),
        ({"version": ...}, Diagnosis.MISSING_CLAIM),
        ({"holder": ...}, Diagnosis.MISTYPED_CLAIM),
        ({"holder": ""}, Diagnosis.MISTYPED_CLAIM),
        ({"amount": 0}, Diagnosis.MISTYPED_CLAIM),
        ({"amount": "2"}, Diagnosis.MISTYPED_CLAIM),
        ({"feature": "Desks"}, Diagnosis.MISTYPED_CLAIM),
        ({"exp": 1}, Diagnosis.MISTYPED_CLAIM),
        ({"serial_number": "7QX49KD2M3HTV8RWC0"}, Diagnosis.MISTYPED_CLAIM),
    ],
)
def test_claims_that_make_no_lease(members: dict[str, Any], expected: Diagnosis) -> None:
    assert diagnosis(signed(**members)) is expected


def test_claims_of_later_versions_are_passed_over() -> None:
    assert verify_lease(signed(version="1.7", colour="blue"), PUBLIC, NOW) == msgspec.structs.replace(
        LEASE, version="1.7"
    )


def test_nonsense_is_not_signed() -> None:
    with pytest.raises(msgspec.ValidationError):
        sign_lease(msgspec.structs.replace(LEASE, amount=0), SERVER_KEY)
