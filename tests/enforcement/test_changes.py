"""What installing a license changes: told feature by feature, and what it would block."""

from typing import Any

import pytest

from builders import (
    DAY,
    EVERYTHING,
    NOW,
    OTHER_SERIAL,
    a_status,
    a_verified_license,
    limit,
    numeric,
    switch,
)
from placet.enforcement import Changes, Code, Status, compare
from placet.enforcement.changes import Effect
from placet.license import Enforcement, Grant

PLENTY = {"software_units": 90, "users": 18}


def under(features: dict[str, Grant], usage: dict[str, int] = PLENTY, **claims: Any) -> Status:
    """The server's status with a license of these features."""
    return a_status(license=a_verified_license(features=features, **claims), usage=usage)


def all_but(*names: str, **others: Grant) -> dict[str, Grant]:
    return {name: grant for name, grant in EVERYTHING.items() if name not in names} | others


BEFORE = under(dict(EVERYTHING))


def features_of(changes: Changes) -> list[tuple[str, Effect, str, str]]:
    return [(change.feature, change.effect, change.before, change.after) for change in changes.features]


def test_the_same_license_again_changes_nothing() -> None:
    changes = compare(BEFORE, under(dict(EVERYTHING), sequence=2, jti="L-0002"))
    assert changes == Changes(features=(), blocked=(), unknown_features=())
    assert not changes.needs_acknowledgement


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(all_but("run"), ("run", Effect.LOST, "on", "off"), id="switch_lost"),
        pytest.param(
            all_but(software_units=limit(200)), ("software_units", Effect.RAISED, "100", "200"), id="limit_raised"
        ),
        pytest.param(
            all_but(software_units=limit(95)), ("software_units", Effect.LOWERED, "100", "95"), id="limit_lowered"
        ),
        pytest.param(
            all_but(software_units=limit(100, 10)),
            ("software_units", Effect.RAISED, "100", "100 + 10 tolerated"),
            id="tolerance_gained",
        ),
        pytest.param(
            all_but(software_units=limit(95, 100)),
            ("software_units", Effect.LOWERED, "100", "95 + 95 tolerated"),
            id="limit_lowered_and_tolerance_gained",
        ),
        pytest.param(all_but("users"), ("users", Effect.LOST, "20", "0"), id="limit_no_longer_named"),
        pytest.param(
            all_but("front_end_servers"),
            ("front_end_servers", Effect.LOWERED, "2", "1"),
            id="limit_back_to_what_is_included",
        ),
        pytest.param(
            all_but(mailboxes=limit(7)), ("mailboxes", Effect.LOWERED, "unlimited", "7"), id="limit_where_none_was"
        ),
    ],
)
def test_each_change_is_told(after: dict[str, Grant], expected: tuple[str, Effect, str, str]) -> None:
    assert features_of(compare(BEFORE, under(after))) == [expected]
    name, effect, old, new = expected
    opposite = {
        Effect.LOST: Effect.GAINED,
        Effect.GAINED: Effect.LOST,
        Effect.RAISED: Effect.LOWERED,
        Effect.LOWERED: Effect.RAISED,
    }[effect]
    assert features_of(compare(under(after), BEFORE)) == [(name, opposite, new, old)]


def test_a_change_has_its_title_and_what_is_in_use() -> None:
    (change,) = compare(BEFORE, under(all_but(users=limit(15)))).features
    assert (change.title, change.used) == ("Users", 18)
    (change,) = compare(BEFORE, under(all_but("test_query"))).features
    assert (change.title, change.used) == ("Test Query", None)


def test_a_feature_that_is_lost_is_told_and_needs_no_acknowledgement() -> None:
    """What is no longer licensed was not renewed; that is no surprise to be acknowledged."""
    changes = compare(BEFORE, under(all_but("run", "debugger")))
    assert [change.effect for change in changes.features] == [Effect.LOST, Effect.LOST]
    assert changes.blocked == ()
    assert not changes.needs_acknowledgement


def test_a_limit_below_what_is_in_use_blocks_everything_where_it_is_strict() -> None:
    changes = compare(BEFORE, under(all_but(software_units=limit(80))))
    assert [refusal.operation for refusal in changes.blocked] == [
        *("publish", "run", "debug", "test_query", "activate_user", "publish_and_run"),
    ]
    for refusal in changes.blocked:
        assert refusal.code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
        assert (refusal.feature, refusal.used, refusal.limit) == ("software_units", 90, 80)
    assert changes.needs_acknowledgement


def test_a_limit_below_what_is_in_use_blocks_its_own_operations_where_it_is_per_feature() -> None:
    changes = compare(BEFORE, under(all_but(software_units=limit(80)), enforcement=Enforcement.PER_FEATURE))
    assert [refusal.operation for refusal in changes.blocked] == ["publish", "publish_and_run"]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"serial_number": OTHER_SERIAL}, Code.OPERATION_WRONG_SERVER),
        ({"exp": numeric(NOW)}, Code.OPERATION_EXPIRED_OR_OVER_LIMIT),
        ({"nbf": numeric(NOW + DAY)}, Code.OPERATION_NOT_YET_VALID),
    ],
)
def test_a_license_that_is_of_no_use_here_blocks_everything(claims: dict[str, Any], code: Code) -> None:
    changes = compare(BEFORE, under(dict(EVERYTHING), **claims))
    assert {refusal.code for refusal in changes.blocked} == {code}
    assert len(changes.blocked) == 6


def test_the_first_license_blocks_nothing_and_gains_everything() -> None:
    changes = compare(a_status(license=None, usage=PLENTY), BEFORE)
    assert changes.blocked == ()
    assert {change.effect for change in changes.features} == {Effect.GAINED}
    assert [change.feature for change in changes.features] == [
        *("software_units", "users", "front_end_servers", "mailboxes", "run", "debugger", "test_query"),
    ]


def test_what_was_refused_before_is_not_blocked_by_the_change() -> None:
    """An expired license replaced by one that has expired as well: nothing that was allowed is refused."""
    expired = under(dict(EVERYTHING), exp=numeric(NOW - DAY))
    assert compare(expired, under(dict(EVERYTHING), exp=numeric(NOW))).blocked == ()


def test_features_the_product_does_not_know_are_told() -> None:
    changes = compare(BEFORE, under(all_but(holodeck=switch(), time_travel=limit(3))))
    assert changes.unknown_features == ("holodeck", "time_travel")
    assert changes.features == ()


def test_taking_the_license_away_loses_everything() -> None:
    changes = compare(BEFORE, a_status(license=None, usage=PLENTY))
    assert {change.effect for change in changes.features} == {Effect.LOST}
    assert {refusal.code for refusal in changes.blocked} == {Code.OPERATION_NO_LICENSE}
    assert changes.unknown_features == ()
