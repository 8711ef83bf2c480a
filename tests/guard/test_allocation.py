"""Allocating and releasing: one transaction with what it pays for."""

import pytest

from builders import NOW, SECOND, limit, switch
from guard_support.guards import Clock, allocate, audited, install, used
from placet.enforcement import Code, Refused, Severity
from placet.guard import Guard
from placet.license import Enforcement
from placet.store import users
from placet.store.audit import Event
from placet.store.credentials import Role
from store_support.databases import dump

W4 = (
    "You should not publish more modules because you reached the limit of 10 Software Units that this server license "
    "allows"
)
E8 = (
    "You cannot publish more modules because you reached the limit of 10 Software Units that this server license allows"
)


class BodyFailed(Exception):
    pass


def add_user(guard: Guard, name: str, *, fail: bool = False) -> None:
    """Add a user and the seat the user takes, in one transaction."""
    with guard.allocation("activate_user", name, actor="me", users=1) as grant:
        users.add_user(grant.connection, name=name, role=Role.DEVELOPER, active=True, now=NOW)
        if fail:
            raise BodyFailed


def names(guard: Guard) -> list[str]:
    with guard.database.read() as connection:
        return [user.name for user in users.all_users(connection)]


def test_the_body_and_its_allocation_are_one(licensed: Guard) -> None:
    add_user(licensed, "a")
    assert (names(licensed), used(licensed, "users")) == (["a"], 1)
    event = audited(licensed)[0]
    assert (event.event, event.actor, event.subject, event.at) == (Event.ALLOCATED, "me", "a", NOW)
    assert event.detail == {"operation": "activate_user", "users": 1}


def test_an_exception_in_the_body_takes_back_all_of_it(licensed: Guard) -> None:
    add_user(licensed, "a")
    before, status = dump(licensed.database), licensed.status()
    with pytest.raises(BodyFailed):
        add_user(licensed, "b", fail=True)
    assert dump(licensed.database) == before
    assert licensed.status() is status
    add_user(licensed, "b")
    assert used(licensed, "users") == 2


def test_a_refusal_is_raised_before_the_body(licensed: Guard) -> None:
    before = dump(licensed.database)
    with pytest.raises(Refused) as caught, licensed.allocation("publish", "orders", software_units=101):
        pytest.fail("the body ran")
    assert caught.value.decision.code is Code.SOFTWARE_UNITS_LIMIT
    assert dump(licensed.database) == before


def test_without_a_license_nothing_is_allocated(guard: Guard) -> None:
    with pytest.raises(Refused, match="No license was found"), guard.allocation("publish", "orders", software_units=0):
        pytest.fail("the body ran")
    assert used(guard) == 0


def test_the_grant_says_what_was_decided_on(licensed: Guard) -> None:
    allocate(licensed, "orders", 3)
    with licensed.allocation("publish", "orders", software_units=5) as grant:
        assert (grant.decision.used, grant.decision.held, grant.decision.requested) == (3, 3, 5)
        assert (grant.decision.limit, grant.decision.allowed) == (100, True)


def test_a_retry_changes_nothing(guard: Guard) -> None:
    install(guard, features={"software_units": limit(3)})
    for _ in range(3):
        allocate(guard, "orders", 3)
    assert used(guard) == 3
    with pytest.raises(Refused):
        allocate(guard, "billing", 1)


def test_an_amount_is_absolute_and_shrinking_is_always_allowed(guard: Guard) -> None:
    install(guard, features={"software_units": limit(10)})
    for amount in (10, 10, 4, 0, 10):
        allocate(guard, "orders", amount)
        assert used(guard) == amount
    with pytest.raises(Refused, match="You cannot publish"):
        allocate(guard, "orders", 11)
    assert used(guard) == 10


