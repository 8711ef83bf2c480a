"""Decide, where limits decide: at the limit and one past it, within the tolerance and past that."""

from typing import Any

import pytest

from builders import DAY, NOW, a_status, a_verified_license, limit, numeric, switch
from placet.enforcement import Amount, Code, Decision, Severity, catalogue, decide
from placet.license import Enforcement

OVER = a_status(usage={"software_units": 101})
OVER_PER_FEATURE = a_status(
    license=a_verified_license(enforcement=Enforcement.PER_FEATURE), usage={"software_units": 101}
)


def symbol(decision: Decision) -> str:
    """The symbol of what a decision says, or ``ok``."""
    return "ok" if decision.code is None else catalogue().entries[decision.code].symbol


def units(used: int, requested: int, held: int = 0, *, percent: int = 0, **claims: Any) -> Decision:
    """The decision for publishing with a limit of 100 Software Units."""
    license_ = a_verified_license(features={"software_units": limit(100, percent)}, **claims)
    status = a_status(license=license_, usage={"software_units": used})
    return decide(status, "publish", {"software_units": Amount(requested, held)})


@pytest.mark.parametrize(
    ("used", "requested", "held", "percent", "expected"),
    [
        pytest.param(0, 100, 0, 0, "ok", id="exactly_the_limit"),
        pytest.param(0, 101, 0, 0, "E8", id="limit_and_one"),
        pytest.param(90, 10, 0, 0, "ok", id="exactly_the_limit_with_others"),
        pytest.param(90, 11, 0, 0, "E8", id="limit_and_one_with_others"),
        pytest.param(90, 10, 0, 10, "ok", id="the_limit_with_tolerance_to_spare"),
        pytest.param(90, 11, 0, 10, "W4", id="first_tolerated_unit"),
        pytest.param(90, 20, 0, 10, "W4", id="last_tolerated_unit"),
        pytest.param(90, 21, 0, 10, "E8", id="tolerance_and_one"),
        pytest.param(110, 1, 0, 10, "E8", id="tolerance_used_up"),
        pytest.param(110, 5, 5, 10, "ok", id="the_same_again_in_the_tolerance"),
        pytest.param(100, 40, 40, 0, "ok", id="the_same_again_at_the_limit"),
        pytest.param(100, 39, 40, 0, "ok", id="fewer_at_the_limit"),
        pytest.param(100, 0, 40, 0, "ok", id="none_at_the_limit"),
        pytest.param(100, 0, 0, 0, "ok", id="nothing_of_nothing"),
        pytest.param(100, 41, 40, 0, "E8", id="one_more_at_the_limit"),
        pytest.param(99, 41, 40, 0, "ok", id="one_more_up_to_the_limit"),
        pytest.param(100, 41, 40, 10, "W4", id="one_more_into_the_tolerance"),
        pytest.param(0, 10**12, 0, 1000, "E8", id="enormous"),
    ],
)
def test_around_the_limit(used: int, requested: int, held: int, percent: int, expected: str) -> None:
    decision = units(used, requested, held, percent=percent)
    assert symbol(decision) == expected
    assert (decision.feature, decision.used, decision.held, decision.requested) == (
        "software_units",
        used,
        held,
        requested,
    )
    assert (decision.limit, decision.tolerated_limit) == (100, 100 + percent)


def test_the_numbers_are_in_the_words() -> None:
    refused = units(90, 20, 5)
    assert refused.message == (
        "You cannot publish more modules because you reached the limit of 100 Software Units that this server license "
        "allows"
    )
    assert refused.diagnosis == ("Limit reached: 90 of 100 Software Units are in use, 5 of them by this; it needs 20.")
    assert (refused.severity, refused.diagnosis_code, refused.http_status) == (Severity.ERROR, "limit_reached", 403)
    tolerated = units(90, 20, 5, percent=10)
    assert tolerated.allowed
    assert (tolerated.code, tolerated.http_status) == (Code.SOFTWARE_UNITS_LIMIT_TOLERATED, 200)
    assert tolerated.warnings[-1].message == tolerated.message
    full = decide(a_status(usage={"users": 20}), "activate_user", {"users": Amount(1)})
    assert full.message == (
        "Cannot perform the operation because you reached the limit of 20 Users that this server license allows"
    )
    off = decide(a_status(license=a_verified_license(features={})), "test_query")
    assert "The Test Query feature is not licensed in this server." in str(off.message)
    assert off.diagnosis == "Not licensed: the license of this server does not include Test Query."
    assert (off.feature, off.used, off.limit, off.requested) == ("test_query", None, None, None)


