"""What a guard is asked."""

from pathlib import Path

import pytest

from builders import DAY, KEY, NOW, PRODUCT, jwks, limit, switch
from guard_support.guards import Clock, allocate, audited, install, license_for, opened, used
from placet.enforcement import Code, Policy, ProductError, Refused, Severity, State
from placet.guard import Guard
from placet.license import KeyUnusable
from placet.store.database import DatabaseUnusable
from store_support.databases import differences, dump

E2 = "Cannot perform the operation. No license was found for this server"
E8 = (
    "You cannot publish more modules because you reached the limit of 100 Software Units that this server license "
    "allows"
)
E9 = (
    "Cannot perform the operation. The Debugger feature is not licensed in this server. To change the license "
    "contract ask your Service Center administrator"
)


# Opening


def test_a_guard_opens_on_a_url_and_a_trust_store(database_url: str) -> None:
    guard = Guard.open(database_url, PRODUCT, jwks(issuer="Acme Software"))
    status = guard.status()
    assert (status.state, status.vendor_name) == (State.NO_LICENSE, "Acme Software")
    assert "Acme Software" in status.errors[0].remedy
    serial_number = status.serial_number
    guard.close()
    policy = Policy(vendor_name="Reseller", warn_before=90 * DAY)
    again = Guard.open(database_url, PRODUCT, jwks(issuer="Acme Software"), policy=policy)
    assert again.status().serial_number == serial_number
    assert (again.status().vendor_name, again.status().policy) == ("Reseller", policy)
    again.close()


def test_a_trust_store_that_cannot_be_relied_on_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="at least one key"):
        Guard.open(f"sqlite:///{tmp_path}/new", PRODUCT, b'{"keys": []}')
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_used_is_told() -> None:
    with pytest.raises(DatabaseUnusable, match="it names no file"):
        Guard.open("sqlite://", PRODUCT, jwks(KEY))


def test_the_clock_is_the_guards_own(guard: Guard, clock: Clock) -> None:
    assert guard.now() == NOW
    clock.go_on(DAY)
    assert guard.now() == NOW + DAY


def test_a_product_may_gain_a_limit(database_url: str) -> None:
    smaller = type(PRODUCT)(name="small", features=PRODUCT.features[:1], operations=PRODUCT.operations[:1])
    guard = opened(database_url, product=smaller)
    install(guard)
    allocate(guard, "orders", 3)
    guard.close()
    grown = opened(database_url)
    with grown.allocation("activate_user", "me", users=1):
        pass
    assert (used(grown), used(grown, "users")) == (3, 1)
    grown.close()


# Status, check, require


@pytest.mark.parametrize("operation", [operation.name for operation in PRODUCT.operations])
def test_without_a_license_every_operation_is_refused(guard: Guard, operation: str) -> None:
    decision = guard.check(operation)
    assert (decision.allowed, decision.code, decision.message) == (False, Code.OPERATION_NO_LICENSE, E2)
    assert (decision.state, decision.diagnosis_code) == (State.NO_LICENSE, "no_file")
    with pytest.raises(Refused) as caught:
        guard.require(operation)
    assert caught.value.decision == decision
    assert str(caught.value) == E2


def test_with_a_license_what_it_grants_is_allowed(licensed: Guard) -> None:
    for operation in PRODUCT.operations:
        decision = licensed.require(operation.name)
        assert (decision.allowed, decision.code, decision.warnings) == (True, None, ())
        assert decision == licensed.check(operation.name)


def test_a_switch_that_is_off_is_refused(guard: Guard) -> None:
    install(guard, features={"run": switch()})
    assert guard.check("run").allowed
    decision = guard.check("debug")
    assert (decision.code, decision.message, decision.feature) == (Code.FEATURE_NOT_LICENSED, E9, "debugger")


def test_amounts_are_those_of_a_new_holder(licensed: Guard) -> None:
    allocate(licensed, "orders", 98)
    assert licensed.check("publish", software_units=2).allowed
    decision = licensed.check("publish", software_units=3)
    assert (decision.allowed, decision.code, decision.message) == (False, Code.SOFTWARE_UNITS_LIMIT, E8)
    assert (decision.used, decision.held, decision.requested, decision.limit) == (98, 0, 3, 100)
    with pytest.raises(Refused, match="You cannot publish more modules"):
        licensed.require("publish", software_units=3)
    assert licensed.check("publish").allowed


def test_a_preview_decides_for_the_holder_and_changes_nothing(licensed: Guard) -> None:
    allocate(licensed, "orders", 98)
    before = dump(licensed.database)
    assert licensed.preview("publish", "orders", software_units=100).allowed
    assert not licensed.preview("publish", "orders", software_units=101).allowed
    refused = licensed.preview("publish", "billing", software_units=3)
    assert (refused.code, refused.held, refused.used) == (Code.SOFTWARE_UNITS_LIMIT, 0, 98)
    assert licensed.preview("publish", "orders", software_units=101).held == 98
    assert dump(licensed.database) == before


