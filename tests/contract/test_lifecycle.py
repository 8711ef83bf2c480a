"""Scenario: request, issue, install, restore, revoke: a license's whole life. And servers that cannot be started."""

import json
import re
from pathlib import Path

import pytest

from contract.archives import archive_of
from contract.documents import claims_of, digest_of
from contract.driver import ServerProcess, VendorDirectory, on_each_database, placet
from contract.surfaces import Message, as_problem, assert_command_refused, assert_refused, assert_status_everywhere

pytestmark = [pytest.mark.server, on_each_database]


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
    assert (done.status, done.json()["state"]) == (0, "revoked")
    assert jti in done.json()["revoked"]  # beside what the vendor has revoked before
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


def test_a_second_server_on_the_same_directory_is_refused(server: ServerProcess, vendor: VendorDirectory) -> None:
    done = placet("serve", *server.place, "--trust", vendor.trust, "--port", "0")
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith(f"A server is running on {server.data} already.")
    assert server.status()["state"] == "active"


def test_a_port_in_use_is_told(server: ServerProcess, vendor: VendorDirectory, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    done = placet("serve", "--data", tmp_path / "data", "--trust", vendor.trust, "--port", port)
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith(f"Cannot listen at 127.0.0.1, port {port}: ")
    assert server.status()["state"] == "active"