def test_the_warning_of_a_tolerated_publish_comes_after_those_of_the_status() -> None:
    decision = units(105, 1, percent=10, exp=numeric(NOW + DAY))
    assert [entry.code for entry in decision.warnings] == [
        Code.EXPIRING,
        Code.OVER_LIMIT_TOLERATED,
        Code.SOFTWARE_UNITS_LIMIT_TOLERATED,
    ]


def test_over_limit_is_told_with_what_is_over() -> None:
    decision = decide(OVER, "run")
    assert (decision.feature, decision.used, decision.limit, decision.tolerated_limit) == (
        "software_units",
        101,
        100,
        100,
    )
    assert (decision.held, decision.requested) == (None, None)
    assert decision.diagnosis == "Over limit: 101 Software Units are in use, and the license allows 100."


@pytest.mark.parametrize(("requested", "expected"), [(5, "ok"), (4, "ok"), (6, "E7")])
def test_per_feature_publishing_the_same_or_fewer_units_is_possible_over_the_limit(
    requested: int, expected: str
) -> None:
    decision = decide(OVER_PER_FEATURE, "publish", {"software_units": Amount(requested, 5)})
    assert symbol(decision) == expected


@pytest.mark.parametrize("requested", [4, 5, 6])
def test_strict_blocks_even_publishing_fewer_units_while_over_the_limit(requested: int) -> None:
    decision = decide(OVER, "publish", {"software_units": Amount(requested, 5)})
    assert symbol(decision) == "E7"


def test_per_feature_an_operation_without_amounts_is_taken_to_need_more() -> None:
    assert symbol(decide(OVER_PER_FEATURE, "publish")) == "E7"
    assert symbol(decide(OVER_PER_FEATURE, "publish", {"software_units": Amount(0)})) == "ok"


def test_limits_the_license_does_not_name() -> None:
    """``included`` of the product: nothing, one, and without a limit."""
    status = a_status(license=a_verified_license(features={"run": switch()}))
    for name, granted in (("software_units", 0), ("front_end_servers", 1)):
        assert symbol(decide(status, "publish_and_run", {name: Amount(granted)})) == "ok"
        assert symbol(decide(status, "publish_and_run", {name: Amount(granted + 1)})) in {"E8", "N7"}
    decision = decide(status, "publish_and_run", {"mailboxes": Amount(10**12)})
    assert symbol(decision) == "ok"
    assert (decision.limit, decision.tolerated_limit, decision.requested) == (None, None, 10**12)


def test_of_several_limits_a_refusal_goes_before_a_warning() -> None:
    features = {"software_units": limit(100, 10), "front_end_servers": limit(2), "run": switch()}
    status = a_status(license=a_verified_license(features=features), usage={"software_units": 100})
    both = {"software_units": Amount(5), "front_end_servers": Amount(3)}
    for amounts in (both, dict(reversed(both.items()))):
        decision = decide(status, "publish_and_run", amounts)
        assert (symbol(decision), decision.feature) == ("N7", "front_end_servers")
    fitting = decide(status, "publish_and_run", both | {"front_end_servers": Amount(2)})
    assert (symbol(fitting), fitting.feature, fitting.allowed) == ("W4", "software_units", True)


def test_of_two_tolerated_limits_the_first_is_told() -> None:
    features = {"software_units": limit(100, 10), "front_end_servers": limit(10, 10), "run": switch()}
    status = a_status(license=a_verified_license(features=features))
    amounts = {"front_end_servers": Amount(11), "software_units": Amount(101)}
    assert symbol(decide(status, "publish_and_run", amounts)) == "N8"
