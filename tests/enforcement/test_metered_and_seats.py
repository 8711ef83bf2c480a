"""Metered features and seats: what the license grants of them, and what is decided about using them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, NOW, SECOND, SERIAL, a_verified_license, limit, numeric, switch
from placet.enforcement import (
    Amount,
    Code,
    Facts,
    Limit,
    Meter,
    Metered,
    Policy,
    Product,
    ProductError,
    Seats,
    State,
    Status,
    Switch,
    decide_more,
    decide_use,
    evaluate,
    with_usage,
    with_used,
)
from placet.enforcement.periods import period_at
from placet.license import Enforcement, Grant
from placet.license.terms import Period

PRODUCT = Product(
    "metered",
    features=(
        Switch("run", "Run"),
        Limit("units", "Units"),
        Metered("calls", "Calls"),
        Metered("mails", "Mails", period=Period.DAY, included=3),
        Metered("views", "Views", included=None),
        Seats("desks", "Desks"),
        Seats("chairs", "Chairs", included=None),
    ),
    operations=(),
)
MONTH_START, MONTH_END = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
POLICY = Policy()


def metered(units: int, period: Period | None = None, tolerance_percent: int = 0) -> Grant:
    return Grant(kind="metered", limit=units, period=period, tolerance_percent=tolerance_percent)


def seats(units: int) -> Grant:
    return Grant(kind="seats", limit=units)


def facts(**changes: Any) -> Facts:
    features = {"calls": metered(10), "desks": seats(2), "units": limit(5), "run": switch()}
    claims = changes.pop("claims", {})
    license_ = a_verified_license(**({"features": features} | claims))
    return Facts(**({"serial_number": SERIAL, "license": license_} | changes))


def status(now: datetime = NOW, **changes: Any) -> Status:
    return evaluate(facts(**changes), PRODUCT, now, POLICY)


def test_a_metered_feature_counts_in_its_period() -> None:
    found = status(meters={"calls": Meter(MONTH_START, 4)}).features["calls"]
    assert (found.kind, found.licensed, found.used, found.limit) == ("metered", True, 4, 10)
    assert (found.period_starts_at, found.period_ends_at) == (MONTH_START, MONTH_END)
    assert not found.over_limit


@pytest.mark.parametrize(("edge", "used"), [(-SECOND, 4), (timedelta(0), 0), (SECOND, 0)])
def test_the_next_period_counts_from_zero(edge: timedelta, used: int) -> None:
    meters = {"calls": Meter(MONTH_START, 4)}
    assert status(MONTH_END + edge, meters=meters).features["calls"].used == used


def test_a_clock_that_went_back_into_the_period_before_does_not_count_from_zero() -> None:
    assert status(MONTH_START - SECOND, meters={"calls": Meter(MONTH_START, 4)}).features["calls"].used == 4


def test_the_status_changes_with_the_period() -> None:
    assert status().next_change_at == datetime(2026, 6, 2, tzinfo=UTC)  # mails are counted per day
    without = Product("one", features=(Metered("calls", "Calls"),), operations=())
    assert evaluate(facts(), without, NOW, POLICY).next_change_at == MONTH_END


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (Period.DAY, (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))),
        (Period.MONTH, (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))),
    ],
)
def test_periods_of_the_calendar(period: Period, expected: tuple[datetime, datetime]) -> None:
    terms = a_verified_license().terms
    assert period_at(period, datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), terms) == expected
    assert period_at(period, expected[0], terms) == expected


def test_the_term_of_a_license_is_a_period() -> None:
    terms = a_verified_license().terms
    assert period_at(Period.TERM, NOW, terms) == (NOW - 100 * DAY, NOW + 265 * DAY)
    begun = a_verified_license(nbf=numeric(NOW - DAY)).terms
    assert period_at(Period.TERM, NOW, begun)[0] == NOW - DAY
    evaluation = a_verified_license(evaluation_seconds=86_400).terms
    assert period_at(Period.TERM, NOW, evaluation, NOW - SECOND) == (NOW - SECOND, NOW + DAY - SECOND)


def test_the_license_may_name_another_period_than_the_product() -> None:
    found = status(claims={"features": {"calls": metered(10, Period.DAY)}}).features["calls"]
    assert found.period_ends_at == datetime(2026, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(("name", "expected"), [("mails", 3), ("views", None), ("chairs", None)])
def test_what_the_license_does_not_name_is_what_the_product_includes(name: str, expected: int | None) -> None:
    found = status().features[name]
    assert (found.licensed, found.limit, found.tolerated_limit, found.used) == (True, expected, expected, 0)


def test_no_license_grants_nothing() -> None:
    found = evaluate(Facts(serial_number=SERIAL, meters={"calls": Meter(MONTH_START, 4)}), PRODUCT, NOW, POLICY)
    assert not any(feature.licensed for feature in found.features.values())
    assert found.features["calls"].period_ends_at is None
    assert decide_use(found, "consume", "calls", Amount(1)).code is Code.OPERATION_NO_LICENSE


def test_a_grant_of_another_kind_grants_nothing() -> None:
    found = status(claims={"features": {"calls": limit(10), "desks": metered(10), "units": seats(4)}})
    assert [found.features[name].limit for name in ("calls", "desks", "units")] == [0, 0, 0]


@pytest.mark.parametrize(("requested", "code"), [(5, None), (6, None), (7, Code.LIMIT_REACHED)])
def test_consuming_up_to_the_limit(requested: int, code: Code | None) -> None:
    found = status(meters={"calls": Meter(MONTH_START, 4)})
    decision = decide_use(found, "consume", "calls", Amount(requested))
    assert decision.code is code
    assert decision.allowed is (code is None)
    assert (decision.used, decision.limit, decision.requested) == (4, 10, requested)
    if code is not None:
        assert decision.message == (
            "Cannot perform the operation because you reached the limit of 10 Calls that this server license allows"
        )
        assert decision.diagnosis == (
            "Limit reached: 4 of 10 Calls are used until 2026-07-01T00:00:00Z, when they are counted from zero again; "
            "this needs 7 more."
        )


def test_consuming_within_the_tolerance_is_told() -> None:
    found = status(claims={"features": {"calls": metered(10, tolerance_percent=20)}})
    assert decide_use(found, "consume", "calls", Amount(12)).code is Code.LIMIT_REACHED_TOLERATED
    assert decide_use(found, "consume", "calls", Amount(13)).code is Code.LIMIT_REACHED


def test_more_consumed_than_a_new_license_allows_blocks_nothing_else() -> None:
    found = status(meters={"calls": Meter(MONTH_START, 40)}, usage={"desks": 9})
    assert found.errors == ()
    assert not decide_use(found, "consume", "calls", Amount(1)).allowed
    assert decide_use(found, "consume", "mails", Amount(1)).allowed


@pytest.mark.parametrize(("taken", "code"), [(0, None), (1, None), (2, Code.LIMIT_REACHED)])
def test_taking_seats(taken: int, code: Code | None) -> None:
    decision = decide_use(status(usage={"desks": taken}), "lease", "desks", Amount(1))
    assert decision.code is code
    if code is not None:
        assert decision.diagnosis == "Limit reached: 2 of 2 Desks are taken; this needs 1."


def test_what_is_not_licensed_is_told_so() -> None:
    found = status(claims={"features": {}})
    assert decide_use(found, "consume", "calls", Amount(1)).code is Code.FEATURE_NOT_LICENSED
    assert decide_use(found, "lease", "desks", Amount(1)).code is Code.FEATURE_NOT_LICENSED


@pytest.mark.parametrize(("enforcement", "allowed"), [(Enforcement.STRICT, False), (Enforcement.PER_FEATURE, True)])
def test_a_limit_that_is_exceeded_blocks_uses_where_enforcement_is_strict(
    enforcement: Enforcement, allowed: bool
) -> None:
    claims = {"enforcement": enforcement, "features": {"calls": metered(10), "units": limit(5)}}
    decision = decide_use(status(claims=claims, usage={"units": 6}), "consume", "calls", Amount(1))
    assert decision.allowed is allowed
    if not allowed:
        assert decision.code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT


def test_an_expired_license_allows_no_use() -> None:
    found = status(NOW + 300 * DAY)
    assert found.state is State.EXPIRED
    assert decide_use(found, "consume", "calls", Amount(1)).code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT


@pytest.mark.parametrize("name", ["units", "run", "unheard_of"])
def test_only_metered_features_and_seats_are_used_so(name: str) -> None:
    with pytest.raises(ProductError, match=name):
        decide_use(status(), "consume", name, Amount(1))


@pytest.mark.parametrize("units", [-1, 10**12 + 1, True])
def test_absurd_amounts(units: int) -> None:
    with pytest.raises(ProductError, match="number of units"):
        decide_use(status(), "consume", "calls", Amount(units))


def test_the_kinds_of_a_product() -> None:
    assert [feature.name for feature in PRODUCT.metered] == ["calls", "mails", "views"]
    assert [feature.name for feature in PRODUCT.seats] == ["desks", "chairs"]
    assert [feature.name for feature in PRODUCT.limits] == ["units"]


NUMBERS = st.integers(0, 14)
USAGE = st.fixed_dictionaries({}, optional={"units": NUMBERS, "desks": NUMBERS})
METERS = st.fixed_dictionaries(
    {}, optional={"calls": st.builds(Meter, st.sampled_from([MONTH_START, MONTH_START - DAY]), NUMBERS)}
)
WHEN = st.sampled_from([NOW, NOW + 240 * DAY, NOW + 265 * DAY, NOW + 300 * DAY])
LICENSES = st.sampled_from([{}, {"grace_until": numeric(NOW + 280 * DAY)}, {"serial_number": "0"}])


@given(st.tuples(USAGE, METERS), st.tuples(USAGE, METERS), WHEN, LICENSES)
def test_other_usage_is_judged_as_by_evaluating_anew(one: Any, other: Any, now: datetime, claims: Any) -> None:
    (usage, meters), (other_usage, other_meters) = one, other
    elsewhere = claims.get("serial_number") == "0"
    before = facts(usage=usage, meters=meters, claims={} if elsewhere else claims)
    if elsewhere:
        before = msgspec.structs.replace(before, license=None)
    after = msgspec.structs.replace(before, usage=other_usage, meters=other_meters)
    assert with_usage(evaluate(before, PRODUCT, now, POLICY), after) == evaluate(after, PRODUCT, now, POLICY)


@given(amounts=st.lists(st.integers(1, 6), min_size=2, max_size=6), tolerance=st.sampled_from([0, 50]))
def test_more_is_decided_as_if_it_were_asked_anew(amounts: list[int], tolerance: int) -> None:
    for feature in ("calls", "views"):  # a limit of 10; none
        before, now = None, status(claims={"features": {"calls": metered(10, tolerance_percent=tolerance)}})
        for amount in amounts:
            decision = decide_use(now, "consume", feature, Amount(amount))
            if before is not None:
                plain = decision.allowed and decision.code is None
                assert decide_more(before, amount) == (decision if plain else None)
            if not decision.allowed or decision.code is not None:
                break
            before, now = decision, with_used(now, {feature: (now.features[feature].used or 0) + amount})


def test_after_what_is_tolerated_or_refused_it_is_decided_anew() -> None:
    found = status(claims={"features": {"calls": metered(10, tolerance_percent=50)}})
    for amount in (11, 16):
        assert decide_more(decide_use(found, "consume", "calls", Amount(amount)), 1) is None
