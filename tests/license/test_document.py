"""The license document as a whole: what is issued verifies, and nothing else does."""

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import (
    EVERYTHING,
    KEY,
    NEW_KEY,
    NOW,
    OTHER_KEY,
    TRUST,
    a_license,
    a_license_saying,
    a_verified_license,
    base64url,
    by_hand,
    changed,
    from_base64url,
    limit,
    numeric,
    some_claims,
    some_terms,
    switch,
    trust_store,
)
from placet.license import (
    Diagnosis,
    DocumentRejected,
    Enforcement,
    License,
    Rejection,
    SigningKey,
    examine,
    issue,
    verify,
)

VALID = a_license(other_claims={"note": "unknown here"})
LICENSE = verify(VALID, TRUST)


def test_what_is_issued_verifies() -> None:
    terms = some_terms(
        nbf=numeric(NOW),
        grace_until=numeric(NOW) + 400 * 86_400,
        enforcement=Enforcement.PER_FEATURE,
        edition="Enterprise",
        contact="licenses@example.com\n+1 555 0100",
        replaces="L-0000",
        evaluation_seconds=30 * 86_400,
    )
    found = verify(issue(terms, [KEY]), TRUST)
    assert found.terms == terms
    assert found.key_id == KEY.kid
    assert found.other_claims == {}


def test_the_digest_is_of_the_payload_and_the_signed_text_verifies_again() -> None:
    payload = from_base64url(json.loads(VALID)["payload"])
    assert LICENSE.digest == hashlib.sha256(payload).hexdigest()
    assert VALID.decode().strip() == LICENSE.signed
    assert verify(LICENSE.signed.encode(), TRUST) == LICENSE


def test_text_of_every_script_survives() -> None:
    customer = "Überseeische Handels-GmbH & Söhne 株式会社 😀"
    assert a_verified_license(customer=customer).terms.customer == customer


def test_unknown_claims_survive() -> None:
    other = {"note": "unknown here", "nested": {"list": [1, 2.5, None, True]}, "aud": ["x"]}
    assert verify(a_license(other_claims=other), TRUST).other_claims == other


def test_unknown_members_of_a_grant_and_unknown_kinds_do_no_harm() -> None:
    metered = {"kind": "metered", "period": "month", "limit": 5}
    found = verify(a_license_saying(features={"api_calls": metered, "run": {"kind": "switch", "since": 1}}), TRUST)
    assert set(found.terms.features) == {"api_calls", "run"}


@pytest.mark.parametrize("version", ["1.0", "1.7", "1.999999"])
def test_minor_versions_are_read(version: str) -> None:
    assert verify(a_license_saying(version=version, of_later=True), TRUST).terms.version == version


def test_a_license_grants_nothing_where_nothing_is_granted() -> None:
    assert a_verified_license(features={}).terms.features == {}


def test_examine_answers_the_rejection_that_verify_raises() -> None:
    assert examine(VALID, TRUST) == LICENSE
    with pytest.raises(DocumentRejected) as refused:
        verify(b"", TRUST)
    assert examine(b"", TRUST) == refused.value.rejection
    assert str(refused.value) == refused.value.rejection.explanation


def test_old_and_new_keys_while_a_vendor_changes_them() -> None:
    """A license signed by both keys is good with a trust store of either, before and after the change."""
    file = a_license(keys=[KEY, NEW_KEY])
    for trust in (trust_store(KEY), trust_store(NEW_KEY), trust_store(KEY, NEW_KEY)):
        assert verify(file, trust).terms == some_terms()
    rejection = examine(file, trust_store(OTHER_KEY))
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is Diagnosis.UNKNOWN_KEY


PAYLOADS: dict[str, tuple[bytes, Diagnosis]] = {
    "an_array": (b"[]", Diagnosis.NOT_JSON),
    "null": (b"null", Diagnosis.NOT_JSON),
    "a_text": (b'"license"', Diagnosis.NOT_JSON),
    "no_json": (b"license", Diagnosis.NOT_JSON),
    "binary": (b"\xff\xfe\x00", Diagnosis.NOT_JSON),
    "utf_16": (json.dumps(some_claims()).encode("utf-16"), Diagnosis.NOT_JSON),
    "with_a_byte_order_mark": (b"\xef\xbb\xbf" + json.dumps(some_claims()).encode(), Diagnosis.NOT_JSON),
    "cut": (json.dumps(some_claims()).encode()[:-1], Diagnosis.TRUNCATED),
    "claim_twice": (b'{"exp": 1,' + json.dumps(some_claims()).encode()[1:], Diagnosis.DUPLICATE_MEMBER),
    "grant_twice": (
        json.dumps(some_claims(features={})).replace('"features": {}', '"features": {"a": {}, "a": {}}').encode(),
        Diagnosis.DUPLICATE_MEMBER,
    ),
    "nan": (json.dumps(some_claims(note=float("nan"))).encode(), Diagnosis.NOT_JSON),
    "half_a_character": (json.dumps(some_claims(customer="\ud800")).encode(), Diagnosis.NOT_JSON),
    "nested_deeply": (b'{"a":' * 30_000, Diagnosis.NOT_JSON),
    "thousands_of_digits": (b'{"exp": ' + b"9" * 5_000 + b"}", Diagnosis.ABSURD_VALUE),
    "beyond_all_floats": (b'{"exp": 1e999}', Diagnosis.ABSURD_VALUE),
}


