"""Decide: every state with every operation, every limit, and every call that makes no sense."""

from typing import Any

import pytest

from builders import (
    DAY,
    NOW,
    OTHER_SERIAL,
    PRODUCT,
    a_status,
    a_verified_license,
    limit,
    numeric,
    revocation,
    switch,
)
from placet.enforcement import (
    Amount,
    Code,
    Decision,
    Limit,
    Operation,
    Product,
    ProductError,
    Refused,
    State,
    Status,
    catalogue,
    decide,
)
from placet.enforcement.decision import refusal
from placet.license import Diagnosis, Enforcement, Rejection

REJECTION = Rejection(diagnosis=Diagnosis.UNKNOWN_KEY, explanation="Signed by an unknown key.")
OPERATIONS = ("publish", "run", "debug", "test_query", "activate_user")
AMOUNTS = {
    "publish": {"software_units": Amount(10)},
    "activate_user": {"users": Amount(1)},
}
STATUSES: dict[State, Status] = {
    State.NO_LICENSE: a_status(license=None),
    State.UNREADABLE: a_status(license=REJECTION),
    State.REVOKED: a_status(revocation=revocation()),
    State.WRONG_SERVER: a_status(serial_number=OTHER_SERIAL),
    State.CLOCK_SET_BACK: a_status(newest_moment=NOW + DAY),
    State.NOT_YET_VALID: a_status(license=a_verified_license(nbf=numeric(NOW + DAY))),
    State.EXPIRED: a_status(license=a_verified_license(exp=numeric(NOW))),
    State.GRACE: a_status(license=a_verified_license(exp=numeric(NOW), grace_until=numeric(NOW + DAY))),
    State.ACTIVE: a_status(),
}


def symbol(decision: Decision) -> str:
    """The symbol of what a decision says, or ``ok``."""
    return "ok" if decision.code is None else catalogue().entries[decision.code].symbol


#                      publish run  debug test_query activate_user
TABLE = {
    State.NO_LICENSE: "     E2   E2   E2    E2         E2",
    State.UNREADABLE: "     E2   E2   E2    E2         E2",
    State.REVOKED: "        N2   N2   N2    N2         N2",
    State.WRONG_SERVER: "   E4   E4   E4    E4         E4",
    State.CLOCK_SET_BACK: " N4   N4   N4    N4         N4",
    State.NOT_YET_VALID: "  N6   N6   N6    N6         N6",
    State.EXPIRED: "        E7   E7   E7    E7         E7",
    State.GRACE: "          ok   ok   ok    ok         ok",
    State.ACTIVE: "         ok   ok   ok    ok         ok",
}


@pytest.mark.parametrize(
    ("state", "operation", "expected"),
    [
        (state, operation, expected)
        for state, cells in TABLE.items()
        for operation, expected in zip(OPERATIONS, cells.split(), strict=True)
    ],
)
def test_each_state_with_each_operation(state: State, operation: str, expected: str) -> None:
    status = STATUSES[state]
    assert status.state is state
    for amounts in (AMOUNTS.get(operation), None):
        decision = decide(status, operation, amounts)
        assert symbol(decision) == expected
        assert (decision.state, decision.operation) == (state, operation)
        assert decision.allowed is (expected == "ok")
        assert decision.http_status == (200 if decision.allowed else 403)
        assert decision.warnings == status.warnings
        if not decision.allowed:
            assert decision.diagnosis == (status.diagnosis.sentence if status.diagnosis else None)
            assert decision.remedy


def test_these_are_all_states() -> None:
    assert list(TABLE) == list(STATUSES) == list(State)


CONDITIONS: dict[str, Status] = {
    "all well": a_status(),
    "switches off": a_status(license=a_verified_license(features={"software_units": limit(100), "users": limit(5)})),
    "units over": a_status(usage={"software_units": 101}),
    "units over, per feature": a_status(
        license=a_verified_license(enforcement=Enforcement.PER_FEATURE), usage={"software_units": 101}
    ),
    "users over, per feature": a_status(
        license=a_verified_license(enforcement=Enforcement.PER_FEATURE), usage={"users": 21}
    ),
    "units at the limit": a_status(usage={"software_units": 100}),
    "units tolerated": a_status(
        license=a_verified_license(
            features={"software_units": limit(100, 10), "users": limit(5), "run": switch(), "debugger": switch()}
        ),
        usage={"software_units": 100},
    ),
    "users at the limit": a_status(usage={"users": 20}),
    "nothing named": a_status(license=a_verified_license(features={})),
}

