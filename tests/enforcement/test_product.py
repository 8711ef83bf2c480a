"""Product definitions: what contradicts itself is the programmer's mistake, told at once."""

import pytest

from builders import PRODUCT
from placet.enforcement import Limit, Operation, Product, ProductError, Switch

USERS, RUN = Limit("users", "Users"), Switch("run", "Run")
START = Operation("start", requires="run", consumes=("users",))


def product(*features: Limit | Switch, operations: tuple[Operation, ...] = ()) -> Product:
    return Product(name="crm", features=features, operations=operations)


def test_features_and_operations_are_found_by_name() -> None:
    crm = product(USERS, RUN, operations=(START,))
    assert crm.by_name == {"users": USERS, "run": RUN}
    assert crm.limits == (USERS,)
    assert crm.operation("start") is START


def test_a_feature_and_an_operation_may_share_a_name() -> None:
    assert PRODUCT.operation("run").requires == "run"


def test_a_product_may_license_nothing() -> None:
    assert product().limits == ()


def test_an_unknown_operation_is_told_with_those_there_are() -> None:
    for name in ("", "stop", "START", "start ", "users"):
        with pytest.raises(ProductError, match=r"'crm' has no operation .*; it has: start\."):
            product(USERS, RUN, operations=(START,)).operation(name)


@pytest.mark.parametrize(
    ("features", "operations", "told"),
    [
        pytest.param((Switch("Run", "Run"),), (), "'Run' is not a name", id="upper_case"),
        pytest.param((Switch("", "Run"),), (), "'' is not a name", id="empty"),
        pytest.param((Switch("run\n", "Run"),), (), "is not a name", id="line_break"),
        pytest.param((Switch("1run", "Run"),), (), "'1run' is not a name", id="digit_first"),
        pytest.param((Switch("r" * 64, "Run"),), (), "is not a name", id="long"),
        pytest.param((Switch("run-it", "Run"),), (), "is not a name", id="hyphen"),
        pytest.param((), (Operation("Start"),), "'Start' is not a name", id="operation_in_upper_case"),
        pytest.param((RUN, RUN), (), "twice", id="feature_twice"),
        pytest.param((Limit("run", "Run"), RUN), (), "twice", id="limit_and_switch_of_one_name"),
        pytest.param((USERS, RUN), (START, Operation("start")), "twice", id="operation_twice"),
        pytest.param((USERS,), (START,), "requires 'run', which is not a switch", id="switch_not_defined"),
        pytest.param((USERS, Limit("run", "Run")), (START,), "which is not a switch", id="limit_required"),
        pytest.param((RUN,), (START,), "consumes 'users', which is not a limit", id="limit_not_defined"),
        pytest.param((RUN, Switch("users", "Users")), (START,), "which is not a limit", id="switch_consumed"),
    ],
)
def test_definitions_that_contradict_themselves(
    features: tuple[Limit | Switch, ...], operations: tuple[Operation, ...], told: str
) -> None:
    with pytest.raises(ProductError, match=told):
        product(*features, operations=operations)


def test_what_the_product_does_by_itself_is_no_task() -> None:
    operations = (Operation("run"), Operation("register", by_itself=True))
    assert [task.name for task in Product("acme", features=(), operations=operations).tasks] == ["run"]
