"""Evaluations: one on an installation, from its first installation on, whatever happens after."""

from datetime import timedelta

import pytest

from builders import DAY, NOW, OTHER_SERIAL, SECOND, a_license, limit, numeric
from guard_support.guards import Clock, allocate, audited, install, license_for, opened
from placet.enforcement import Code, Refused, State
from placet.guard import Guard
from placet.store.audit import Event
from placet.store.installation import read_installation
from store_support.databases import differences, dump

WEEK = 7 * 86_400
N9 = "The evaluation license cannot be installed again. The evaluation on this server started on 2026-06-01T12:00:00Z"


def evaluate(guard: Guard, **claims: object) -> None:
    install(guard, **({"jti": "E-1", "evaluation_seconds": WEEK} | claims))


def refused(guard: Guard, data: bytes) -> Refused:
    before = dump(guard.database)
    with pytest.raises(Refused) as caught:
        guard.install(data, acknowledge=True)
    assert differences(before, dump(guard.database)) == {"audit_events": 1}
    assert audited(guard)[0].event == Event.LICENSE_REFUSED
    return caught.value


def begun(guard: Guard) -> tuple[str | None, object]:
    with guard.database.read() as connection:
        row = read_installation(connection)
    return row.evaluation_jti, row.evaluation_started_at


@pytest.mark.parametrize(("past", "state"), [(-1, State.ACTIVE), (0, State.EXPIRED), (1, State.EXPIRED)])
def test_an_evaluation_ends_to_the_second(guard: Guard, clock: Clock, past: int, state: State) -> None:
    clock.go_on(3 * DAY)  # the file has been lying about
    evaluate(guard)
    assert guard.status().expires_at == NOW + 10 * DAY
    clock.now = NOW + 10 * DAY + past * SECOND
    assert guard.status().state is state
    assert guard.check("run").allowed is (state is State.ACTIVE)


def test_the_history_tells_when_an_evaluation_ends_here(guard: Guard, clock: Clock) -> None:
    clock.go_on(3 * DAY)
    evaluate(guard)
    install(guard, jti="L-2")
    license_, evaluation = guard.history()
    assert evaluation.expires_at == NOW + 10 * DAY
    assert license_.expires_at == guard.status().expires_at


def test_an_evaluation_ends_with_its_license_at_the_latest(guard: Guard, clock: Clock) -> None:
    evaluate(guard, exp=numeric(NOW + DAY))
    assert guard.status().expires_at == NOW + DAY
    clock.go_on(DAY)
    assert guard.status().state is State.EXPIRED


def test_an_evaluation_warns_and_has_its_grace_like_any_license(guard: Guard, clock: Clock) -> None:
    evaluate(guard, exp=numeric(NOW + 100 * DAY), grace_until=numeric(NOW + 102 * DAY))
    assert [notice.code for notice in guard.check("run").warnings] == [Code.EXPIRING]
    clock.go_on(timedelta(seconds=WEEK))
    assert guard.status().state is State.GRACE
    clock.go_on(2 * DAY)
    assert guard.status().state is State.EXPIRED


def test_an_evaluation_is_installed_once(guard: Guard, clock: Clock) -> None:
    evaluate(guard)
    clock.go_on(DAY)
    error = refused(guard, license_for(guard, jti="E-1", evaluation_seconds=WEEK))
    assert (error.decision.code, error.decision.message) == (Code.EVALUATION_USED, N9)
    assert guard.status().expires_at == NOW + 7 * DAY


def test_another_evaluation_is_none_either(guard: Guard, clock: Clock) -> None:
    evaluate(guard)
    clock.go_on(8 * DAY)
    error = refused(guard, license_for(guard, jti="E-2", evaluation_seconds=100 * WEEK))
    assert (error.decision.code, error.decision.message) == (Code.EVALUATION_USED, N9)
    assert guard.status().state is State.EXPIRED


def test_a_license_that_is_no_evaluation_follows_one(guard: Guard, clock: Clock) -> None:
    evaluate(guard)
    clock.go_on(8 * DAY)
    install(guard, jti="L-1")
    assert guard.status().state is State.ACTIVE
    assert begun(guard) == ("E-1", NOW)


def test_a_restored_evaluation_goes_on_where_it_was(guard: Guard, clock: Clock) -> None:
    evaluate(guard)
    evaluation = guard.license_id
    assert evaluation is not None
    clock.go_on(DAY)
    install(guard, jti="L-1")
    clock.go_on(DAY)
    outcome = guard.restore(evaluation)
    assert outcome.after.expires_at == guard.status().expires_at == NOW + 7 * DAY
    assert begun(guard) == ("E-1", NOW)
    clock.go_on(5 * DAY)
    assert guard.status().state is State.EXPIRED
    install(guard, jti="L-1")
    assert guard.restore(evaluation, acknowledge=True).after.state is State.EXPIRED


def test_a_restart_does_not_start_it_again(database_url: str) -> None:
    clock = Clock()
    guard = opened(database_url, clock)
    evaluate(guard)
    guard.close()
    clock.go_on(6 * DAY)
    guard = opened(database_url, clock)
    assert guard.status().expires_at == NOW + 7 * DAY
    guard.close()


def test_a_new_serial_number_does_not_start_it_again(guard: Guard, clock: Clock) -> None:
    evaluate(guard)
    guard.renew_serial_number()
    clock.go_on(DAY)
    assert guard.status().state is State.WRONG_SERVER
    error = refused(guard, license_for(guard, jti="E-2", evaluation_seconds=WEEK))
    assert error.decision.message == N9
    assert begun(guard) == ("E-1", NOW)


def test_what_is_not_installed_starts_nothing(guard: Guard) -> None:
    guard.install(license_for(guard, jti="E-1", evaluation_seconds=WEEK), dry_run=True)
    with pytest.raises(Refused, match="was issued to a server"):
        guard.install(a_license(serial_number=OTHER_SERIAL, jti="E-2", evaluation_seconds=WEEK))
    install(guard)
    allocate(guard, "orders", 30)
    smaller = license_for(guard, jti="E-3", evaluation_seconds=WEEK, features={"software_units": limit(1)})
    with pytest.raises(Refused, match="The license was not installed"):
        guard.install(smaller)
    assert begun(guard) == (None, None)


def test_a_clock_set_back_does_not_make_it_last_longer(guard: Guard, clock: Clock) -> None:
    clock.go_on(3 * DAY)
    evaluate(guard)
    clock.now = NOW
    assert guard.status().state is State.CLOCK_SET_BACK
    assert not guard.check("run").allowed
