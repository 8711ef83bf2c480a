"""The envelope and its signatures: steps 1 to 4, and the first half of 5."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from builders import (
    KEY,
    NEW_KEY,
    OTHER_KEY,
    TRUST,
    a_header,
    a_license,
    a_request,
    a_status_list,
    base64url,
    by_hand,
    changed,
    from_base64url,
    signature_entry,
    trust_store,
    with_hmac,
)
from placet.license import Diagnosis, Rejection, examine, verify
from placet.license.jws import SIZE_CAP, DocumentType, sign

VALID = a_license()
DOCUMENT: dict[str, Any] = json.loads(VALID)
ENTRY: dict[str, str] = DOCUMENT["signatures"][0]
PAYLOAD: str = DOCUMENT["payload"]


def padded(size: int) -> bytes:
    return VALID + b" " * (size - len(VALID))


def with_entries(*entries: Any) -> bytes:
    return changed(VALID, signatures=list(entries))


def with_header(**members: Any) -> bytes:
    """A license whose header has other members, really signed."""
    return by_hand(header=a_header(**members))


def twice_in_header() -> bytes:
    header = json.dumps(a_header()).encode()
    return by_hand(header=header[:-1] + b', "alg": "none"}')


def es256_under_our_kid() -> bytes:
    """Really signed with ES256, by a key of its own, under the name of ours."""
    protected = base64url(json.dumps(a_header(alg="ES256")).encode())
    signature = ec.generate_private_key(ec.SECP256R1()).sign(f"{protected}.{PAYLOAD}".encode(), ec.ECDSA(SHA256()))
    return with_entries({"protected": protected, "signature": base64url(signature)})


def unsigned(alg: str) -> bytes:
    protected = base64url(json.dumps(a_header(alg=alg)).encode())
    return with_entries({"protected": protected, "signature": ""})


def hmac_with_public(algorithm: str, part: str) -> bytes:
    """The public key in each form in which a careless verifier would hand it to HMAC."""
    public = KEY.public_jwk()
    secret = {"raw": from_base64url(public["x"]), "x": public["x"].encode(), "jwk": json.dumps(public).encode()}[part]
    return with_hmac(secret, algorithm)


DEFECTIVE: dict[str, tuple[bytes, Diagnosis]] = {
    # 1. size cap
    "one_byte_too_large": (padded(SIZE_CAP + 1), Diagnosis.TOO_LARGE),
    "enormous": (b"{" * 10_000_000, Diagnosis.TOO_LARGE),
    # 2. envelope: text
    "empty": (b"", Diagnosis.EMPTY),
    "white_space_alone": (b" \r\n\t \n", Diagnosis.EMPTY),
    "byte_order_mark_alone": (b"\xef\xbb\xbf", Diagnosis.EMPTY),
    "binary": (bytes(range(256)), Diagnosis.NOT_TEXT),
    "zip": (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xe6\x8d", Diagnosis.NOT_TEXT),
    "utf_16": (VALID.decode().encode("utf-16"), Diagnosis.NOT_TEXT),
    "utf_16_without_mark": (VALID.decode().encode("utf-16-le"), Diagnosis.NOT_JSON),
    "latin_1": (VALID + "ä".encode("latin-1"), Diagnosis.NOT_TEXT),
    "two_byte_order_marks": (b"\xef\xbb\xbf\xef\xbb\xbf" + VALID, Diagnosis.NOT_JSON),
    # 2. envelope: JSON
    "html": (b"<!DOCTYPE html><html>", Diagnosis.NOT_JSON),
    "public_key": (b"-----BEGIN PUBLIC KEY-----\n", Diagnosis.NOT_JSON),
    "compact_jws": (f"{ENTRY['protected']}.{PAYLOAD}.{ENTRY['signature']}".encode(), Diagnosis.NOT_JSON),
    "two_licenses_in_one": (VALID + VALID, Diagnosis.NOT_JSON),
    "something_behind": (VALID + b"-- \nsent from my telephone", Diagnosis.NOT_JSON),
    "quoted_by_mail": (b"> " + VALID.replace(b"\n", b"\n> "), Diagnosis.NOT_JSON),
    "nan": (b'{"payload": NaN}', Diagnosis.NOT_JSON),
    "nested_deeply": (b"[" * 200_000, Diagnosis.NOT_JSON),
    "thousands_of_digits": (b'{"payload": ' + b"1" * 10_000 + b"}", Diagnosis.ABSURD_VALUE),
    "signatures_twice": (
        VALID.replace(b'"signatures":', b'"signatures":[], "signatures":', 1),
        Diagnosis.DUPLICATE_MEMBER,
    ),
    "signatures_twice_the_last_empty": (
        VALID.rstrip()[:-1] + b', "signatures":[]}',
        Diagnosis.DUPLICATE_MEMBER,
    ),
    "payload_twice": (VALID.replace(b"{", b'{"payload": "e30",', 1), Diagnosis.DUPLICATE_MEMBER),
    "signature_twice": (VALID.replace(b'"signature":', b'"signature": "AA", "signature":'), Diagnosis.DUPLICATE_MEMBER),
    # 2. envelope: JWS in general serialization
    "null": (b"null", Diagnosis.NOT_JWS),
    "a_number": (b"1", Diagnosis.NOT_JWS),
    "a_text": (b'"license"', Diagnosis.NOT_JWS),
    "an_array": (b"[" + VALID + b"]", Diagnosis.NOT_JWS),
    "an_empty_object": (b"{}", Diagnosis.NOT_JWS),
    "a_trust_store": (json.dumps({"keys": [KEY.public_jwk()]}).encode(), Diagnosis.NOT_JWS),
    "the_bare_claims": (from_base64url(PAYLOAD), Diagnosis.NOT_JWS),
    "flattened_jws": (json.dumps({"payload": PAYLOAD} | ENTRY).encode(), Diagnosis.NOT_JWS),
    "compact_jws_in_a_text": (json.dumps(".".join([ENTRY["protected"], PAYLOAD, "AA"])).encode(), Diagnosis.NOT_JWS),
    "extra_member": (changed(VALID, comment="hello"), Diagnosis.NOT_JWS),
    "flattened_and_general_at_once": (changed(VALID, **ENTRY), Diagnosis.NOT_JWS),
    "payload_missing": (changed(VALID, payload=...), Diagnosis.NOT_JWS),
    "payload_empty": (changed(VALID, payload=""), Diagnosis.NOT_JWS),
    "payload_an_object": (changed(VALID, payload={"iss": "Acme"}), Diagnosis.NOT_JWS),
    "payload_padded": (changed(VALID, payload=PAYLOAD + "="), Diagnosis.NOT_JWS),
    "payload_with_line_break": (changed(VALID, payload=PAYLOAD[:76] + "\n" + PAYLOAD[76:]), Diagnosis.NOT_JWS),
    "payload_in_plain_base64": (changed(VALID, payload="a+b/"), Diagnosis.NOT_JWS),
    "signatures_missing": (changed(VALID, signatures=...), Diagnosis.NOT_JWS),
    "signatures_empty": (with_entries(), Diagnosis.NOT_JWS),
    "signatures_an_object": (changed(VALID, signatures=ENTRY), Diagnosis.NOT_JWS),
    "nine_signatures": (with_entries(*[ENTRY] * 9), Diagnosis.NOT_JWS),
    "signature_no_object": (with_entries("signature"), Diagnosis.NOT_JWS),
    "signature_null": (with_entries(None), Diagnosis.NOT_JWS),
    "signature_padded": (with_entries(ENTRY | {"signature": ENTRY["signature"] + "=="}), Diagnosis.NOT_JWS),
    "signature_missing": (with_entries({"protected": ENTRY["protected"]}), Diagnosis.NOT_JWS),
    "header_missing": (with_entries({"signature": ENTRY["signature"]}), Diagnosis.NOT_JWS),
    "unprotected_header": (with_entries(ENTRY | {"header": {"kid": KEY.kid}}), Diagnosis.NOT_JWS),
    "unprotected_header_alone": (with_entries({"header": a_header(), "signature": "AA"}), Diagnosis.NOT_JWS),
    "second_signature_malformed": (with_entries(ENTRY, {}), Diagnosis.NOT_JWS),
    "header_not_base64url": (with_entries(ENTRY | {"protected": "A"}), Diagnosis.NOT_JWS),
    "header_not_text": (with_entries(ENTRY | {"protected": base64url(b"\xff\xfe")}), Diagnosis.NOT_JWS),
    "header_not_json": (by_hand(header=b"alg=Ed25519"), Diagnosis.NOT_JWS),
    "header_cut": (by_hand(header=b'{"alg": "Ed25519"'), Diagnosis.NOT_JWS),
    "header_an_array": (by_hand(header=b"[]"), Diagnosis.NOT_JWS),
    "header_twice_alg": (twice_in_header(), Diagnosis.DUPLICATE_MEMBER),
    "crit": (with_header(crit=["exp"], exp=1), Diagnosis.NOT_JWS),
    "crit_empty": (with_header(crit=[]), Diagnosis.NOT_JWS),
    "b64_false": (with_header(b64=False, crit=["b64"]), Diagnosis.NOT_JWS),
    "b64_true": (with_header(b64=True), Diagnosis.NOT_JWS),
    "typ_a_number": (with_header(typ=5), Diagnosis.NOT_JWS),
    # 3. a known key, and the algorithm that belongs to it
    "alg_missing": (with_header(alg=...), Diagnosis.UNSIGNED),
    "alg_null": (with_header(alg=None), Diagnosis.UNSIGNED),
    "alg_a_number": (with_header(alg=8), Diagnosis.UNSIGNED),
    "alg_an_array": (with_header(alg=["Ed25519"]), Diagnosis.UNSIGNED),
    "alg_none": (unsigned("none"), Diagnosis.UNSIGNED),
    "alg_None": (unsigned("None"), Diagnosis.UNSIGNED),
    "alg_NONE": (unsigned("NONE"), Diagnosis.UNSIGNED),
    "alg_nOnE": (unsigned("nOnE"), Diagnosis.UNSIGNED),
    "alg_none_with_a_signature": (with_header(alg="none"), Diagnosis.UNSIGNED),
    "alg_none_with_a_space": (unsigned("none "), Diagnosis.ALGORITHM_MISMATCH),
    "alg_empty": (unsigned(""), Diagnosis.ALGORITHM_MISMATCH),
    "alg_none_of_an_unknown_key": (by_hand(header=a_header(OTHER_KEY, alg="none"), key=OTHER_KEY), Diagnosis.UNSIGNED),
    "hmac_of_the_raw_key": (hmac_with_public("HS256", "raw"), Diagnosis.SYMMETRIC_ALGORITHM),
    "hmac_of_the_encoded_key": (hmac_with_public("HS384", "x"), Diagnosis.SYMMETRIC_ALGORITHM),
    "hmac_of_the_jwk": (hmac_with_public("HS512", "jwk"), Diagnosis.SYMMETRIC_ALGORITHM),
    "hmac_in_lower_case": (hmac_with_public("hs256", "raw"), Diagnosis.SYMMETRIC_ALGORITHM),
    "eddsa_is_deprecated": (with_header(alg="EdDSA"), Diagnosis.ALGORITHM_MISMATCH),
    "ed25519_in_lower_case": (with_header(alg="ed25519"), Diagnosis.ALGORITHM_MISMATCH),
    "ed448": (with_header(alg="Ed448"), Diagnosis.ALGORITHM_MISMATCH),
    "es256": (es256_under_our_kid(), Diagnosis.ALGORITHM_MISMATCH),
    "unknown_key": (a_license(keys=[OTHER_KEY]), Diagnosis.UNKNOWN_KEY),
    "kid_missing": (with_header(kid=...), Diagnosis.UNKNOWN_KEY),
    "kid_null": (with_header(kid=None), Diagnosis.UNKNOWN_KEY),
    "kid_an_array": (with_header(kid=[KEY.kid]), Diagnosis.UNKNOWN_KEY),
    "kid_long": (with_header(kid="k" * 10_000), Diagnosis.UNKNOWN_KEY),
    "kid_with_a_space": (with_header(kid=KEY.kid + " "), Diagnosis.UNKNOWN_KEY),
    "its_own_key_in_the_header": (
        by_hand(header=a_header(OTHER_KEY, jwk=OTHER_KEY.public_jwk()), key=OTHER_KEY),
        Diagnosis.UNKNOWN_KEY,
    ),
    # 4. signature
    "another_key_under_our_kid": (by_hand(header=a_header(KEY), key=OTHER_KEY), Diagnosis.BAD_SIGNATURE),
    "its_own_key_under_our_kid": (
        by_hand(header=a_header(KEY, jwk=OTHER_KEY.public_jwk()), key=OTHER_KEY),
        Diagnosis.BAD_SIGNATURE,
    ),
    "signature_empty": (with_entries(ENTRY | {"signature": ""}), Diagnosis.BAD_SIGNATURE),
    "signature_short": (with_entries(ENTRY | {"signature": ENTRY["signature"][:40]}), Diagnosis.BAD_SIGNATURE),
    "signature_long": (with_entries(ENTRY | {"signature": ENTRY["signature"] + "AAAA"}), Diagnosis.BAD_SIGNATURE),
    "signature_enormous": (with_entries(ENTRY | {"signature": "A" * 100_000}), Diagnosis.BAD_SIGNATURE),
    "signature_of_impossible_length": (with_entries(ENTRY | {"signature": "A"}), Diagnosis.BAD_SIGNATURE),
    "signature_zero": (with_entries(ENTRY | {"signature": base64url(bytes(64))}), Diagnosis.BAD_SIGNATURE),
    "signature_with_bits_behind_its_last_byte": (
        with_entries(ENTRY | {"signature": ENTRY["signature"][:-1] + chr(ord(ENTRY["signature"][-1]) + 1)}),
        Diagnosis.BAD_SIGNATURE,
    ),
    "signature_of_another_license": (
        changed(VALID, payload=json.loads(a_license(sequence=2))["payload"]),
        Diagnosis.BAD_SIGNATURE,
    ),
    "header_of_another_type": (
        with_entries(ENTRY | {"protected": base64url(json.dumps(a_header(typ="other")).encode())}),
        Diagnosis.BAD_SIGNATURE,
    ),
    # 5. type
    "a_request_of_the_vendors_key": (a_request(KEY), Diagnosis.WRONG_TYPE),
    "a_status_list": (a_status_list("L-0001"), Diagnosis.WRONG_TYPE),
    "typ_missing": (with_header(typ=...), Diagnosis.WRONG_TYPE),
    "typ_jwt": (with_header(typ="JWT"), Diagnosis.WRONG_TYPE),
    "typ_in_upper_case": (with_header(typ="PLACET-LICENSE+JWS"), Diagnosis.WRONG_TYPE),
    "typ_long": (with_header(typ="t" * 10_000), Diagnosis.WRONG_TYPE),
}


@pytest.mark.parametrize(("data", "expected"), DEFECTIVE.values(), ids=DEFECTIVE)
def test_defective_files(data: bytes, expected: Diagnosis) -> None:
    rejection = examine(data, TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is expected
    assert 20 < len(rejection.explanation) < 300
    assert rejection.explanation.endswith(".")


def test_truncated_anywhere_is_told_as_truncated() -> None:
    for end in range(1, len(VALID.rstrip())):
        rejection = examine(VALID[:end], TRUST)
        assert isinstance(rejection, Rejection), end
        assert rejection.diagnosis is Diagnosis.TRUNCATED, end
        assert f"ends after {len(VALID[:end].rstrip()):,} characters" in rejection.explanation


ARRIVED: dict[str, bytes] = {
    "as_issued": VALID,
    "crlf": VALID.replace(b"\n", b"\r\n"),
    "byte_order_mark": b"\xef\xbb\xbf" + VALID,
    "spaces_and_a_byte_order_mark": b" \r\n\xef\xbb\xbf\r\n" + VALID,
    "spaces_around": b"  \t" + VALID + b" \t ",
    "line_breaks_around": b"\r\n\r\n" + VALID + b"\r\n\r\n\r\n",
    "no_line_break_at_the_end": VALID.rstrip(),
    "on_one_line": json.dumps(json.loads(VALID)).encode(),
    "members_in_another_order": json.dumps({"signatures": DOCUMENT["signatures"], "payload": PAYLOAD}).encode(),
    "as_large_as_can_be": padded(SIZE_CAP),
}


@pytest.mark.parametrize("data", ARRIVED.values(), ids=ARRIVED)
def test_what_mail_and_editors_do_to_a_file_is_no_defect(data: bytes) -> None:
    original, arrived = verify(VALID, TRUST), verify(data, TRUST)
    assert (arrived.terms, arrived.digest, arrived.key_id) == (original.terms, original.digest, original.key_id)
    assert verify(arrived.signed.encode(), TRUST) == arrived


def test_unknown_header_members_are_ignored() -> None:
    assert verify(with_header(iat=1, note="hello", cty="json", pad="x" * 5_000), TRUST).key_id == KEY.kid


def test_a_payload_up_to_the_size_cap_verifies() -> None:
    file = a_license(other_claims={"annex": "x" * 190_000})
    assert 250_000 < len(file) < SIZE_CAP
    assert verify(file, TRUST).other_claims == {"annex": "x" * 190_000}


@pytest.mark.parametrize("keys", [[KEY, OTHER_KEY], [OTHER_KEY, KEY]], ids=["known_first", "unknown_first"])
def test_a_signature_by_an_unknown_key_is_passed_over(keys: list[Any]) -> None:
    assert verify(a_license(keys=keys), TRUST).key_id == KEY.kid


def test_of_two_known_keys_both_have_to_verify() -> None:
    both = trust_store(KEY, NEW_KEY)
    file = a_license(keys=[NEW_KEY, KEY])
    assert verify(file, both).key_id == NEW_KEY.kid
    first, second = json.loads(file)["signatures"]
    for entries in ([first, second | {"signature": first["signature"]}], [first | {"signature": ""}, second]):
        rejection = examine(changed(file, signatures=entries), both)
        assert isinstance(rejection, Rejection)
        assert rejection.diagnosis is Diagnosis.BAD_SIGNATURE


@pytest.mark.parametrize(("alg", "expected"), [("none", Diagnosis.UNSIGNED), ("HS256", Diagnosis.SYMMETRIC_ALGORITHM)])
def test_a_good_signature_does_not_excuse_a_dangerous_one(alg: str, expected: Diagnosis) -> None:
    dangerous = signature_entry(PAYLOAD, a_header(OTHER_KEY, alg=alg), OTHER_KEY)
    for entries in ([ENTRY, dangerous], [dangerous, ENTRY]):
        rejection = examine(with_entries(*entries), TRUST)
        assert isinstance(rejection, Rejection)
        assert rejection.diagnosis is expected


def test_the_type_of_the_signature_that_counts_is_checked() -> None:
    """Another type in a signature of an unknown key says nothing; in the known one it is decisive."""
    foreign = signature_entry(PAYLOAD, a_header(OTHER_KEY, typ="other"), OTHER_KEY)
    assert verify(with_entries(foreign, ENTRY), TRUST).key_id == KEY.kid


def test_nothing_is_signed_without_a_key_or_with_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        sign({}, typ=DocumentType.LICENSE, keys=[])
    for nonsense in (float("nan"), float("inf"), "\ud800"):
        with pytest.raises(ValueError, match=r"not JSON compliant|surrogates"):
            sign({"claim": nonsense}, typ=DocumentType.LICENSE, keys=[KEY])


def test_the_unknown_key_is_told_and_cut() -> None:
    rejection = examine(with_header(kid="k" * 10_000), TRUST)
    assert isinstance(rejection, Rejection)
    assert f"has no key '{'k' * 60}'" in rejection.explanation
