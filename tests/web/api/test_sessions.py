"""Sessions over HTTP: who sees and who ends whose."""

from collections.abc import Iterator

import httpx2
import pytest

from builders import EVERYTHING
from console_server import OVERVIEW, ConsoleServer, running
from contract.surfaces import as_problem
from placet.store.credentials import Role


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("sessions") / "data") as server:
        server.install(features=EVERYTHING)
        yield server


def listed(client: httpx2.Client, query: str = "") -> list[dict[str, object]]:
    answer = client.get(f"/api/v1/sessions{query}")
    answer.raise_for_status()
    found: list[dict[str, object]] = answer.json()
    return found


def test_ones_own_and_everybodys(server: ConsoleServer) -> None:
    with (
        server.client(Role.DEVELOPER, name="dan") as dan,
        server.client(Role.DEVELOPER, name="eve") as eve,
        server.caller("ada", Role.ADMINISTRATOR) as ada,
    ):
        (own,) = listed(dan)
        assert own.keys() == {
            *(
                "id",
                "name",
                "role",
                "method",
                "address",
                "browser",
                "created_at",
                "last_used_at",
                "expires_at",
                "current",
            )
        }
        assert (own["name"], own["method"], own["address"], own["current"]) == ("dan", "link", "127.0.0.1", True)
        assert listed(ada) == []
        assert {item["name"] for item in listed(ada, "?everybody")} == {"dan", "eve"}
        assert [item["id"] for item in listed(ada, "?name=dan")] == [own["id"]]
        for query in ("?name=eve", "?everybody"):
            for method in ("GET", "DELETE"):
                told = as_problem(dan.request(method, f"/api/v1/sessions{query}", headers={"Accept": "*/*"}))
                assert told["code"] == "role_required"
        (hers,) = listed(eve)
        refused = dan.delete(f"/api/v1/sessions/{hers['id']}", headers={"Accept": "*/*"})
        assert as_problem(refused)["code"] == "unknown_session"
        assert ada.delete("/api/v1/sessions?name=eve").json() == {"ended": 1}
        assert eve.get(OVERVIEW).status_code == 303
        assert ada.delete(f"/api/v1/sessions/{own['id']}").json() == {"id": own["id"], "ended": True}
        assert dan.get(OVERVIEW).status_code == 303


def test_the_session_that_asks_is_spared(server: ConsoleServer) -> None:
    with server.client(Role.DEVELOPER, name="fay") as one, server.client(Role.DEVELOPER, name="fay") as two:
        assert one.delete("/api/v1/sessions").json() == {"ended": 1}
        assert one.get(OVERVIEW).status_code == 200
        assert two.get(OVERVIEW).status_code == 303


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/sessions?all"),
        ("DELETE", "/api/v1/sessions?everbody"),
        ("DELETE", "/api/v1/sessions?everybody=maybe"),
        ("GET", f"/api/v1/sessions?name={'x' * 201}"),
        ("GET", "/api/v1/sessions?name=%00"),
        ("DELETE", "/api/v1/sessions/0"),
        ("DELETE", f"/api/v1/sessions/{2**60}"),
    ],
)
def test_what_is_not_understood_ends_nothing(server: ConsoleServer, method: str, path: str) -> None:
    with server.client(Role.DEVELOPER, name="gus") as gus, server.caller("ada", Role.ADMINISTRATOR) as ada:
        assert as_problem(ada.request(method, path))["status"] == 400
        assert gus.get(OVERVIEW).status_code == 200


def test_a_link_for_a_password_is_told_once(server: ConsoleServer) -> None:
    server.platform.people.add("maria", Role.DEVELOPER, actor="root")
    with server.caller("ada", Role.ADMINISTRATOR) as ada:
        made = ada.post("/api/v1/users/maria/password-link").json()
        assert made["link"].startswith(f"{server.url}/service-center/set-password?code=plp_")
        assert made["link"].rpartition("=")[2] not in ada.get("/api/v1/audit").text
        assert as_problem(ada.post("/api/v1/users/nobody/password-link"))["code"] == "unknown_user"
        server.platform.people.deactivate("maria", actor="root")
        assert as_problem(ada.post("/api/v1/users/maria/password-link"))["code"] == "user_deactivated"