def test_the_status_tells_of_every_feature(licensed: Guard) -> None:
    allocate(licensed, "orders", 7)
    status = licensed.status()
    assert (status.state, status.errors, status.warnings) == (State.ACTIVE, (), ())
    units = status.features["software_units"]
    assert (units.limit, units.tolerated_limit, units.used, units.over_limit) == (100, 100, 7, False)
    assert status.features["run"].licensed
    assert status.features["mailboxes"].limit is None
    assert licensed.status() is status


# Mistakes of the programmer, which are no refusals

MISTAKES: list[tuple[str, dict[str, object], str]] = [
    ("nonsense", {}, "has no operation 'nonsense'; it has: publish"),
    ("run", {"software_units": 1}, "The operation 'run' consumes no 'software_units'"),
    ("publish", {"users": 1}, "The operation 'publish' consumes no 'users'"),
    ("publish", {"nonsense": 1}, "The operation 'publish' consumes no 'nonsense'"),
    ("publish", {"software_units": -1}, "-1 is not a number of units"),
    ("publish", {"software_units": 1.5}, "1.5 is not a number of units"),
    ("publish", {"software_units": True}, "True is not a number of units"),
    ("publish", {"software_units": "3"}, "'3' is not a number of units"),
    ("publish", {"software_units": 10**12 + 1}, "is not a number of units"),
    ("publish", {"software_units": 10**100}, "is not a number of units"),
]


@pytest.mark.parametrize("with_license", [False, True])
@pytest.mark.parametrize(("operation", "amounts", "sentence"), MISTAKES)
def test_what_the_product_does_not_define_is_a_mistake(
    guard: Guard, operation: str, amounts: dict[str, int], sentence: str, with_license: bool
) -> None:
    if with_license:
        install(guard)
    before = dump(guard.database)
    with pytest.raises(ProductError, match=sentence):
        guard.check(operation, **amounts)
    with pytest.raises(ProductError, match=sentence):
        guard.require(operation, **amounts)
    with pytest.raises(ProductError, match=sentence):
        guard.preview(operation, "orders", **amounts)
    with pytest.raises(ProductError, match=sentence), guard.allocation(operation, "orders", **amounts):
        pytest.fail("the body ran")
    assert dump(guard.database) == before


@pytest.mark.parametrize("holder", ["", "x" * 201, "x" * 10_000_000])
def test_a_holder_has_a_name_of_some_length(licensed: Guard, holder: str) -> None:
    before = dump(licensed.database)
    sentence = "A holder has a name of 1 to 200 characters"
    with pytest.raises(ProductError, match=sentence):
        licensed.preview("publish", holder, software_units=1)
    with pytest.raises(ProductError, match=sentence), licensed.allocation("publish", holder, software_units=1):
        pytest.fail("the body ran")
    with pytest.raises(ProductError, match=sentence), licensed.releasing(holder, "software_units"):
        pytest.fail("the body ran")
    assert dump(licensed.database) == before
    allocate(licensed, "x" * 200, 1)
    assert used(licensed) == 1


def test_a_holder_has_a_name_every_database_can_store(licensed: Guard) -> None:
    with pytest.raises(ProductError, match="A holder has a name without null characters"):
        licensed.preview("publish", "a\0b", software_units=1)


@pytest.mark.parametrize("feature", ["nonsense", "run", ""])
def test_only_limits_are_released(licensed: Guard, feature: str) -> None:
    allocate(licensed, "orders", 1)
    with (
        pytest.raises(ProductError, match=f"has no limit '{feature}'"),
        licensed.releasing("orders", "software_units", feature),
    ):
        pytest.fail("the body ran")
    assert used(licensed) == 1


def test_mistakes_are_no_refusals() -> None:
    assert not issubclass(ProductError, Refused)
    assert not issubclass(Refused, ValueError)


# Who did it


def test_long_names_of_actors_are_cut(licensed: Guard) -> None:
    before = dump(licensed.database)
    actor = "a" * 10_000
    licensed.install(license_for(licensed, jti="L-2"), actor=actor)
    with licensed.allocation("publish", "orders", actor=actor, software_units=1):
        pass
    assert licensed.history()[0].installed_by == "a" * 200
    assert {event.actor for event in audited(licensed)[:2]} == {"a" * 200}
    assert differences(before, dump(licensed.database))["audit_events"] == 2


def test_a_warning_is_told_with_what_is_allowed(guard: Guard) -> None:
    install(guard, features={"software_units": limit(10, tolerance_percent=50)})
    decision = guard.require("publish", software_units=12)
    assert (decision.severity, decision.http_status) == (Severity.WARNING, 200)
    assert decision.warnings[-1].message == decision.message
