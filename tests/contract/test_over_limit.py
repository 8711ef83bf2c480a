"""Scenario: more is in use than the license allows, strictly, within a tolerance, and for one feature alone."""

from pathlib import Path

import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.conftest import MakeServer
from contract.documents import digest_of
from contract.driver import ServerProcess, VendorDirectory, on_each_database
from contract.messages import E6, E7, W3, e8, w4
from contract.surfaces import (
    Message,
    assert_command_refused,
    assert_refused,
    assert_refused_everywhere,
    assert_status_everywhere,
    on_page,
)
from contract.traffic import Traffic

pytestmark = [pytest.mark.server, on_each_database]

SWITCHES = ("--feature", "run", "--feature", "debugger", "--feature", "test_query", "--limit", "users=10")
ACKNOWLEDGE = Message(
    "acknowledgement_required",
    "The license was not installed because operations that are allowed now would be refused. Acknowledge this to "
    "install it",
)


def publish_all(server: ServerProcess, **modules: int) -> None:
    for name, units in modules.items():
        assert server.publish(archive_of(name, units)).status_code == 201


def test_a_smaller_license_blocks_until_usage_decreases(
    server: ServerProcess, vendor: VendorDirectory, tmp_path: Path
) -> None:
    large = vendor.issue(*SWITCHES, "--limit", "software_units=20", serial=server.serial)
    server.installed(large)
    publish_all(server, shop=6, stock=6, staff=6)
    source = directory_of(tmp_path / "shop", files_of("shop", 6))
    small = vendor.issue(*SWITCHES, "--limit", "software_units=10", serial=server.serial)
    (tmp_path / "small.license").write_bytes(small)

    with Traffic(f"{server.address}/apps/shop/") as traffic:
        problem = assert_refused(server.install(small), ACKNOWLEDGE, status=409)
        features = {item["feature"]: (item["before"], item["after"]) for item in problem["changes"]["features"]}
        assert features == {"software_units": ("20", "10")}
        blocked = {item["operation"]: item["message"] for item in problem["changes"]["blocked"]}
        operations = ("publish", "run", "debug", "test_query", "activate_user")
        assert blocked == dict.fromkeys(operations, E7.text)
        refused = server.cli("license", "install", tmp_path / "small.license")
        assert_command_refused(refused, ACKNOWLEDGE)
        assert "  Software Units: 20 before, 10 after (lowered)\n" in refused.err
        assert [line.split(": ")[1] for line in refused.err.splitlines() if "Would be" in line] == list(operations)
        page = server.api("POST", "/service-center/license", files={"license": small}, data={"intent": "install"})
        assert (page.status_code, on_page(page)[0]) == (409, ACKNOWLEDGE)
        assert server.status()["license"]["digest"] == digest_of(large)

        done = server.cli("license", "install", tmp_path / "small.license", "--acknowledge")
        assert done.status == 0
        status = assert_status_everywhere(server, "active", E6)
        assert [status["errors"][0][name] for name in ("feature", "used", "limit")] == ["software_units", 18, 10]
        archive = archive_of("shop", 6)
        assert_refused_everywhere(
            server, E7, ("POST", "/api/v1/modules"), ("module", "publish", source), content=archive
        )
        assert_refused_everywhere(server, E7, ("POST", "/api/v1/runs"), ("module", "run", source), content=archive)
        assert_refused(server.api("POST", "/api/v1/debug-sessions", content=archive), E7)
        assert_refused(server.api("POST", "/api/v1/modules/shop/queries", json={"sql": "SELECT 1"}), E7)
        assert_refused(server.api("POST", "/api/v1/users", json={"name": "maria"}), E7)

        assert server.cli("module", "delete", "stock").status == 0
        assert_refused(server.publish(archive), E7)
        assert server.api("DELETE", "/api/v1/modules/staff").status_code == 200
        assert_status_everywhere(server, "active")
        published = server.publish(archive_of("shop", 7))
        assert (published.status_code, published.json()["warnings"]) == (201, [])
    assert traffic.answers.keys() == {200}
    assert traffic.answers[200] > 20


def test_within_the_tolerance_it_warns(new_server: MakeServer, vendor: VendorDirectory, tmp_path: Path) -> None:
    server = new_server()
    limits = ("--limit", "software_units=20", "--tolerance", "software_units=10%")
    server.installed(vendor.issue(*SWITCHES, *limits, serial=server.serial))
    publish_all(server, shop=20)
    assert_status_everywhere(server, "active")

    source = directory_of(tmp_path / "stock", files_of("stock", 2))
    dry = server.publish(archive_of("stock", 2), dry_run=True)
    assert [Message(item["code"], item["message"]) for item in dry.json()["warnings"]] == [w4(20)]
    done = server.cli("module", "publish", source)
    assert (done.status, done.message) == (0, f"Warning: {w4(20).text}")
    status = assert_status_everywhere(server, "active", W3)
    assert (status["warnings"][0]["used"], status["warnings"][0]["limit"]) == (22, 20)

    again = server.publish(archive_of("stock", 2, version="2.0.0"))
    assert again.status_code == 201
    assert [Message(item["code"], item["message"]) for item in again.json()["warnings"]] == [W3]
    run = server.api("POST", "/api/v1/runs", content=archive_of("other", 1))
    assert (run.status_code, run.json()["warnings"][0]["message"]) == (201, W3.text)
    problem = assert_refused_everywhere(
        server,
        e8(20),
        ("POST", "/api/v1/modules"),
        ("module", "publish", directory_of(tmp_path / "other", files_of("other", 1))),
        content=archive_of("other", 1),
    )
    assert problem["tolerated_limit"] == 22
    server.api("DELETE", "/api/v1/modules/stock")
    assert_status_everywhere(server, "active")


def test_per_feature_blocks_only_what_uses_the_feature(new_server: MakeServer, vendor: VendorDirectory) -> None:
    server = new_server()
    server.installed(vendor.issue(*SWITCHES, "--limit", "software_units=20", serial=server.serial))
    publish_all(server, shop=6, stock=6)
    small = ("--limit", "software_units=10", "--enforcement", "per-feature")
    server.installed(vendor.issue(*SWITCHES, *small, serial=server.serial), acknowledge=True)
    assert_status_everywhere(server, "active", E6)

    assert_refused(server.publish(archive_of("staff", 1)), E7)
    assert_refused(server.publish(archive_of("shop", 7)), E7)
    assert server.publish(archive_of("shop", 6, version="2.0.0")).status_code == 201
    run = server.api("POST", "/api/v1/runs", content=archive_of("staff", 1))
    assert run.status_code == 201
    assert server.api("GET", run.json()["url"]).text == "1.0.0"
    assert server.api("POST", "/api/v1/users", json={"name": "maria"}).status_code == 201
    assert server.publish(archive_of("shop", 4, version="3.0.0")).status_code == 201
    assert_status_everywhere(server, "active")
