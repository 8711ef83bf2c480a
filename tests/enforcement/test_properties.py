"""What holds for every license, server, moment, usage and operation there can be."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from builders import DAY, KEY, NOW, PRODUCT, SERIAL, TRUST, a_verified_license, limit, some_terms, switch
from placet.enforcement import Amount, Code, Decision, Facts, Limit, Policy, State, Status, decide, evaluate
from placet.license import Enforcement, License, Rejection, issue, verify
from worlds import LIMITS, LIVE, MOMENTS, POLICIES, REJECTIONS, SMALL, SOUND, SWITCHES, WORLDS, asked, permitted


@settings(max_examples=250)
@given(WORLDS, POLICIES, MOMENTS, asked())
def test_allowed_is_what_the_rules_permit_and_nothing_else(
    facts: Facts, policy: Policy, now: datetime, question: tuple[str, dict[str, Amount]]
) -> None:
    status = evaluate(facts, PRODUCT, now, policy)
    decision = decide(status, *question)
    event(f"{status.state}, {'allowed' if decision.allowed else 'refused'}")
    assert decision.allowed is permitted(facts, policy, now, *question)
    if decision.allowed:
        assert isinstance(facts.license, License)
        assert verify(facts.license.signed.encode(), TRUST) == facts.license
        assert facts.license.terms.serial_number == facts.serial_number
        assert facts.revocation is None


@given(st.none() | REJECTIONS, st.dictionaries(st.sampled_from(LIMITS), SMALL), MOMENTS, POLICIES, asked())
def test_without_a_verified_license_nothing_is_ever_allowed(
    found: Rejection | None,
    usage: dict[str, int],
    now: datetime,
    policy: Policy,
    question: tuple[str, dict[str, Amount]],
) -> None:
    facts = Facts(serial_number=SERIAL, license=found, usage=usage)
    assert decide(evaluate(facts, PRODUCT, now, policy), *question).code is Code.OPERATION_NO_LICENSE


def with_claims(license_: License, **claims: Any) -> License:
    """The license issued anew with other claims."""
    return verify(issue(msgspec.structs.replace(license_.terms, **claims), [KEY]), TRUST)


@st.composite
def more_generous(draw: st.DrawFn, license_: License) -> License:
    """The license issued anew with no less of anything: limits, tolerance, features, time, leniency."""
    terms = license_.terms
    features = dict(terms.features)
    for name in draw(st.sets(st.sampled_from([*SWITCHES, *LIMITS]))):
        grant = features.get(name, limit(0) if name in LIMITS else switch())
        if name in SWITCHES:
            features[name] = switch()
        elif name not in {"mailboxes", "front_end_servers"} or name in terms.features:
            units = grant.limit if grant.kind == "limit" and grant.limit is not None else 0
            features[name] = limit(units + draw(SMALL), grant.tolerance_percent + draw(st.sampled_from([0, 10, 100])))
    later = draw(st.integers(0, 20)) * 86_400
    grace = None if terms.grace_until is None else terms.grace_until + later + draw(st.integers(0, 86_400))
    enforcement = draw(st.sampled_from([terms.enforcement, Enforcement.PER_FEATURE]))
    return with_claims(license_, features=features, exp=terms.exp + later, grace_until=grace, enforcement=enforcement)


def is_odd(license_: License) -> bool:
    """A limit under a kind this version does not know: the product's own maximum holds, whatever it says."""
    return any(grant.kind == "metered" for grant in license_.terms.features.values())


@settings(max_examples=200)
@given(LIVE | SOUND, POLICIES, MOMENTS, asked(), st.data())
def test_more_limit_tolerance_or_time_never_turns_allowed_into_refused(
    facts: Facts, policy: Policy, now: datetime, question: tuple[str, dict[str, Amount]], data: st.DataObject
) -> None:
    assert isinstance(facts.license, License)
    assume(not is_odd(facts.license))
    richer = msgspec.structs.replace(facts, license=data.draw(more_generous(facts.license)))
    before = decide(evaluate(facts, PRODUCT, now, policy), *question)
    after = decide(evaluate(richer, PRODUCT, now, policy), *question)
    event(f"{'allowed' if before.allowed else 'refused'}, then {'allowed' if after.allowed else 'refused'}")
    assert after.allowed or not before.allowed


