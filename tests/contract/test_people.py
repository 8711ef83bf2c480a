"""Scenario: users and their seats, tokens, and who may do what."""

import pytest

from contract.archives import archive_of
from contract.conftest import MakeServer
from contract.driver import ServerProcess, VendorDirectory, on_each_database, succeed
from contract.surfaces import Message, as_problem, assert_command_refused, assert_refused, assert_refused_everywhere

pytestmark = [pytest.mark.server, on_each_database]

SEATS = Message(
    "limit_reached",
    "Cannot perform the operation because you reached the limit of 2 Users that this server license allows",
)


@pytest.fixture(scope="module", autouse=True)
def license_file(server: ServerProcess, vendor: VendorDirectory) -> bytes:
    made = vendor.issue("--limit", "users=2", "--limit", "software_units=20", serial=server.serial)
    server.installed(made)
    return made


@pytest.fixture(scope="module")
def developer(server: ServerProcess) -> str:
    return server.new_token("dora")


def test_a_seat_is_freed_by_deactivating(server: ServerProcess) -> None:
    assert server.cli("user", "add", "ana").out == "ana (developer) is active.\n"
    assert server.cli("user", "add", "bo", "--role", "administrator").status == 0
    body = {"name": "cy"}
    assert_refused_everywhere(server, SEATS, ("POST", "/api/v1/users"), ("user", "add", "cy"), json=body)
    assert "cy" not in [user["name"] for user in server.get("/api/v1/users")]
    assert server.cli("user", "deactivate", "ana").status == 0
    assert server.get("/api/v1/features/users/usage")["used"] == 1
    assert server.api("POST", "/api/v1/users", json=body).status_code == 201
    assert_command_refused(server.cli("user", "activate", "ana"), SEATS)
    assert_refused(server.api("POST", "/api/v1/users/ana/activate"), SEATS)
    assert as_problem(server.api("POST", "/api/v1/users/nobody/activate"))["code"] == "unknown_user"
    assert server.api("POST", "/api/v1/users/cy/activate").status_code == 200
    holders = server.get("/api/v1/features/users/usage")["allocations"]
    assert {item["holder"]: item["amount"] for item in holders} == {"bo": 1, "cy": 1}
    for name in ("bo", "cy"):
        assert server.api("POST", f"/api/v1/users/{name}/deactivate").json()["active"] is False


def test_a_name_is_taken_once(server: ServerProcess) -> None:
    assert server.api("POST", "/api/v1/users", json={"name": "gus"}).status_code == 201
    assert as_problem(server.api("POST", "/api/v1/users", json={"name": "gus"}))["code"] == "name_taken"
    done = server.cli("user", "add", "gus")
    assert (done.status, "gus" in done.message) == (1, True)
    assert server.get("/api/v1/features/users/usage")["used"] == 1
    assert server.api("POST", "/api/v1/users/gus/deactivate").status_code == 200
    missing = server.cli("user", "deactivate", "nobody")
    assert (missing.status, missing.message) == (1, "There is no user named 'nobody'.")


def test_a_token_works_until_it_is_revoked(server: ServerProcess) -> None:
    made = server.api("POST", "/api/v1/tokens", json={"name": "robot", "role": "developer"}).json()
    assert server.api("GET", "/api/v1/license", token=made["token"]).status_code == 200
    listed = server.get("/api/v1/tokens")
    assert "robot" in [item["name"] for item in listed]
    assert all("token" not in item for item in listed)
    assert server.api("DELETE", f"/api/v1/tokens/{made['id']}").status_code == 200
    refused = server.api("GET", "/api/v1/license", token=made["token"])
    assert (refused.status_code, as_problem(refused)["code"]) == (401, "sign_in_required")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    done = server.cli("license", "status", token=made["token"])
    assert (done.status, done.out, done.message) == (1, "", refused.json()["detail"])
    assert as_problem(server.api("DELETE", f"/api/v1/tokens/{made['id']}"))["code"] == "unknown_token"


def test_a_token_of_the_command_line_is_alone_and_works_while_the_server_runs(server: ServerProcess) -> None:
    printed = succeed("admin", "token", *server.place, "--role", "developer", "--name", "made beside it")
    assert printed.count("\n") == 1
    assert server.api("GET", "/api/v1/license", token=printed.strip()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("PUT", "/api/v1/license", {"content": b"{}"}),
        ("PUT", "/api/v1/license/status-list", {"content": b"{}"}),
        ("POST", "/api/v1/license/restore", {"json": {"id": 1}}),
        ("GET", "/api/v1/users", {}),
        ("POST", "/api/v1/users", {"json": {"name": "eve"}}),
        ("POST", "/api/v1/users/bo/deactivate", {}),
        ("POST", "/api/v1/users/bo/activate", {}),
        ("GET", "/api/v1/tokens", {}),
        ("POST", "/api/v1/tokens", {"json": {"name": "eve", "role": "administrator"}}),
        ("DELETE", "/api/v1/tokens/1", {}),
        ("GET", "/api/v1/audit", {}),
    ],
)
def test_what_only_an_administrator_may(
    server: ServerProcess, developer: str, method: str, path: str, options: dict[str, object]
) -> None:
    answer = server.api(method, path, token=developer, **options)
    problem = as_problem(answer)
    assert (answer.status_code, problem["code"]) == (403, "role_required")
    assert "dora" in problem["detail"]