def test_past_the_limit_and_within_its_tolerance_is_told_with_w4(guard: Guard) -> None:
    install(guard, features={"software_units": limit(10, tolerance_percent=25), "run": switch()})
    allocate(guard, "orders", 10)
    for total in (11, 12):
        with guard.allocation("publish", "billing", software_units=total - 10) as grant:
            decision = grant.decision
        assert (decision.allowed, decision.code) == (True, Code.SOFTWARE_UNITS_LIMIT_TOLERATED)
        assert (decision.severity, decision.message) == (Severity.WARNING, W4)
        assert used(guard) == total
    with pytest.raises(Refused) as caught:
        allocate(guard, "billing", 3)
    assert (caught.value.decision.code, str(caught.value)) == (Code.SOFTWARE_UNITS_LIMIT, E8)
    assert (caught.value.decision.limit, caught.value.decision.tolerated_limit) == (10, 12)
    assert [notice.code for notice in guard.check("run").warnings] == [Code.OVER_LIMIT_TOLERATED]
    with guard.allocation("publish", "billing", software_units=1) as grant:
        assert (grant.decision.allowed, grant.decision.code) == (True, None)
    assert used(guard) == 11


def test_several_limits_are_all_or_nothing(licensed: Guard) -> None:
    before = dump(licensed.database)
    with (
        pytest.raises(Refused) as caught,
        licensed.allocation("publish_and_run", "orders", software_units=1, front_end_servers=3, mailboxes=10**9),
    ):
        pytest.fail("the body ran")
    assert (caught.value.decision.code, caught.value.decision.feature) == (Code.LIMIT_REACHED, "front_end_servers")
    assert dump(licensed.database) == before
    with licensed.allocation("publish_and_run", "orders", software_units=1, front_end_servers=2, mailboxes=10**9):
        pass
    held = {name: used(licensed, name) for name in ("software_units", "front_end_servers", "mailboxes")}
    assert held == {"software_units": 1, "front_end_servers": 2, "mailboxes": 10**9}


@pytest.mark.parametrize("enforcement", Enforcement)
def test_over_a_limit_the_license_says_what_is_blocked(guard: Guard, enforcement: Enforcement) -> None:
    """A smaller license replaced the one that was used up."""
    install(guard)
    allocate(guard, "orders", 30)
    features = {"software_units": limit(10), "users": limit(5), "run": switch()}
    install(guard, jti="L-2", features=features, enforcement=enforcement, acknowledge=True)
    strict = enforcement is Enforcement.STRICT
    assert guard.check("run").allowed is not strict
    if strict:
        with pytest.raises(Refused) as caught:
            allocate(guard, "orders", 20)
        assert caught.value.decision.code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    else:
        allocate(guard, "orders", 20)
        add_user(guard, "a")
    with pytest.raises(Refused):
        allocate(guard, "billing", 1)
    with guard.releasing("orders", "software_units"):
        pass
    assert guard.check("run").allowed
    allocate(guard, "billing", 10)


# Releasing


def test_releasing_is_one_with_its_body(licensed: Guard) -> None:
    add_user(licensed, "a")
    before = dump(licensed.database)

    def deactivate(*, fail: bool) -> None:
        with licensed.releasing("a", "users", actor="me") as connection:
            users.set_active(connection, "a", active=False, now=NOW)
            if fail:
                raise BodyFailed

    with pytest.raises(BodyFailed):
        deactivate(fail=True)
    assert dump(licensed.database) == before
    deactivate(fail=False)
    assert used(licensed, "users") == 0
    event = audited(licensed)[0]
    assert (event.event, event.subject, event.detail) == (Event.RELEASED, "a", {"users": 1})
    deactivate(fail=False)
    assert used(licensed, "users") == 0


def test_releasing_gives_back_the_features_named_and_no_others(licensed: Guard) -> None:
    with licensed.allocation("publish_and_run", "orders", software_units=3, front_end_servers=2, mailboxes=5):
        pass
    allocate(licensed, "billing", 4)
    with licensed.releasing("orders", "mailboxes", "software_units"):
        pass
    assert [used(licensed, name) for name in ("software_units", "front_end_servers", "mailboxes")] == [4, 2, 0]


def test_releasing_is_never_refused(licensed: Guard, clock: Clock) -> None:
    allocate(licensed, "orders", 5)
    clock.now = NOW + 100_000_000 * SECOND
    assert not licensed.check("publish").allowed
    with licensed.releasing("orders", "software_units"):
        pass
    assert used(licensed) == 0
    allocation = licensed.allocation("publish", "orders", software_units=0)
    with pytest.raises(Refused, match="Either this server license has expired"), allocation:
        pytest.fail("the body ran")