@pytest.mark.parametrize(("payload", "expected"), PAYLOADS.values(), ids=PAYLOADS)
def test_payloads_that_are_rightly_signed_and_yet_no_license(payload: bytes, expected: Diagnosis) -> None:
    rejection = examine(by_hand(payload), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is expected


def test_every_byte_of_the_payload_is_under_the_signature() -> None:
    payload = from_base64url(json.loads(VALID)["payload"])
    for position in range(len(payload)):
        tampered = payload[:position] + bytes([payload[position] ^ 1]) + payload[position + 1 :]
        rejection = examine(changed(VALID, payload=base64url(tampered)), TRUST)
        assert isinstance(rejection, Rejection), position
        assert rejection.diagnosis is Diagnosis.BAD_SIGNATURE, position


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"limit":100', '"limit":999'),
        (f'"exp":{some_terms().exp}', f'"exp":{some_terms().exp + 1}'),
        ("Example Industries", "Sample Enterprises"),
        ('"kind":"switch"', '"kind":"metered"'),
        ('"version":"1.0"', '"version":"9.0"'),
        ("}", ',"grace_until":1}'),
    ],
)
def test_a_tampered_payload_fails_by_its_signature_before_it_is_read(before: str, after: str) -> None:
    payload = from_base64url(json.loads(VALID)["payload"]).decode()
    assert before in payload
    rejection = examine(changed(VALID, payload=base64url(payload.replace(before, after, 1).encode())), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is Diagnosis.BAD_SIGNATURE


def outcome(data: bytes) -> License | Rejection:
    """What becomes of a file; anything raised but a rejection fails the test."""
    return examine(data, TRUST)


@settings(max_examples=300)
@given(st.integers(0, len(VALID) - 1), st.integers(1, 255))
def test_one_changed_byte_never_verifies_to_other_terms(position: int, difference: int) -> None:
    found = outcome(VALID[:position] + bytes([VALID[position] ^ difference]) + VALID[position + 1 :])
    if isinstance(found, License):
        assert (found.terms, found.digest, found.other_claims) == (LICENSE.terms, LICENSE.digest, LICENSE.other_claims)


def test_no_single_bit_can_be_flipped_to_other_terms() -> None:
    for position in range(len(VALID)):
        found = outcome(VALID[:position] + bytes([VALID[position] ^ (1 << position % 8)]) + VALID[position + 1 :])
        assert isinstance(found, Rejection) or found.terms == LICENSE.terms, position


def test_no_single_byte_can_be_left_out_for_other_terms() -> None:
    for position in range(len(VALID)):
        found = outcome(VALID[:position] + VALID[position + 1 :])
        assert isinstance(found, Rejection) or found.terms == LICENSE.terms, position


@settings(max_examples=200)
@given(st.lists(st.integers(0, len(VALID)), min_size=2, max_size=2).map(sorted), st.binary(max_size=10))
def test_a_replaced_stretch_never_verifies_to_other_terms(ends: list[int], junk: bytes) -> None:
    found = outcome(VALID[: ends[0]] + junk + VALID[ends[1] :])
    assert isinstance(found, Rejection) or found.terms == LICENSE.terms


@given(st.binary(max_size=400))
def test_random_bytes_are_rejected_and_nothing_else(data: bytes) -> None:
    assert isinstance(outcome(data), Rejection)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_rejected_and_nothing_else(value: Any) -> None:
    assert isinstance(outcome(json.dumps(value).encode()), Rejection)


@given(JSON, JSON, JSON)
def test_any_members_are_rejected_and_nothing_else(payload: Any, protected: Any, signature: Any) -> None:
    shapes = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    assert isinstance(outcome(json.dumps(shapes).encode()), Rejection)
    header = json.dumps({"alg": "Ed25519", "kid": KEY.kid, "typ": protected, "jwk": payload, "x5c": signature})
    assert isinstance(outcome(by_hand(b"{}", header.encode())), Rejection)


@given(st.dictionaries(st.sampled_from([*some_claims(), "nbf", "grace_until", "x"]), JSON, max_size=3))
def test_any_rightly_signed_claims_are_a_license_or_rejected(claims: dict[str, Any]) -> None:
    found = outcome(by_hand(json.dumps(some_claims(**claims)).encode()))
    if isinstance(found, License):
        assert issue(found.terms, [KEY], found.other_claims)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True),
        st.just(switch()) | st.builds(limit, st.integers(0, 10**12), st.integers(0, 1000)),
        max_size=5,
    ),
    st.integers(946_684_801, 253_402_214_400),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
)
def test_all_sane_terms_come_back(features: dict[str, Any], exp: int, customer: str) -> None:
    terms = some_terms(features=features, exp=exp, customer=customer)
    assert verify(issue(terms, [KEY]), TRUST).terms == terms


def test_a_thousand_features_fit_and_one_more_does_not() -> None:
    many = {f"feature_{number}": switch() for number in range(1000)}
    assert len(a_verified_license(features=many).terms.features) == 1000
    rejection = examine(a_license(features=many | {"one_more": switch()}), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is Diagnosis.ABSURD_VALUE


def test_a_verified_license_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        LICENSE.terms.exp = 0  # type: ignore[misc]
    assert msgspec.to_builtins(LICENSE.terms)["features"] == msgspec.to_builtins(dict(EVERYTHING))


def test_a_new_key_signs_as_well() -> None:
    key = SigningKey.generate()
    assert verify(a_license(keys=[key]), trust_store(key)).key_id == key.kid
