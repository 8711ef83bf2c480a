"""Scenario: a server without a license. It refuses new work with one message, and everything else goes on."""

import json
from pathlib import Path

import httpx2
import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.driver import ServerProcess
from contract.messages import E1, E2
from contract.surfaces import (
    Message,
    as_problem,
    assert_command_refused,
    assert_refused,
    assert_refused_everywhere,
    assert_status_everywhere,
    on_page,
)

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of(tmp_path_factory.mktemp("module"), files_of("shop", 3))


def test_the_status_says_so(server: ServerProcess) -> None:
    status = assert_status_everywhere(server, "no_license", E1)
    assert status["license"] is None
    assert status["errors"][0]["diagnosis_code"] == "no_file"
    assert status["errors"][0]["contact"] == "Service Center administrator"


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/api/v1/modules", "publish"),
        ("/api/v1/modules?dry_run", None),
        ("/api/v1/runs", "run"),
        ("/api/v1/debug-sessions", "debug"),
    ],
)
def test_work_with_modules_is_refused(server: ServerProcess, source: Path, path: str, command: str | None) -> None:
    archive = archive_of("shop", 3)
    if command is None:
        assert_refused(server.api("POST", path, content=archive), E2)
        assert_command_refused(server.cli("module", "publish", source, "--dry-run"), E2)
    else:
        problem = assert_refused_everywhere(server, E2, ("POST", path), ("module", command, source), content=archive)
        assert problem["diagnosis"] == server.status()["errors"][0]["diagnosis"]


def test_queries_are_refused(server: ServerProcess) -> None:
    body = {"sql": "SELECT 1"}
    command = ("module", "query", "shop", "SELECT 1")
    assert_refused_everywhere(server, E2, ("POST", "/api/v1/modules/shop/queries"), command, json=body)


def test_users_are_refused(server: ServerProcess) -> None:
    body = {"name": "maria", "role": "developer"}
    assert_refused_everywhere(server, E2, ("POST", "/api/v1/users"), ("user", "add", "maria"), json=body)
    assert_command_refused(server.cli("user", "activate", "maria"), E2)
    assert server.get("/api/v1/users") == []


def test_a_refusal_as_json_is_the_problem_document(server: ServerProcess, source: Path) -> None:
    done = server.cli("module", "publish", source, "--json")
    assert (done.status, done.message) == (1, E2.text)
    assert Message(done.json()["code"], done.json()["detail"]) == E2


def test_every_view_goes_on(server: ServerProcess) -> None:
    for path in (
        *("license", "license/history", "features", "features/software_units/usage", "modules", "runs"),
        *("debug-sessions", "users", "tokens", "audit"),
    ):
        assert server.api("GET", f"/api/v1/{path}").status_code == 200, path
    for path in ("/healthz", "/readyz", "/metrics", "/schema", "/problems/", "/problems/no_license"):
        assert server.api("GET", path, token=None).status_code == 200, path
    assert 'placet_license_state{state="no_license"} 1.0' in server.api("GET", "/metrics").text


def test_the_request_for_a_license_goes_on(server: ServerProcess, tmp_path: Path) -> None:
    answer = server.api("GET", "/api/v1/license/request")
    assert answer.status_code == 200
    done = server.cli("license", "request", "--out", tmp_path / "request.json")
    assert done.status == 0
    assert set(json.loads((tmp_path / "request.json").read_bytes())) == set(answer.json()) == {"payload", "signatures"}


def test_the_audit_trail_keeps_what_is_done(server: ServerProcess) -> None:
    made = server.api("POST", "/api/v1/tokens", json={"name": "robot", "role": "developer"})
    assert made.status_code == 201
    newest = server.get("/api/v1/audit?most=1")[0]
    assert (newest["event"], newest["actor"], newest["subject"]) == ("token.created", "root", "robot")


def test_signing_in_goes_on(server: ServerProcess) -> None:
    with httpx2.Client(base_url=server.address, trust_env=False) as browser:
        form = {"secret": server.token}
        answer = browser.post("/service-center/sign-in", data=form, headers={"Origin": server.address})
        assert answer.status_code == 303
        page = browser.get("/service-center/", headers={"Accept": "text/html"})
        assert on_page(page) == [E1]


def test_deleting_and_deactivating_what_is_not_there_are_no_license_matter(server: ServerProcess) -> None:
    assert as_problem(server.api("DELETE", "/api/v1/modules/shop"))["code"] == "unknown_module"
    assert as_problem(server.api("POST", "/api/v1/users/maria/deactivate"))["code"] == "unknown_user"
