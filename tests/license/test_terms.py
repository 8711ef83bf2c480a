"""The claims: steps 5 and 6, and what the terms say of time and limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import (
    DAY,
    NOW,
    OTHER_SERIAL,
    SERIAL,
    TRUST,
    a_license_saying,
    limit,
    numeric,
    some_claims,
    some_terms,
)
from placet.license import Diagnosis, Grant, License, Rejection, examine
from placet.license.terms import LARGEST_LIMIT

REQUIRED = (*("iss", "sub", "jti", "iat", "exp", "version", "sequence", "customer", "serial_number", "features"),)
MISTYPED = Diagnosis.MISTYPED_CLAIM
ABSURD = Diagnosis.ABSURD_VALUE
IAT, EXP = some_claims()["iat"], some_claims()["exp"]


def grants(**members: Any) -> dict[str, Any]:
    return {"features": {"software_units": {"kind": "limit", "limit": 5} | members}}


def both(serial_number: Any) -> dict[str, Any]:
    return {"sub": serial_number, "serial_number": serial_number}


def diagnosis(**claims: Any) -> Diagnosis:
    rejection = examine(a_license_saying(**claims), TRUST)
    assert isinstance(rejection, Rejection)
    return rejection.diagnosis


def test_the_required_claims_are_these() -> None:
    assert set(some_claims()) == set(REQUIRED)


@pytest.mark.parametrize("claim", REQUIRED)
def test_each_required_claim_is_missed(claim: str) -> None:
    rejection = examine(a_license_saying(**{claim: ...}), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is Diagnosis.MISSING_CLAIM
    assert claim in rejection.explanation


def test_of_a_grant_the_kind_is_missed() -> None:
    assert diagnosis(features={"run": {}}) is Diagnosis.MISSING_CLAIM


TYPES: dict[str, tuple[str, ...]] = {
    "text": ("iss", "sub", "jti", "customer", "serial_number", "edition", "contact", "replaces"),
    "whole_number": ("iat", "exp", "nbf", "grace_until", "sequence", "evaluation_seconds"),
}
WRONG: dict[str, tuple[Any, ...]] = {
    "text": (5, 1.5, True, ["text"], {"text": 1}),
    "whole_number": ("1800000000", 1_800_000_000.0, 1.8e9 + 0.5, True, False, [1], {"seconds": 1}),
}


@pytest.mark.parametrize(
    ("claim", "value"),
    [(claim, value) for kind, claims in TYPES.items() for claim in claims for value in WRONG[kind]],
)
def test_each_mistyped_claim_is_told(claim: str, value: Any) -> None:
    rejection = examine(a_license_saying(**{claim: value}), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is MISTYPED
    assert f"$.{claim}" in rejection.explanation


DEFECTIVE: dict[str, tuple[dict[str, Any], Diagnosis]] = {
    "iss_null": ({"iss": None}, MISTYPED),
    "exp_null": ({"exp": None}, MISTYPED),
    "features_an_array": ({"features": ["run"]}, MISTYPED),
    "features_null": ({"features": None}, MISTYPED),
    "feature_true": ({"features": {"run": True}}, MISTYPED),
    "feature_a_number": ({"features": {"run": 5}}, MISTYPED),
    "kind_a_number": (grants(kind=1), MISTYPED),
    "limit_a_text": (grants(limit="5"), MISTYPED),
    "limit_a_float": (grants(limit=5.0), MISTYPED),
    "limit_true": (grants(limit=True), MISTYPED),
    "tolerance_a_text": (grants(tolerance_percent="10%"), MISTYPED),
    "tolerance_a_float": (grants(tolerance_percent=0.1), MISTYPED),
    "enforcement_unknown": ({"enforcement": "lenient"}, MISTYPED),
    "enforcement_in_upper_case": ({"enforcement": "STRICT"}, MISTYPED),
    "enforcement_null": ({"enforcement": None}, MISTYPED),
    # format version
    "version_next_major": ({"version": "2.0"}, Diagnosis.VERSION_TOO_NEW),
    "version_far_major": ({"version": "999999.0"}, Diagnosis.VERSION_TOO_NEW),
    "version_too_new_for_all_else": ({"version": "2.0", "features": "other", "exp": "?"}, Diagnosis.VERSION_TOO_NEW),
    "version_older": ({"version": "0.9"}, ABSURD),
    "version_null": ({"version": None}, Diagnosis.MISSING_CLAIM),
    "version_a_number": ({"version": 1.0}, MISTYPED),
    "version_a_whole_number": ({"version": 1}, MISTYPED),
    "version_empty": ({"version": ""}, MISTYPED),
    "version_without_minor": ({"version": "1"}, MISTYPED),
    "version_with_patch": ({"version": "1.0.0"}, MISTYPED),
    "version_with_letter": ({"version": "v1.0"}, MISTYPED),
    "version_with_line_break": ({"version": "1.0\n"}, MISTYPED),
    "version_with_sign": ({"version": "-1.0"}, MISTYPED),
    "version_in_other_digits": ({"version": "\u0661.\u0660"}, MISTYPED),
    "version_long": ({"version": "1" * 5_000 + ".0"}, MISTYPED),
    # dates
    "exp_1970": ({"exp": 0}, ABSURD),
    "exp_before_1970": ({"exp": -1}, ABSURD),
    "exp_before_2000": ({"exp": 946_684_799}, ABSURD),
    "exp_after_9999": ({"exp": 253_402_214_401}, ABSURD),
    "exp_in_milliseconds": ({"exp": EXP * 1000}, ABSURD),
    "exp_beyond_64_bits": ({"exp": 2**70}, ABSURD),
    "iat_1970": ({"iat": 1}, ABSURD),
    "nbf_after_9999": ({"nbf": 10**12}, ABSURD),
    "exp_before_nbf": ({"nbf": EXP + 1}, ABSURD),
    "exp_at_nbf": ({"nbf": EXP}, ABSURD),
    "grace_before_exp": ({"grace_until": EXP - 1}, ABSURD),
    "grace_1970": ({"grace_until": 0}, ABSURD),
    "evaluation_of_no_time": ({"evaluation_seconds": 0}, ABSURD),
    "evaluation_of_eleven_years": ({"evaluation_seconds": 11 * 366 * 86_400}, ABSURD),
    # numbers and texts
    "sequence_zero": ({"sequence": 0}, ABSURD),
    "sequence_negative": ({"sequence": -1}, ABSURD),
    "sequence_huge": ({"sequence": LARGEST_LIMIT + 1}, ABSURD),
    "limit_negative": (grants(limit=-1), ABSURD),
    "limit_huge": (grants(limit=10**13), ABSURD),
    "limit_beyond_64_bits": (grants(limit=2**64), ABSURD),
    "limit_missing": (grants(limit=None), ABSURD),
    "tolerance_negative": (grants(tolerance_percent=-1), ABSURD),
    "tolerance_huge": (grants(tolerance_percent=1001), ABSURD),
    "kind_empty": (grants(kind=""), ABSURD),
    "feature_in_upper_case": ({"features": {"Run": {"kind": "switch"}}}, ABSURD),
    "feature_with_space": ({"features": {"test query": {"kind": "switch"}}}, ABSURD),
    "feature_with_line_break": ({"features": {"run\n": {"kind": "switch"}}}, ABSURD),
    "feature_empty": ({"features": {"": {"kind": "switch"}}}, ABSURD),
    "feature_long": ({"features": {"f" * 64: {"kind": "switch"}}}, ABSURD),
    "customer_empty": ({"customer": ""}, ABSURD),
    "customer_long": ({"customer": "c" * 201}, ABSURD),
    "customer_with_escape_sequence": ({"customer": "\x1b[2JAcme"}, ABSURD),
    "customer_with_nul": ({"customer": "Acme\x00"}, ABSURD),
    "customer_with_line_break": ({"customer": "Acme\n"}, ABSURD),
    "contact_with_escape_sequence": ({"contact": "\x9b2J"}, ABSURD),
    "contact_long": ({"contact": "c" * 1001}, ABSURD),
    "jti_empty": ({"jti": ""}, ABSURD),
    # server
    "sub_of_another_server": ({"sub": OTHER_SERIAL}, ABSURD),
    "serial_number_of_another_server": ({"serial_number": OTHER_SERIAL}, ABSURD),
    "serial_number_mistyped": (both(SERIAL[:-1] + "X"), ABSURD),
    "serial_number_short": (both(SERIAL[:-5]), ABSURD),
    "serial_number_in_lower_case": (both(SERIAL.lower()), ABSURD),
    "serial_number_without_hyphens": (both(SERIAL.replace("-", "")), ABSURD),
    "serial_number_with_space": (both(SERIAL + " "), ABSURD),
}


@pytest.mark.parametrize(("claims", "expected"), DEFECTIVE.values(), ids=DEFECTIVE)
def test_defective_claims(claims: dict[str, Any], expected: Diagnosis) -> None:
    rejection = examine(a_license_saying(**claims), TRUST)
    assert isinstance(rejection, Rejection)
    assert rejection.diagnosis is expected
    assert 20 < len(rejection.explanation) < 300
    assert rejection.explanation.endswith(".")


SANE: dict[str, dict[str, Any]] = {
    "exp_before_iat": {"iat": EXP + 1},
    "exp_earliest": {"exp": 946_684_800},
    "exp_latest": {"exp": 253_402_214_400},
    "exp_one_second_after_nbf": {"nbf": EXP - 1},
    "grace_at_exp": {"grace_until": EXP},
    "nulls_where_claims_are_optional": dict.fromkeys(("nbf", "grace_until", "edition", "contact", "replaces")),
    "limit_zero": grants(limit=0),
    "limit_largest": grants(limit=LARGEST_LIMIT, tolerance_percent=1000),
    "switch_with_a_limit": {"features": {"run": {"kind": "switch", "limit": 3}}},
    "unknown_kind": {"features": {"run": {"kind": "unheard_of", "limit": None}}},
    "metered_per_day": {"features": {"calls": {"kind": "metered", "limit": 5, "period": "day"}}},
    "seats": {"features": {"seats": {"kind": "seats", "limit": 5}}},
    "texts_as_long_as_can_be": {"customer": "c" * 200, "contact": "c" * 1000, "features": {"f" * 63: {"kind": "k"}}},
    "evaluation": {"evaluation_seconds": 1},
    "contact_of_several_lines": {"contact": "Acme\r\n\t+1 555 0100\n"},
    "enforcement": {"enforcement": "per-feature"},
}


@pytest.mark.parametrize("claims", SANE.values(), ids=SANE)
def test_claims_at_the_edge_of_what_is_sane(claims: dict[str, Any]) -> None:
    assert isinstance(examine(a_license_saying(**claims), TRUST), License)


@pytest.mark.parametrize(
    ("units", "percent", "expected"),
    [
        (100, 0, 100),
        (100, 10, 110),
        (105, 10, 115),
        (9, 10, 9),
        (1, 1000, 11),
        (0, 1000, 0),
        (10**12, 100, 2 * 10**12),
    ],
)
def test_the_tolerated_limit_is_rounded_down_to_whole_units(units: int, percent: int, expected: int) -> None:
    assert limit(units, percent).tolerated_limit == expected


def test_without_a_limit_nothing_is_tolerated() -> None:
    assert Grant(kind="switch", tolerance_percent=100).tolerated_limit == 0


def test_when_a_license_starts_and_ends() -> None:
    terms = some_terms(nbf=numeric(NOW), exp=numeric(NOW + DAY), grace_until=numeric(NOW + 3 * DAY))
    assert terms.starts_at() == NOW
    assert terms.expires_at() == NOW + DAY
    assert terms.grace_ends_at() == NOW + 3 * DAY
    plain = some_terms()
    assert plain.starts_at() is None
    assert plain.grace_ends_at() == plain.expires_at() == datetime.fromtimestamp(EXP, UTC)


def test_an_evaluation_counts_from_its_first_installation_and_ends_with_exp() -> None:
    terms = some_terms(exp=numeric(NOW + 100 * DAY), evaluation_seconds=30 * 86_400)
    assert terms.expires_at() == NOW + 100 * DAY
    assert terms.expires_at(NOW) == NOW + 30 * DAY
    assert terms.expires_at(NOW + 70 * DAY) == NOW + 100 * DAY
    assert terms.expires_at(NOW + 90 * DAY) == NOW + 100 * DAY
    assert terms.expires_at(NOW - 365 * DAY) == NOW - 335 * DAY
    assert some_terms().expires_at(NOW - 1000 * DAY) == some_terms().expires_at()


def test_the_grace_of_an_evaluation_is_as_long_as_the_license_says() -> None:
    week = timedelta(days=7)
    terms = some_terms(
        exp=numeric(NOW + 100 * DAY), grace_until=numeric(NOW + 100 * DAY + week), evaluation_seconds=30 * 86_400
    )
    assert terms.grace_ends_at(NOW) == NOW + 30 * DAY + week
    assert terms.grace_ends_at(NOW + 90 * DAY) == NOW + 100 * DAY + week
