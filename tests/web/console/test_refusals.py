"""What is refused, letter for letter: among the operations of the overview, and as the page a browser meets."""

from collections.abc import Callable

import httpx2
import msgspec
import pytest

from builders import limit, switch
from console_server import OVERVIEW, ConsoleServer, read
from console_states import expired, nothing, over_limit, wrong_server
from contract.archives import archive_of
from placet.store.credentials import Role

MODULE = archive_of("hello", 3)
SWITCHES = {"run": switch(), "debugger": switch(), "test_query": switch()}
PATHS = {"publish": "/api/v1/modules?dry_run", "run": "/api/v1/runs", "debug": "/api/v1/debug-sessions"}

NO_LICENSE = "Cannot perform the operation. No license was found for this server"
WRONG_SERVER = "Cannot perform the operation. The license found is not valid for this server"
EXPIRED_OR_OVER = (
    "Cannot perform the operation. Either this server license has expired or it is consuming more resources than "
    "allowed"
)
UNITS = (
    "You cannot publish more modules because you reached the limit of 20 Software Units that this server license allows"
)
UNITS_TOLERATED = (
    "You should not publish more modules because you reached the limit of 20 Software Units that this server license "
    "allows"
)
NOT_LICENSED = (
    "Cannot perform the operation. The {} feature is not licensed in this server. To change the license contract ask "
    "your Service Center administrator"
)


def switches_off(server: ConsoleServer) -> None:
    server.install(features={"software_units": limit(20)})


def full(server: ConsoleServer) -> None:
    server.install(features={"software_units": limit(20)} | SWITCHES)
    server.publish("orders", 20)


def within_tolerance(server: ConsoleServer) -> None:
    server.install(features={"software_units": limit(20, 25)} | SWITCHES)
    server.publish("orders", 20)


class Case(msgspec.Struct, frozen=True):
    """How a state is reached, and what is told in it of which operations."""

    reach: Callable[[ConsoleServer], None]
    code: str
    told: dict[str, str]


def of_all(reach: Callable[[ConsoleServer], None], code: str, message: str) -> Case:
    return Case(reach, code, dict.fromkeys(("publish", "run", "debug", "test_query"), message))


REFUSED = {
    "E2": of_all(nothing, "operation_no_license", NO_LICENSE),
    "E4": of_all(wrong_server, "operation_wrong_server", WRONG_SERVER),
    "E7, expired": of_all(expired, "operation_expired_or_over_limit", EXPIRED_OR_OVER),
    "E8": Case(full, "software_units_limit", {"publish": UNITS}),
    "E9": Case(
        switches_off,
        "feature_not_licensed",
        {
            "run": NOT_LICENSED.format("Run"),
            "debug": NOT_LICENSED.format("Debugger"),
            "test_query": NOT_LICENSED.format("Test Query"),
        },
    ),
}


def operations(client: httpx2.Client) -> dict[str, str]:
    """What the overview says of each operation."""
    found = read(client.get(OVERVIEW)).all("li")
    return {
        element.attributes["data-operation"]: " ".join(element.text.split())
        for element in found
        if "data-operation" in element.attributes
    }


@pytest.mark.parametrize("symbol", REFUSED)
def test_a_refusal_is_told_by_the_overview_and_by_the_page_a_browser_meets(server: ConsoleServer, symbol: str) -> None:
    case = REFUSED[symbol]
    case.reach(server)
    with server.client(Role.ADMINISTRATOR) as administrator:
        see_what_is_told(administrator, case)


def see_what_is_told(administrator: httpx2.Client, case: Case) -> None:
    said = operations(administrator)
    for operation, message in case.told.items():
        assert f" refused {message} " in said.pop(operation)
    said.pop("activate_user")
    assert all(text.endswith(" allowed") for text in said.values())
    for operation in case.told.keys() & PATHS.keys():
        answer = administrator.post(PATHS[operation], content=MODULE)
        assert answer.status_code == 403
        page = read(answer)
        assert page.one(role="alert", data_code=case.code).text == case.told[operation]
        assert page.one("a", href=f"/problems/{case.code}").text == "What this means"
        assert "What to do" in page.text
        assert "Whom to ask" in page.text


def test_over_the_limit_refuses_as_well(server: ConsoleServer, administrator: httpx2.Client) -> None:
    over_limit(server)
    assert f" refused {EXPIRED_OR_OVER} " in operations(administrator)["run"]
    page = read(administrator.post(PATHS["run"], content=MODULE))
    assert page.one(role="alert", data_code="operation_expired_or_over_limit").text == EXPIRED_OR_OVER
    assert "Ask your Platform Server administrator." in page.text


def test_what_is_tolerated_is_allowed_and_told(server: ConsoleServer, administrator: httpx2.Client) -> None:
    within_tolerance(server)
    assert f" allowed {UNITS_TOLERATED} " in operations(administrator)["publish"]
    page = read(administrator.get("/problems/software_units_limit_tolerated"))
    assert page.one(role="status", data_code="software_units_limit_tolerated").text == UNITS_TOLERATED
    answer = administrator.post(PATHS["publish"], content=MODULE)
    assert answer.status_code == 200
    assert UNITS_TOLERATED in answer.text
