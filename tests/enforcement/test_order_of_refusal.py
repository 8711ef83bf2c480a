"""The order of refusal: of two reasons to refuse one operation, the earlier one is told."""

from itertools import combinations
from typing import Any

import pytest

from builders import DAY, NOW, OTHER_SERIAL, PRODUCT, a_verified_license, limit, numeric, revocation, some_facts, switch
from placet.enforcement import Amount, Policy, catalogue, decide, evaluate
from placet.license import Diagnosis, Rejection

REJECTION = Rejection(diagnosis=Diagnosis.BAD_SIGNATURE, explanation="Signature does not verify.")

# The reasons in their order: what they add to the facts, and to the claims of the license.
REASONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "no license": ("E2", {"license": None}, {}),
    "unreadable": ("E2", {"license": REJECTION}, {}),
    "revoked": ("N2", {"revocation": revocation()}, {}),
    "wrong server": ("E4", {"serial_number": OTHER_SERIAL}, {}),
    "clock set back": ("N4", {"newest_moment": NOW + DAY}, {}),
    "not yet valid": ("N6", {}, {"nbf": numeric(NOW + DAY)}),
    "expired": ("E7", {}, {"exp": numeric(NOW - DAY)}),
    "switch off": ("E9", {}, {"switches": ()}),
    "over limit": ("E7", {"usage": {"users": 6, "software_units": 4}}, {}),
    "limit reached": ("E8", {}, {"units": 7}),
}


def told(*reasons: str) -> tuple[str, str | None]:
    """The symbol and cause of the refusal of running what needs eight units, under all of ``reasons``."""
    facts: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    for reason in reversed(reasons):
        facts |= REASONS[reason][1]
        claims |= REASONS[reason][2]
    granted = {name: switch() for name in claims.pop("switches", ("run",))}
    granted |= {"software_units": limit(claims.pop("units", 20)), "users": limit(5)}
    if {"expired", "not yet valid"} <= set(reasons):
        # No license is both: what ends before it begins is absurd, and never gets this far.
        claims |= {"nbf": numeric(NOW + DAY), "exp": numeric(NOW + 2 * DAY)}
    license_ = a_verified_license(features=granted, **claims)
    status = evaluate(some_facts(**({"license": license_} | facts)), PRODUCT, NOW, Policy())
    decision = decide(status, "publish_and_run", {"software_units": Amount(8)})
    assert not decision.allowed
    assert decision.code is not None
    return catalogue().entries[decision.code].symbol, decision.diagnosis_code


def test_nothing_refuses_where_there_is_no_reason() -> None:
    status = evaluate(some_facts(), PRODUCT, NOW, Policy())
    assert decide(status, "publish_and_run", {"software_units": Amount(8)}).allowed


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_alone(reason: str) -> None:
    assert told(reason)[0] == REASONS[reason][0]


@pytest.mark.parametrize(("earlier", "later"), list(combinations(REASONS, 2)))
def test_of_two_reasons_the_earlier_one_is_told(earlier: str, later: str) -> None:
    assert told(earlier, later) == told(earlier)


def test_of_all_reasons_the_first_is_told() -> None:
    names = list(REASONS)
    for position, name in enumerate(names):
        assert told(*names[position:]) == told(name)


def test_expired_and_over_limit_share_a_text_and_differ_in_cause() -> None:
    assert told("expired") == ("E7", "expired")
    assert told("over limit") == ("E7", "over_limit")
    assert told("expired", "over limit") == ("E7", "expired")
