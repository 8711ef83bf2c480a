"""Over HTTP: who may do what, what a browser may be made to do, what operators ask, and what every answer carries."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from builders import limit, switch
from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.store.credentials import Role

NOBODYS_ID = "0" * 32
SEATS = "/api/v1/features/private_instances"
EVERYBODYS = [
    *(("GET", f"/api/v1/{name}") for name in ("license", "license/request", "license/history", "features", "modules")),
    *(("GET", f"/api/v1/{name}") for name in ("runs", "debug-sessions", "features/users/usage", "modules/none")),
    ("GET", "/api/v1/features/users/usage/holders/maria"),
    *(("GET", f"/api/v1/exports/{name}") for name in ("usage", "features/users/history", "features/users/holders")),
    ("GET", "/api/v1/features/users/usage/holder"),
    *(("GET", f"/api/v1/{kind}/{NOBODYS_ID}") for kind in ("runs", "debug-sessions")),
    *(("DELETE", f"/api/v1/{kind}/{NOBODYS_ID}") for kind in ("runs", "debug-sessions")),
    *(("POST", f"/api/v1/{name}") for name in ("modules", "runs", "debug-sessions", "modules/none/queries")),
    *(
        ("GET", f"/api/v1/{name}")
        for name in ("modules/none/units", "modules/none/versions", "modules/none/logs", "publishes")
    ),
    ("POST", "/api/v1/modules/none/rollback"),
    ("DELETE", "/api/v1/modules/none"),
    ("GET", "/api/v1/modules/none/queries"),
    *((method, f"{SEATS}/leases") for method in ("GET", "POST")),
    *((method, f"{SEATS}/leases/{'0' * 36}") for method in ("PUT", "DELETE")),
    ("GET", f"{SEATS}/queue"),
    *(("GET", f"/api/v1/{name}") for name in ("front-ends", "operations/run")),
    *(("POST", f"/api/v1/features/test_queries/{name}") for name in ("consumptions", "blocks")),
    ("POST", "/api/v1/blocks/4711/return"),
    *(("GET", "/api/v1/sessions"), ("DELETE", "/api/v1/sessions"), ("DELETE", "/api/v1/sessions/4711")),
]
ADMINISTRATORS = [
    *(("GET", f"/api/v1/{name}") for name in ("users", "tokens", "audit")),
    *(("POST", f"/api/v1/{name}") for name in ("users", "tokens", "users/none/activate", "users/none/deactivate")),
    *(("PUT", "/api/v1/license"), ("PUT", "/api/v1/license/status-list"), ("POST", "/api/v1/license/restore")),
    ("GET", "/api/v1/license/history/4711"),
    ("DELETE", "/api/v1/tokens/4711"),
    *(("POST", f"/api/v1/{name}") for name in ("users/clean-up", "clean-up/modules")),
    *(("POST", f"/api/v1/users/none/{name}") for name in ("password-link", "unlink")),
    *(("GET", path) for path in ("/api/v1/denials", f"{SEATS}/reservations", f"{SEATS}/seat-rules")),
    *((method, f"{SEATS}/reservations/user/none") for method in ("PUT", "DELETE")),
    ("PUT", f"{SEATS}/seat-rules"),
    ("DELETE", f"{SEATS}/seat-rules"),
    *((method, "/api/v1/notifications/channels") for method in ("GET", "POST")),
    *((method, "/api/v1/notifications/channels/4711") for method in ("PUT", "DELETE")),
    ("POST", "/api/v1/notifications/channels/4711/test"),
    *((method, "/api/v1/notifications/rules") for method in ("GET", "PUT")),
    ("GET", "/api/v1/notifications/deliveries"),
    *(("GET", "/api/v1/blocks"), ("POST", "/api/v1/blocks/4711/settle")),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    """One for each test: here they change it."""
    with running(tmp_path / "data") as server:
        yield server


def test_developers_and_administrators(server: ConsoleServer) -> None:
    with (
        server.caller("dora") as developer,
        server.caller("ada", Role.ADMINISTRATOR) as administrator,
    ):
        for method, path in EVERYBODYS:
            for client in (developer, administrator):
                answer = client.request(method, path)
                assert answer.status_code != 401, (method, path)
                assert answer.status_code == 200 or as_problem(answer)["code"] != "role_required", (method, path)
        for method, path in ADMINISTRATORS:
            told = as_problem(developer.request(method, path))
            assert (told["status"], told["code"]) == (403, "role_required"), (method, path)
            answer = administrator.request(method, path)
            assert answer.status_code == 200 or as_problem(answer)["code"] != "role_required", (method, path)


def test_every_call_of_the_schema_is_in_the_matrix(server: ConsoleServer) -> None:
    answer = httpx2.get(f"{server.url}/schema/openapi.json", trust_env=False)
    paths = json.loads(answer.text)["paths"]
    public = {("GET", f"/{name}") for name in ("healthz", "readyz", "metrics")}
    calls = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert public <= calls
    found = {call for call in calls - public if not call[1].startswith("/schema")}
    tried = EVERYBODYS + ADMINISTRATORS
    for method, path in found:
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
        assert [call for call in tried if call[0] == method and pattern.fullmatch(call[1])], (method, path)
    assert len(found) == len(tried)


def test_a_token_revoked_is_none(server: ConsoleServer) -> None:
    with server.caller("ada", Role.ADMINISTRATOR) as client:
        made = client.post("/api/v1/tokens", json={"name": "ci", "role": "developer"}).json()
        held = {"Authorization": f"Bearer {made['token']}"}
        assert client.get("/api/v1/license", headers=held).status_code == 200
        assert made["token"] not in client.get("/api/v1/tokens").text
        assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 200
        assert client.get("/api/v1/license", headers=held).status_code == 401
        assert as_problem(client.delete(f"/api/v1/tokens/{made['id']}"))["code"] == "unknown_token"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
    ids=str,
)
def test_a_page_of_another_site_changes_nothing(server: ConsoleServer, elsewhere: dict[str, str]) -> None:
    with server.client(Role.ADMINISTRATOR) as browser:
        del browser.headers["origin"]
        browser.headers["accept"] = "application/json"
        data = server.a_license()
        told = as_problem(browser.put("/api/v1/license", content=data, headers=elsewhere))
        assert (told["status"], told["code"]) == (403, "cross_site_request")
        assert as_problem(browser.post("/api/v1/users", json={"name": "x"}, headers=elsewhere))["status"] == 403
        assert server.guard.status().license is None
        assert browser.get("/api/v1/license", headers=elsewhere).status_code == 200


@pytest.mark.parametrize("own", ["origin", "fetch"])
def test_a_page_of_this_site_may(server: ConsoleServer, own: str) -> None:
    with server.client(Role.ADMINISTRATOR) as browser:
        del browser.headers["origin"]
        headers = {"Origin": server.url} if own == "origin" else {"Sec-Fetch-Site": "same-origin"}
        answer = browser.put("/api/v1/license", content=server.a_license(), headers=headers)
        assert (answer.status_code, answer.json()["installed"]) == (200, True)


def test_a_token_is_not_asked_where_it_comes_from(server: ConsoleServer) -> None:
    with server.caller("ada", Role.ADMINISTRATOR) as client:
        answer = client.put("/api/v1/license", content=server.a_license(), headers={"Origin": "https://evil.example"})
        assert answer.status_code == 200


def test_a_developers_session_is_a_developers(server: ConsoleServer) -> None:
    with server.client(Role.DEVELOPER) as browser:
        browser.headers["accept"] = "application/json"
        assert as_problem(browser.put("/api/v1/license", content=server.a_license()))["code"] == "role_required"


def test_a_dry_run_leaves_nothing(server: ConsoleServer) -> None:
    with server.caller("ada", Role.ADMINISTRATOR) as client:
        before = [client.get(f"/api/v1/{path}").json() for path in ("license/history", "audit", "modules")]
        answer = client.put("/api/v1/license?dry_run", content=server.a_license())
        assert (answer.status_code, answer.json()["installed"]) == (200, False)
        assert [client.get(f"/api/v1/{path}").json() for path in ("license/history", "audit", "modules")] == before
        assert client.get("/api/v1/license").json()["state"] == "no_license"


def test_every_answer_of_the_api_is_kept_from_caches_and_guessing(server: ConsoleServer) -> None:
    with server.caller("ada", Role.ADMINISTRATOR) as client:
        answers = [
            *(client.get("/api/v1/license"), client.get("/api/v1/license/request"), client.get("/healthz")),
            *(client.get("/readyz"), client.get("/metrics"), client.get("/nowhere"), client.post("/healthz")),
            *(client.post("/api/v1/tokens", json={"name": "x"}), client.post("/api/v1/tokens", content=b"{")),
            client.get("/api/v1/license", headers={"Authorization": "Bearer x"}),
        ]
        for answer in answers:
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.url
            assert answer.headers.get_list("cache-control") == ["no-store"], answer.url
            assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]
        console = httpx2.get(f"{server.url}/service-center/sign-in", trust_env=False)
        assert console.headers.get_list("cache-control") == ["no-cache"]
        assert console.headers.get_list("x-content-type-options") == ["nosniff"]


def test_what_operators_ask(server: ConsoleServer) -> None:
    server.install(features={"run": switch(), "software_units": limit(50)})
    server.publish("orders", 12)
    with httpx2.Client(base_url=server.url, trust_env=False) as stranger:
        assert stranger.get("/healthz").json()["status"] == "ok"
        assert stranger.get("/readyz").json() == {"status": "ready"}
        answer = stranger.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = set(answer.text.splitlines())
        assert 'placet_license_state{state="active"} 1.0' in lines
        assert 'placet_feature_used{feature="software_units"} 12.0' in lines
        assert 'placet_feature_limit{feature="software_units"} 50.0' in lines
        assert 'placet_feature_licensed{feature="debugger"} 0.0' in lines
        assert "orders" not in answer.text
        assert "Example" not in answer.text
        for path in ("/schema", "/schema/openapi.json"):
            assert json.loads(stranger.get(path).text)["openapi"].startswith("3.")


def test_the_servers_address_leads_to_the_service_center(server: ConsoleServer) -> None:
    answer = httpx2.get(f"{server.url}/", trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/service-center/")