@given(WORLDS, POLICIES, MOMENTS, asked())
def test_less_in_use_never_turns_allowed_into_refused(
    facts: Facts, policy: Policy, now: datetime, question: tuple[str, dict[str, Amount]]
) -> None:
    fewer = msgspec.structs.replace(facts, usage={name: units // 2 for name, units in facts.usage.items()})
    before = decide(evaluate(facts, PRODUCT, now, policy), *question)
    assert decide(evaluate(fewer, PRODUCT, now, policy), *question).allowed or not before.allowed


def timeless(status: Status) -> Status:
    """The status without the moment it was told for."""
    return msgspec.structs.replace(status, evaluated_at=NOW)


@settings(max_examples=200)
@given(WORLDS, POLICIES, MOMENTS, st.floats(0, 1, exclude_max=True), asked())
def test_nothing_changes_until_the_next_change_and_then_something_does(
    facts: Facts, policy: Policy, now: datetime, part: float, question: tuple[str, dict[str, Amount]]
) -> None:
    status = evaluate(facts, PRODUCT, now, policy)
    end = status.next_change_at
    assert end is None or end > now
    moment = now + part * ((end - now) if end is not None else 10_000 * DAY)
    assume(end is None or moment < end)
    later = evaluate(facts, PRODUCT, moment, policy)
    assert timeless(later) == timeless(status)
    assert decide(later, *question) == decide(status, *question)
    if end is not None:
        last = evaluate(facts, PRODUCT, end - timedelta(microseconds=1), policy)
        assert timeless(last) == timeless(status)
        assert timeless(evaluate(facts, PRODUCT, end, policy)) != timeless(status)


def explained(decision: Decision) -> bool:
    """What the decision says follows from the numbers it says it with, and from nothing else."""
    used, ceiling_ = decision.used, decision.tolerated_limit
    match decision.code:
        case None:
            return decision.allowed and decision.state in {State.ACTIVE, State.GRACE}
        case Code.OPERATION_NO_LICENSE:
            return decision.state in {State.NO_LICENSE, State.UNREADABLE}
        case Code.OPERATION_WRONG_SERVER | Code.OPERATION_LICENSE_REVOKED | Code.OPERATION_CLOCK_SET_BACK:
            return decision.code == f"operation_{decision.state}".replace("_revoked", "_license_revoked")
        case Code.OPERATION_NOT_YET_VALID:
            return decision.state is State.NOT_YET_VALID
        case Code.FEATURE_NOT_LICENSED:
            return decision.feature in SWITCHES and decision.diagnosis_code == "not_licensed"
        case Code.OPERATION_EXPIRED_OR_OVER_LIMIT if decision.feature is None:
            return decision.state is State.EXPIRED
        case Code.OPERATION_EXPIRED_OR_OVER_LIMIT:
            return used is not None and ceiling_ is not None and used > ceiling_
    assert used is not None
    assert ceiling_ is not None
    assert decision.limit is not None
    assert decision.requested is not None
    assert decision.held is not None
    after = used - decision.held + decision.requested
    grows = decision.requested > decision.held
    return grows and (decision.limit < after <= ceiling_ if decision.allowed else after > ceiling_)


@settings(max_examples=250)
@given(WORLDS, POLICIES, MOMENTS, asked())
def test_a_decision_explains_itself_with_its_own_numbers(
    facts: Facts, policy: Policy, now: datetime, question: tuple[str, dict[str, Amount]]
) -> None:
    decision = decide(evaluate(facts, PRODUCT, now, policy), *question)
    event(f"{decision.code}")
    assert explained(decision)
    if not decision.allowed:
        assert decision.message
        assert decision.remedy
        assert decision.contact
        assert decision.diagnosis
        assert decision.diagnosis_code
    if decision.feature in LIMITS and not decision.allowed and decision.code is not None:
        numbers = f"{decision.message} {decision.diagnosis}"
        assert str(decision.used) in numbers
        assert str(decision.limit) in numbers
    told = [entry.message for entry in decision.warnings]
    assert "{" not in f"{decision.message}{decision.remedy}{decision.diagnosis}{told}"


@pytest.mark.parametrize("enforcement", Enforcement)
@pytest.mark.parametrize(("units", "percent"), list(product((0, 2, 4), (0, 50))))
def test_every_small_number_around_a_limit(units: int, percent: int, enforcement: Enforcement) -> None:
    license_ = a_verified_license(features={"software_units": limit(units, percent)}, enforcement=enforcement)
    codes = set()
    for used in range(8):
        facts = Facts(serial_number=SERIAL, license=license_, usage={"software_units": used})
        status = evaluate(facts, PRODUCT, NOW, Policy())
        for requested, held in product(range(7), range(min(used, 3) + 1)):
            amounts = {"software_units": Amount(requested, held)}
            decision = decide(status, "publish", amounts)
            assert decision.allowed is permitted(facts, Policy(), NOW, "publish", amounts)
            assert explained(decision)
            codes.add(decision.code)
    tolerated = {Code.SOFTWARE_UNITS_LIMIT_TOLERATED} if units * percent else set()
    assert codes == {None, Code.SOFTWARE_UNITS_LIMIT, Code.OPERATION_EXPIRED_OR_OVER_LIMIT} | tolerated


def test_these_are_the_limits_of_the_product_the_rules_were_written_down_for() -> None:
    included = {feature.name: feature.included for feature in PRODUCT.features if isinstance(feature, Limit)}
    assert included == {"software_units": 0, "users": 0, "front_end_servers": 1, "mailboxes": None}
    assert some_terms().serial_number == SERIAL