#                                publish run  debug test_query activate_user
CONDITION_TABLE = {
    "all well": "                 ok   ok   ok    ok         ok",
    "switches off": "             ok   E9   E9    E9         ok",
    "units over": "               E7   E7   E7    E7         E7",
    "units over, per feature": "  E7   ok   ok    ok         ok",
    "users over, per feature": "  ok   ok   ok    ok         E7",
    "units at the limit": "       E8   ok   ok    ok         ok",
    "units tolerated": "          W4   ok   ok    E9         ok",
    "users at the limit": "       ok   ok   ok    ok         N7",
    "nothing named": "            E8   E9   E9    E9         N7",
}


@pytest.mark.parametrize(
    ("condition", "operation", "expected"),
    [
        (condition, operation, expected)
        for condition, cells in CONDITION_TABLE.items()
        for operation, expected in zip(OPERATIONS, cells.split(), strict=True)
    ],
)
def test_an_active_license_under_each_condition(condition: str, operation: str, expected: str) -> None:
    decision = decide(CONDITIONS[condition], operation, AMOUNTS.get(operation))
    assert symbol(decision) == expected
    assert decision.allowed is (expected in {"ok", "W4"})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_is_to_be_asked(operation: str) -> None:
    """E7 is the Platform Server administrator's; what the Service Center can mend is its administrator's."""
    for status in (STATUSES[State.EXPIRED], CONDITIONS["units over"]):
        assert decide(status, operation).contact == "Platform Server administrator"
    for state in (State.NO_LICENSE, State.WRONG_SERVER, State.REVOKED):
        assert decide(STATUSES[state], operation).contact == "Service Center administrator"


@pytest.mark.parametrize("units", [-1, True, False, 1.0, 1.5, float("nan"), "1", None, 10**12 + 1, 2**70])
@pytest.mark.parametrize("state", State)
def test_what_is_no_number_of_units_is_the_callers_mistake_in_every_state(units: Any, state: State) -> None:
    for amount in (Amount(units), Amount(1, units)):
        with pytest.raises(ProductError, match="is not a number of units of 'users'"):
            decide(STATUSES[state], "activate_user", {"users": amount})


@pytest.mark.parametrize("state", State)
def test_unknown_operations_and_features_are_the_callers_mistake_in_every_state(state: State) -> None:
    status = STATUSES[state]
    for operation in ("", "Publish", "sign_in", "publish\n", "software_units"):
        with pytest.raises(ProductError, match="has no operation"):
            decide(status, operation)
    for feature in ("", "users", "unheard_of", "run"):
        with pytest.raises(ProductError, match="consumes no"):
            decide(status, "publish", {feature: Amount(1)})


def test_a_refusal_is_raised_with_its_decision() -> None:
    decision = decide(STATUSES[State.NO_LICENSE], "run")
    with pytest.raises(Refused, match=r"Cannot perform the operation\. No license was found") as refused:
        raise Refused(decision)
    assert refused.value.decision is decision
    assert not issubclass(Refused, ProductError)


def test_what_is_no_operation_is_refused_with_a_notice() -> None:
    (told,) = STATUSES[State.WRONG_SERVER].errors
    decision = refusal("install", State.NO_LICENSE, told)
    assert (decision.allowed, decision.operation, decision.state) == (False, "install", State.NO_LICENSE)
    assert (decision.code, decision.message, decision.remedy) == (told.code, told.message, told.remedy)
    assert (decision.diagnosis_code, decision.contact) == ("wrong_server", "Service Center administrator")
    assert decision.http_status == 403


def test_sign_in_views_and_cleaning_up_are_no_operations_of_the_product() -> None:
    never_asked = {"sign_in", "view", "delete_module", "deactivate_user", "upload_license", "request_license"}
    assert not never_asked & {operation.name for operation in PRODUCT.operations}


def test_a_products_own_messages_are_told() -> None:
    seats = Limit("seats", "Seats", included=3)
    crm = Product(name="crm", features=(seats,), operations=(Operation("seat", consumes=("seats",)),))
    status = a_status(product=crm, license=a_verified_license(features={}), usage={"seats": 3})
    decision = decide(status, "seat", {"seats": Amount(1)})
    assert decision.code is Code.LIMIT_REACHED
    assert "the limit of 3 Seats that" in str(decision.message)
