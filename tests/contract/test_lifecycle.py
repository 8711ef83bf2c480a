"""Scenario: request, issue, install, replace, restore, revoke: a license's whole life, and an evaluation's."""

import json
import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from contract.archives import archive_of
from contract.documents import claims_of, digest_of
from contract.driver import PLACET, ServerProcess, VendorDirectory, environment, placet
from contract.surfaces import Message, as_problem, assert_command_refused, assert_refused, assert_status_everywhere

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("contract lifecycle")]


def revoked_at(server: ServerProcess) -> str:
    """The instant in the message about the revocation."""
    found = re.fullmatch(r"This server license was revoked on (\S+)\. Your .*", server.status()["errors"][0]["message"])
    assert found, server.status()
    return found[1]


def test_a_request_becomes_a_license(server: ServerProcess, vendor: VendorDirectory, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    assert server.cli("license", "request", "--out", request).status == 0
    made = vendor.issue("--request", request)
    assert claims_of(made)["serial_number"] == server.serial
    assert server.installed(made)["installed"] is True
    assert_status_everywhere(server, "active")
    damaged = json.loads(request.read_bytes())
    damaged["payload"] = damaged["payload"][:-4] + "AAAA"
    request.write_text(json.dumps(damaged))
    options = ("--customer", "X", "--expires", "30d")
    assert placet("vendor", "issue", vendor.path, "--request", request, *options).status == 1


def test_the_license_before_is_restored_from_the_history(server: ServerProcess, vendor: VendorDirectory) -> None:
    first, second = (vendor.issue(serial=server.serial, customer=name) for name in ("First", "Second"))
    server.installed(first)
    server.installed(second)
    history = server.get("/api/v1/license/history")
    assert [(item["customer"], item["in_force"]) for item in history[:2]] == [("Second", True), ("First", False)]
    assert [item["digest"] for item in history[:2]] == [digest_of(second), digest_of(first)]
    done = server.cli("license", "restore", history[1]["id"])
    assert done.status == 0, done.err
    assert server.status()["license"]["customer"] == "First"
    newest = server.get("/api/v1/license/history")[0]
    assert (newest["restored_from"], newest["digest"]) == (history[1]["id"], digest_of(first))
    again = server.api("POST", "/api/v1/license/restore", json={"id": history[0]["id"]})
    assert (again.status_code, again.json()["license"]["customer"]) == (200, "Second")
    missing = server.cli("license", "restore", 4711)
    assert (missing.status, missing.message) == (1, "The license history has no entry 4711.")
    assert as_problem(server.api("POST", "/api/v1/license/restore", json={"id": 4711}))["status"] == 404


def test_a_revocation_takes_effect_at_once(server: ServerProcess, vendor: VendorDirectory, tmp_path: Path) -> None:
    license_file = vendor.issue(serial=server.serial)
    server.installed(license_file)
    assert server.publish(archive_of("shop", 2)).status_code == 201
    jti = claims_of(license_file)["jti"]
    (tmp_path / "status-list.json").write_bytes(vendor.revoke(jti, "Contract ended."))
    done = server.cli("license", "status-list", tmp_path / "status-list.json", "--json")
    assert (done.status, done.json()["revoked"], done.json()["state"]) == (0, [jti], "revoked")
    text = f"This server license was revoked on {revoked_at(server)}. Your Service Center administrator must request"
    status = assert_status_everywhere(server, "revoked", Message("license_revoked", f"{text} a new license"))
    assert "Contract ended." in status["errors"][0]["diagnosis"]
    refusal = Message("operation_license_revoked", "Cannot perform the operation. This server license was revoked")
    assert_refused(server.publish(archive_of("shop", 2)), refusal)
    assert server.api("GET", "/apps/shop/").text == "1.0.0"
    assert as_problem(server.install(license_file))["code"] == "license_revoked"
    assert as_problem(server.api("PUT", "/api/v1/license/status-list", content=license_file))["status"] == 403
    server.restart()
    assert server.status()["state"] == "revoked"
    server.installed(vendor.issue(serial=server.serial))
    assert_status_everywhere(server, "active")


def test_an_older_status_list_does_not_replace_a_newer(server: ServerProcess, vendor: VendorDirectory) -> None:
    jtis = [claims_of(vendor.issue(serial=server.serial))["jti"] for _ in range(2)]
    older, newer = (vendor.revoke(jti) for jti in jtis)
    assert server.api("PUT", "/api/v1/license/status-list", content=newer).status_code == 200
    refused = server.api("PUT", "/api/v1/license/status-list", content=older)
    assert (refused.status_code, as_problem(refused)["code"]) == (409, "status_list_outdated")
    assert_command_refused(
        server.cli("license", "status-list", "-", given=older), Message("", refused.json()["detail"])
    )


class Demo:
    """``placet demo`` in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        command = [str(PLACET), "demo", str(directory), "--port", "0"]
        self.process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.said = self._said()
        self.address = self.said.split("Placet serves at ")[1].split()[0]
        self.token = (directory / "administrator.token").read_text().strip()

    def _said(self) -> str:
        assert self.process.stdout is not None
        said, deadline = b"", time.monotonic() + 60
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"Everything is kept under" not in said:
                assert selector.select(max(0.0, deadline - time.monotonic()))
                chunk = os.read(self.process.stdout.fileno(), 65536)
                assert chunk
                said += chunk
        return said.decode()

    def cli(self, *arguments: object) -> tuple[int, str]:
        done = placet(*arguments, PLACET_SERVER=self.address, PLACET_TOKEN=self.token)
        return done.status, done.message

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "var")
    yield running
    running.stop()


def test_an_evaluation_can_be_installed_once(demo: Demo) -> None:
    evaluation = demo.directory / "evaluation.license"
    assert demo.cli("license", "install", evaluation)[0] == 0
    status, message = demo.cli("license", "install", evaluation)
    assert status == 1
    assert message.startswith("The evaluation license cannot be installed again. The evaluation on this server started")
    headers = {"Authorization": f"Bearer {demo.token}"}
    document = httpx2.get(f"{demo.address}/api/v1/license", headers=headers, trust_env=False).json()
    assert (document["state"], document["license"]["edition"]) == ("active", "Evaluation")


def test_the_demonstration_says_what_to_do_next(demo: Demo) -> None:
    assert f"{demo.address}/service-center/sign-in?code=" in demo.said
    assert oct((demo.directory / "administrator.token").stat().st_mode & 0o777) == "0o600"
    code = re.search(r"sign-in\?code=\S+", demo.said)
    assert code
    with httpx2.Client(base_url=demo.address, trust_env=False) as browser:
        assert browser.get(f"/service-center/{code[0]}").headers["location"] == "/service-center/"
        assert browser.get("/service-center/", headers={"Accept": "text/html"}).status_code == 200
    with httpx2.Client(base_url=demo.address, trust_env=False) as another:
        assert another.get(f"/service-center/{code[0]}").headers["location"] == "/service-center/sign-in?why=code"


def test_a_second_server_on_the_same_directory_is_refused(server: ServerProcess, vendor: VendorDirectory) -> None:
    done = placet("serve", "--data", server.data, "--trust", vendor.trust, "--port", "0")
    assert (done.status, done.out) == (3, "")
    assert "already" in done.message