def test_a_developer_cannot_install_a_license(
    server: ServerProcess, developer: str, license_file: bytes, vendor: VendorDirectory
) -> None:
    before = server.get("/api/v1/license/history")
    refused = as_problem(server.api("PUT", "/api/v1/license", token=developer, content=license_file))
    done = server.cli("license", "install", "-", token=developer, given=license_file)
    assert (done.status, done.out, done.message) == (1, "", refused["detail"])
    page = server.api("POST", "/service-center/license", token=developer, files={"license": license_file})
    assert page.status_code == 403
    assert server.get("/api/v1/license/history") == before


def test_a_developer_works_with_modules(server: ServerProcess, developer: str) -> None:
    assert server.api("POST", "/api/v1/modules", token=developer, content=archive_of("shop", 2)).status_code == 201
    assert server.get("/api/v1/modules/shop")["published_by"] == "dora"
    assert server.cli("module", "list", token=developer).status == 0
    assert server.api("DELETE", "/api/v1/modules/shop", token=developer).status_code == 200
    for path in ("license", "license/request", "license/history", "features", "runs", "debug-sessions"):
        assert server.api("GET", f"/api/v1/{path}", token=developer).status_code == 200, path


def test_what_was_done_is_in_the_audit_trail(server: ServerProcess, developer: str) -> None:
    server.api("POST", "/api/v1/users", json={"name": "hal"})
    server.api("POST", "/api/v1/users/hal/deactivate")
    server.api("POST", "/api/v1/modules", token=developer, content=archive_of("stock", 1))
    server.api("DELETE", "/api/v1/modules/stock", token=developer)
    events = server.get("/api/v1/audit?most=1000")
    told = {(event["event"], event["actor"], event["subject"]) for event in events}
    assert ("user.added", "root", "hal") in told
    assert ("user.deactivated", "root", "hal") in told
    assert ("module.published", "dora", "stock") in told
    assert ("module.deleted", "dora", "stock") in told
    assert server.token not in str(events)
    older = server.get(f"/api/v1/audit?most=2&before={events[1]['id']}")
    assert [event["id"] for event in older] == [event["id"] for event in events[2:4]]


def test_a_warning_of_tolerated_seats(new_server: MakeServer, vendor: VendorDirectory) -> None:
    server = new_server()
    limits = ("--limit", "users=1", "--tolerance", "users=100%")
    server.installed(vendor.issue(*limits, serial=server.serial))
    assert server.api("POST", "/api/v1/users", json={"name": "ana"}).json()["warnings"] == []
    second = server.api("POST", "/api/v1/users", json={"name": "bo"})
    assert (second.status_code, second.json()["warnings"][0]["code"]) == (201, "limit_reached_tolerated")
    assert as_problem(server.api("POST", "/api/v1/users", json={"name": "cy"}))["code"] == "limit_reached"


def test_a_clean_up_is_previewed_then_done(server: ServerProcess) -> None:
    told = server.cli("user", "clean-up", "--inactive", "30")
    assert (told.status, told.out) == (0, "Nobody has been away for 30 days.\n")
    rehearsed = server.api("POST", "/api/v1/users/clean-up", json={"inactive_days": 30}, params={"dry_run": True})
    assert rehearsed.json() == {"dry_run": True, "seats": 0, "users": []}
    for body in ({}, {"inactive_days": 0}, {"inactive_days": 10**9}, {"inactive_days": 30, "excluded": ["ana"]}):
        assert server.api("POST", "/api/v1/users/clean-up", json=body).status_code == 400
    assert server.cli("user", "clean-up").status == 2


def test_obsolete_modules_are_previewed_then_deleted(server: ServerProcess) -> None:
    told = server.cli("module", "clean-up", "--unused", "30", "--exclude", "stock")
    assert (told.status, told.out) == (0, "Every module was used within 30 days, or is left alone.\n")
    done = server.cli("module", "clean-up", "--unused", "30", "--timers", "--yes", "--json").json()
    assert done == {"dry_run": False, "units": 0, "modules": [], "more": 0}
    for body in (
        {},
        {"unused_days": 0},
        {"unused_days": 10**9},
        {"unused_days": 30, "timers": 1},
        {"unused_days": 30, "exclude": ["../etc"]},
        {"unused_days": 30, "exclude": ["a"] * 1001},
        {"unused_days": 30, "administrators": True},
    ):
        assert server.api("POST", "/api/v1/clean-up/modules", json=body).status_code == 400
    assert server.cli("module", "clean-up").status == 2


def test_a_deactivated_user_is_shut_out_until_activated(server: ServerProcess) -> None:
    assert server.cli("user", "add", "zoe").status == 0
    token = server.new_token("zoe")
    assert server.api("GET", "/api/v1/modules", token=token).status_code == 200
    assert server.cli("user", "deactivate", "zoe").status == 0
    assert as_problem(server.api("GET", "/api/v1/modules", token=token))["code"] == "sign_in_required"
    assert server.cli("user", "activate", "zoe").status == 0
    assert server.api("GET", "/api/v1/modules", token=token).status_code == 200
    assert server.cli("user", "deactivate", "zoe").status == 0
