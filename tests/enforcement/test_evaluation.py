"""Evaluate: the state at every boundary, a second before, at it, and a second after."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import (
    DAY,
    NOW,
    OTHER_SERIAL,
    SECOND,
    SERIAL,
    a_status,
    a_verified_license,
    limit,
    numeric,
    revocation,
    switch,
)
from placet.enforcement import Code, Policy, State, Status, catalogue
from placet.license import Diagnosis, Enforcement, Rejection

START, END, GRACE_END = NOW - 100 * DAY, NOW + 100 * DAY, NOW + 110 * DAY
REJECTION = Rejection(diagnosis=Diagnosis.BAD_SIGNATURE, explanation="Signature does not verify.")
HOUR = timedelta(hours=1)


def license_with(**claims: Any) -> Any:
    times = {"nbf": numeric(START), "exp": numeric(END), "grace_until": numeric(GRACE_END)}
    return a_verified_license(**(times | claims))


FULL = license_with()


def at(moment: datetime, **facts: Any) -> Status:
    return a_status(moment, **({"license": FULL} | facts))


@pytest.mark.parametrize(
    ("moment", "before", "from_then_on"),
    [
        pytest.param(START, State.NOT_YET_VALID, State.ACTIVE, id="nbf"),
        pytest.param(END, State.ACTIVE, State.GRACE, id="exp"),
        pytest.param(GRACE_END, State.GRACE, State.EXPIRED, id="grace_until"),
    ],
)
def test_each_boundary_to_the_second(moment: datetime, before: State, from_then_on: State) -> None:
    assert at(moment - SECOND).state is before
    assert at(moment - timedelta(microseconds=1)).state is before
    assert at(moment).state is from_then_on
    assert at(moment + SECOND).state is from_then_on


def test_without_grace_the_license_has_expired_at_exp() -> None:
    plain = license_with(grace_until=None)
    assert [at(END + offset, license=plain).state for offset in (-SECOND, 0 * SECOND, SECOND)] == [
        State.ACTIVE,
        State.EXPIRED,
        State.EXPIRED,
    ]
    at_exp = license_with(grace_until=numeric(END))
    assert at(END, license=at_exp).state is State.EXPIRED


def test_without_nbf_a_license_is_valid_from_the_beginning() -> None:
    assert at(datetime(1970, 1, 2, tzinfo=NOW.tzinfo), license=license_with(nbf=None)).state is State.ACTIVE


@pytest.mark.parametrize("warn_before", [30 * DAY, timedelta(days=7), timedelta(hours=1)])
def test_warnings_begin_to_the_second(warn_before: timedelta) -> None:
    def warnings(moment: datetime) -> list[Code]:
        return [entry.code for entry in a_status(moment, Policy(warn_before=warn_before), license=FULL).warnings]

    assert warnings(END - warn_before - SECOND) == []
    assert warnings(END - warn_before) == [Code.EXPIRING]
    assert warnings(END - warn_before + SECOND) == [Code.EXPIRING]
    assert warnings(END - SECOND) == [Code.EXPIRING]
    assert warnings(END) == [Code.IN_GRACE]
    assert warnings(GRACE_END - SECOND) == [Code.IN_GRACE]
    assert warnings(GRACE_END) == []


def test_warnings_may_be_turned_off_or_always_be_on() -> None:
    assert a_status(END - SECOND, Policy(warn_before=timedelta(0)), license=FULL).warnings == ()
    status = a_status(START, Policy(warn_before=timedelta.max, clock_tolerance=timedelta.max), license=FULL)
    assert [entry.code for entry in status.warnings] == [Code.EXPIRING]
    assert status.next_change_at == START + DAY


@pytest.mark.parametrize("tolerance", [timedelta(0), HOUR, 30 * DAY])
def test_a_clock_may_go_back_by_the_tolerance_and_no_further(tolerance: timedelta) -> None:
    def state(behind: timedelta) -> State:
        return a_status(NOW - behind, Policy(clock_tolerance=tolerance), license=FULL, newest_moment=NOW).state

    assert state(tolerance - SECOND) is State.ACTIVE
    assert state(tolerance) is State.ACTIVE
    assert state(tolerance + timedelta(microseconds=1)) is State.CLOCK_SET_BACK
    assert state(tolerance + SECOND) is State.CLOCK_SET_BACK


def test_an_evaluation_ends_to_the_second() -> None:
    trial = license_with(evaluation_seconds=30 * 86_400)
    started, end = NOW - 10 * DAY, NOW + 20 * DAY
    for offset, expected in ((-SECOND, State.ACTIVE), (0 * SECOND, State.GRACE), (SECOND, State.GRACE)):
        status = at(end + offset, license=trial, evaluation_started_at=started)
        assert status.state is expected
        assert (status.expires_at, status.grace_ends_at) == (end, end + 10 * DAY)
    assert at(end + 10 * DAY, license=trial, evaluation_started_at=started).state is State.EXPIRED
    assert at(end + 10 * DAY, license=trial).state is State.ACTIVE


BROKEN: dict[State, dict[str, Any]] = {
    State.NO_LICENSE: {"license": None},
    State.UNREADABLE: {"license": REJECTION},
    State.REVOKED: {"revocation": revocation()},
    State.WRONG_SERVER: {"serial_number": OTHER_SERIAL},
    State.CLOCK_SET_BACK: {"newest_moment": NOW + DAY},
    State.NOT_YET_VALID: {
        "license": license_with(nbf=numeric(NOW + DAY), exp=numeric(NOW + 9 * DAY), grace_until=None)
    },
    State.EXPIRED: {"license": license_with(exp=numeric(NOW - DAY), grace_until=None)},
    State.GRACE: {"license": license_with(exp=numeric(NOW - DAY), grace_until=numeric(NOW + DAY))},
    State.ACTIVE: {},
}


def test_these_are_all_states_in_their_order() -> None:
    assert list(BROKEN) == list(State)


@pytest.mark.parametrize("first", State)
@pytest.mark.parametrize("second", State)
def test_of_two_conditions_the_first_names_the_state(first: State, second: State) -> None:
    earlier, later = sorted((first, second), key=list(State).index)
    status = at(NOW, **(BROKEN[later] | BROKEN[earlier]))
    assert status.state is earlier
    assert status.usable is (earlier in {State.GRACE, State.ACTIVE})


TOLD: dict[State, tuple[str, str | None, str | None]] = {
    State.NO_LICENSE: ("E1", "no_file", "No file: no license has been installed on this server yet."),
    State.UNREADABLE: ("E1", "bad_signature", "Signature does not verify."),
    State.REVOKED: ("N1", "revoked", "Revoked: Not paid for."),
    State.WRONG_SERVER: (
        "E3",
        "wrong_server",
        f"Wrong server: the license was issued to {SERIAL}, and this server is {OTHER_SERIAL}.",
    ),
    State.CLOCK_SET_BACK: (
        "N3",
        "clock_set_back",
        "Clock set back: it was already 2026-06-02T12:00:00Z when this license was last in use.",
    ),
    State.NOT_YET_VALID: ("N5", "not_yet_valid", "Not valid yet: the license begins at 2026-06-02T12:00:00Z."),
    State.EXPIRED: ("E5", "expired", "Expired: the license ended at 2026-05-31T12:00:00Z."),
    State.GRACE: ("W2", None, None),
}


@pytest.mark.parametrize(("state", "told"), TOLD.items())
def test_each_state_is_told_once_with_its_cause(state: State, told: tuple[str, str | None, str | None]) -> None:
    status = at(NOW, **BROKEN[state])
    (entry,) = (*status.errors, *status.warnings)
    assert (catalogue().entries[entry.code].symbol, entry.diagnosis_code, entry.diagnosis) == told
    assert (entry in status.warnings) is (told[0][0] == "W")
    assert (status.diagnosis.code if status.diagnosis else None) == told[1]


def test_texts_are_filled_in() -> None:
    def message(state: State) -> str:
        status = at(NOW, **BROKEN[state])
        return (*status.errors, *status.warnings)[0].message

    assert message(State.WRONG_SERVER).endswith(f"with serial number '{SERIAL}'")
    assert message(State.REVOKED).startswith("This server license was revoked on 2026-05-31T12:00:00Z.")
    assert message(State.CLOCK_SET_BACK).endswith("already 2026-06-02T12:00:00Z when this license was last in use")
    assert message(State.NOT_YET_VALID).endswith("It will be valid from 2026-06-02T12:00:00Z")
    assert message(State.GRACE).endswith("must request a new license within 24 hours")
    (warning,) = at(END - 15 * DAY).warnings
    assert warning.message.startswith("This server license will expire within 15 days.")


def test_the_end_of_a_grace_is_told_beside_the_expiry() -> None:
    status = at(GRACE_END)
    assert status.diagnosis is not None
    assert status.diagnosis.code == "expired_after_grace"
    assert status.diagnosis.sentence == (
        "Expired: the license ended at 2026-09-09T12:00:00Z, and its grace at 2026-09-19T12:00:00Z."
    )


def test_the_vendor_is_named_by_the_license_or_by_the_policy() -> None:
    policy = Policy(vendor_name="Configured Ltd")
    assert a_status(policy=policy).vendor_name == "Acme Software"
    bare = a_status(policy=policy, license=None)
    assert bare.vendor_name == "Configured Ltd"
    assert "from Configured Ltd for this server" in bare.errors[0].remedy
    assert "from the vendor for this server" in a_status(license=None).errors[0].remedy


@pytest.mark.parametrize(
    ("used", "percent", "code"),
    [
        (100, 0, None),
        (101, 0, Code.OVER_LIMIT),
        (100, 10, None),
        (101, 10, Code.OVER_LIMIT_TOLERATED),
        (110, 10, Code.OVER_LIMIT_TOLERATED),
        (111, 10, Code.OVER_LIMIT),
    ],
)
def test_usage_around_the_limit_and_its_tolerance(used: int, percent: int, code: Code | None) -> None:
    features = {"software_units": limit(100, percent)}
    status = a_status(license=a_verified_license(features=features), usage={"software_units": used})
    entries = (*status.errors, *status.warnings)
    assert [entry.code for entry in entries] == ([code] if code else [])
    for entry in entries:
        tolerance = " and tolerates 110" if percent else ""
        assert entry.diagnosis == (
            f"Over limit: {used} Software Units are in use, and the license allows 100{tolerance}."
        )
        assert (entry.feature, entry.used, entry.limit) == ("software_units", used, 100)


def test_each_exceeded_limit_is_told() -> None:
    status = a_status(usage={"software_units": 101, "users": 21, "front_end_servers": 2})
    assert [(entry.code, entry.feature) for entry in status.errors] == [
        (Code.OVER_LIMIT, "software_units"),
        (Code.OVER_LIMIT, "users"),
    ]


@pytest.mark.parametrize("state", [State.CLOCK_SET_BACK, State.NOT_YET_VALID, State.EXPIRED, State.GRACE, State.ACTIVE])
def test_limits_are_judged_beside_the_state_of_this_servers_license(state: State) -> None:
    status = at(NOW, **BROKEN[state], usage={"users": 21})
    assert Code.OVER_LIMIT in [entry.code for entry in status.errors]
    assert status.features["users"].limit == 20


@pytest.mark.parametrize("state", [State.NO_LICENSE, State.UNREADABLE, State.REVOKED, State.WRONG_SERVER])
def test_without_a_license_of_this_server_nothing_is_granted(state: State) -> None:
    status = at(NOW, **BROKEN[state], usage={"users": 21, "mailboxes": 5})
    assert [entry.code for entry in status.errors if entry.code is Code.OVER_LIMIT] == []
    for feature in status.features.values():
        assert (feature.licensed, feature.over_limit, feature.exceeded) == (False, False, False)
        assert feature.limit == (0 if feature.kind == "limit" else None)
    assert status.features["users"].used == 21


def test_what_a_license_names_it_grants_and_what_it_does_not_name_is_as_the_product_says() -> None:
    named = {"run": switch(), "users": limit(0), "unheard_of": switch()}
    features = a_status(license=a_verified_license(features=named), usage={"nonsense": 5}).features
    assert "unheard_of" not in features
    assert "nonsense" not in features
    assert features["run"].licensed
    assert not features["debugger"].licensed
    assert (features["users"].licensed, features["users"].limit) == (False, 0)
    assert (features["software_units"].licensed, features["software_units"].limit) == (False, 0)
    assert (features["front_end_servers"].licensed, features["front_end_servers"].limit) == (True, 1)
    assert (features["mailboxes"].licensed, features["mailboxes"].limit) == (True, None)
    assert not features["mailboxes"].over_limit
    assert not features["run"].exceeded


def test_a_grant_of_another_kind_than_the_product_knows_grants_nothing() -> None:
    features = a_status(license=a_verified_license(features={"run": limit(5), "users": switch()})).features
    assert not features["run"].licensed
    assert features["users"].limit == 0


def test_enforcement_is_as_the_license_says_and_strict_without_one() -> None:
    per_feature = a_verified_license(enforcement=Enforcement.PER_FEATURE)
    assert a_status(license=per_feature).enforcement is Enforcement.PER_FEATURE
    assert a_status(license=None).enforcement is Enforcement.STRICT


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(at(START - DAY), START, id="not_yet_valid"),
        pytest.param(at(NOW), END - 30 * DAY, id="active"),
        pytest.param(at(END - 30 * DAY), END - 29 * DAY, id="warned_in_days"),
        pytest.param(at(END - 90 * SECOND), END - 89 * SECOND, id="warned_in_seconds"),
        pytest.param(at(END - SECOND), END, id="last_second"),
        pytest.param(at(END), END + DAY, id="grace"),
        pytest.param(at(GRACE_END), None, id="expired"),
        pytest.param(at(NOW, newest_moment=NOW + DAY), NOW + DAY - HOUR, id="clock_set_back"),
        pytest.param(at(NOW, revocation=revocation()), None, id="revoked"),
        pytest.param(at(NOW, serial_number=OTHER_SERIAL), None, id="wrong_server"),
        pytest.param(at(NOW, license=None), None, id="no_license"),
        pytest.param(at(NOW, license=REJECTION), None, id="unreadable"),
    ],
)
def test_when_time_alone_changes_the_status(status: Status, expected: datetime | None) -> None:
    assert status.next_change_at == expected
