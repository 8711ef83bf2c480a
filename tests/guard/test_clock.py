"""Clocks that are set back, and the minute's tick."""

from datetime import timedelta

import pytest

from builders import DAY, NOW, SECOND, numeric
from guard_support.guards import Clock, allocate, audited, install, opened, used
from placet.enforcement import Code, Policy, State
from placet.guard import Guard
from placet.store.installation import read_installation

HOUR = timedelta(hours=1)
N3 = "The clock of this server was set back. It was already 2026-06-11T12:00:00Z when this license was last in use"
N4 = "Cannot perform the operation. The clock of this server was set back"


def newest(guard: Guard) -> object:
    with guard.database.read() as connection:
        return read_installation(connection).newest_moment


@pytest.fixture
def used_for_ten_days(licensed: Guard, clock: Clock) -> Guard:
    clock.go_on(10 * DAY)
    licensed.tick()
    return licensed


def test_a_tick_notes_the_newest_moment_and_never_an_earlier_one(licensed: Guard, clock: Clock) -> None:
    assert newest(licensed) == NOW
    for moment, noted in [(DAY, DAY), (-DAY, DAY), (2 * DAY, 2 * DAY)]:
        clock.now = NOW + moment
        licensed.tick()
        assert newest(licensed) == NOW + noted


def test_without_a_license_there_is_nothing_to_note(guard: Guard, clock: Clock) -> None:
    clock.go_on(10 * DAY)
    guard.tick()
    assert newest(guard) is None
    clock.now = NOW
    install(guard)
    assert guard.status().state is State.ACTIVE


@pytest.mark.parametrize(
    ("back", "state"),
    [
        (SECOND, State.ACTIVE),
        (HOUR, State.ACTIVE),
        (HOUR + SECOND, State.CLOCK_SET_BACK),
        (9 * DAY, State.CLOCK_SET_BACK),
        (9000 * DAY, State.CLOCK_SET_BACK),
    ],
)
def test_a_clock_may_go_back_by_an_hour(used_for_ten_days: Guard, clock: Clock, back: timedelta, state: State) -> None:
    clock.go_on(-back)
    assert used_for_ten_days.status().state is state
    assert used_for_ten_days.check("run").allowed is (state is State.ACTIVE)


def test_a_clock_set_back_is_told_with_its_messages(used_for_ten_days: Guard, clock: Clock) -> None:
    clock.go_on(-2 * HOUR)
    guard = used_for_ten_days
    assert [notice.message for notice in guard.status().errors] == [N3]
    for operation in ("run", "publish", "activate_user"):
        decision = guard.check(operation)
        assert (decision.code, decision.message) == (Code.OPERATION_CLOCK_SET_BACK, N4)
    decision = guard.preview("publish", "orders", software_units=1)
    assert (decision.allowed, decision.message) == (False, N4)


def test_how_far_is_the_policys(database_url: str, clock: Clock) -> None:
    guard = opened(database_url, clock, policy=Policy(clock_tolerance=2 * DAY))
    install(guard)
    clock.go_on(-2 * DAY)
    assert guard.check("run").allowed
    clock.go_on(-SECOND)
    assert not guard.check("run").allowed
    guard.close()


def test_a_clock_set_right_is_all_it_takes(used_for_ten_days: Guard, clock: Clock) -> None:
    clock.go_on(-2 * HOUR)
    assert not used_for_ten_days.check("run").allowed
    clock.go_on(HOUR - SECOND)
    assert not used_for_ten_days.check("run").allowed
    clock.go_on(SECOND)
    assert used_for_ten_days.check("run").allowed


def test_it_is_noticed_after_a_restart(database_url: str, clock: Clock) -> None:
    guard = opened(database_url, clock)
    install(guard)
    clock.go_on(10 * DAY)
    guard.tick()
    guard.close()
    clock.go_on(-5 * DAY)
    guard = opened(database_url, clock)
    assert guard.status().state is State.CLOCK_SET_BACK
    guard.close()


def test_a_license_issued_anew_starts_the_record_afresh(used_for_ten_days: Guard, clock: Clock) -> None:
    clock.go_on(-5 * DAY)
    install(used_for_ten_days, jti="L-2")
    assert used_for_ten_days.check("run").allowed
    assert newest(used_for_ten_days) == NOW + 5 * DAY


def test_a_license_that_was_here_before_does_not(used_for_ten_days: Guard, clock: Clock) -> None:
    guard = used_for_ten_days
    install(guard, jti="L-2")
    assert newest(guard) == NOW + 10 * DAY
    clock.go_on(-5 * DAY)
    install(guard, jti="L-2", acknowledge=True)
    assert guard.status().state is State.CLOCK_SET_BACK
    guard.restore(guard.history()[-1].id, acknowledge=True)
    assert guard.status().state is State.CLOCK_SET_BACK
    assert newest(guard) == NOW + 10 * DAY


def test_setting_the_clock_back_does_not_lengthen_a_license(guard: Guard, clock: Clock) -> None:
    install(guard, exp=numeric(NOW + 10 * DAY))
    clock.go_on(10 * DAY)
    guard.tick()
    assert guard.status().state is State.EXPIRED
    clock.go_on(-2 * HOUR)
    assert guard.status().state is State.CLOCK_SET_BACK
    clock.now = NOW + 10 * DAY - HOUR  # what is gained is the tolerance
    assert guard.status().state is State.ACTIVE


def test_what_is_never_blocked_is_not_blocked_then(licensed: Guard, clock: Clock) -> None:
    allocate(licensed, "orders", 3)
    clock.go_on(-DAY)
    with licensed.releasing("orders", "software_units"):
        pass
    assert used(licensed) == 0
    assert licensed.history()
    assert licensed.request(product_version="1.0")
    assert licensed.renew_serial_number()


def test_a_tick_is_no_event(licensed: Guard) -> None:
    before = audited(licensed)
    licensed.tick()
    assert audited(licensed) == before
