"""Status lists: what the vendor has revoked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    DAY,
    KEY,
    NOW,
    OTHER_KEY,
    TRUST,
    a_header,
    a_license,
    a_request,
    a_status_list,
    by_hand,
    numeric,
)
from placet.license import Diagnosis, DocumentRejected
from placet.license.jws import DocumentType
from placet.license.status_list import verify_status_list

VALID = a_status_list("L-0001", "L-0007", sequence=3)
ENTRY = {"jti": "L-0001", "revoked_at": numeric(NOW - DAY), "reason": "Not paid for."}
CLAIMS: dict[str, Any] = {
    "iss": "Acme Software",
    "iat": numeric(NOW),
    "version": "1.0",
    "sequence": 3,
    "revoked": [ENTRY],
}


def saying(**claims: Any) -> bytes:
    """A status list, rightly signed, whose claims are whatever they are; one given as ``...`` is left out."""
    merged = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return by_hand(json.dumps(merged).encode(), a_header(typ=str(DocumentType.STATUS_LIST)))


def test_what_is_issued_verifies() -> None:
    found = verify_status_list(VALID, TRUST)
    assert found.content.sequence == 3
    assert [entry.jti for entry in found.content.revoked] == ["L-0001", "L-0007"]
    assert len(found.digest) == 64
    assert verify_status_list(found.signed.encode(), TRUST) == found


def test_a_license_is_revoked_by_its_own_jti_alone() -> None:
    content = verify_status_list(VALID, TRUST).content
    entry = content.find("L-0007")
    assert entry is not None
    assert entry.reason == "Not paid for."
    for other in ("L-0002", "l-0001", "L-000", "L-00011", ""):
        assert content.find(other) is None


def test_an_empty_list_revokes_nothing() -> None:
    assert verify_status_list(a_status_list(), TRUST).content.find("L-0001") is None


DEFECTIVE: dict[str, tuple[bytes, Diagnosis]] = {
    "empty": (b"", Diagnosis.EMPTY),
    "truncated": (VALID[:300], Diagnosis.TRUNCATED),
    "a_license": (a_license(), Diagnosis.WRONG_TYPE),
    "a_request": (a_request(KEY), Diagnosis.WRONG_TYPE),
    "unknown_key": (a_status_list(keys=[OTHER_KEY]), Diagnosis.UNKNOWN_KEY),
    "changed": (VALID.replace(b'"payload": "ey', b'"payload": "eY'), Diagnosis.BAD_SIGNATURE),
    "version_missing": (saying(version=...), Diagnosis.MISSING_CLAIM),
    "version_too_new": (saying(version="2.0"), Diagnosis.VERSION_TOO_NEW),
    "sequence_missing": (saying(sequence=...), Diagnosis.MISTYPED_CLAIM),
    "sequence_zero": (saying(sequence=0), Diagnosis.MISTYPED_CLAIM),
    "sequence_a_text": (saying(sequence="3"), Diagnosis.MISTYPED_CLAIM),
    "revoked_no_array": (saying(revoked={"L-0001": 1}), Diagnosis.MISTYPED_CLAIM),
    "entry_without_reason": (saying(revoked=[{"jti": "L-0001", "revoked_at": numeric(NOW)}]), Diagnosis.MISTYPED_CLAIM),
    "entry_in_1970": (saying(revoked=[ENTRY | {"revoked_at": 0}]), Diagnosis.MISTYPED_CLAIM),
    "too_many_entries": (
        saying(revoked=[{"jti": "L", "revoked_at": numeric(NOW), "reason": "."}] * 2001),
        Diagnosis.MISTYPED_CLAIM,
    ),
}


@pytest.mark.parametrize(("data", "expected"), DEFECTIVE.values(), ids=DEFECTIVE)
def test_defective_lists(data: bytes, expected: Diagnosis) -> None:
    with pytest.raises(DocumentRejected) as refused:
        verify_status_list(data, TRUST)
    assert refused.value.rejection.diagnosis is expected


def test_unknown_claims_do_no_harm() -> None:
    assert verify_status_list(saying(next_update=numeric(NOW + DAY)), TRUST).content.sequence == 3


@given(st.binary(max_size=300))
def test_random_bytes_are_rejected_and_nothing_else(data: bytes) -> None:
    with pytest.raises(DocumentRejected):
        verify_status_list(data, TRUST)
