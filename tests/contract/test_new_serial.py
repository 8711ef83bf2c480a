"""Scenario: after a copy, the installation becomes another server, while it runs and with no restart."""

from pathlib import Path

import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.driver import ServerProcess, VendorDirectory, on_each_database, succeed, wait_for
from contract.messages import E4, e3
from contract.surfaces import assert_refused, assert_refused_everywhere, assert_status_everywhere

pytestmark = [pytest.mark.server, on_each_database]


def test_another_serial_number_takes_effect_at_once(
    server: ServerProcess, vendor: VendorDirectory, tmp_path: Path
) -> None:
    old = server.serial
    server.installed(vendor.issue(serial=old))
    assert server.publish(archive_of("shop", 3)).status_code == 201
    source = directory_of(tmp_path / "shop", files_of("shop", 3))

    new = succeed("admin", "new-serial", *server.place).strip()
    metrics = 'placet_license_state{state="wrong_server"} 1.0'
    wait_for(lambda: metrics in server.api("GET", "/metrics").text, within_seconds=1.0)

    assert new != old
    status = assert_status_everywhere(server, "wrong_server", e3(old))
    assert (status["serial_number"], status["license"]["serial_number"]) == (new, old)
    archive = archive_of("shop", 3)
    assert_refused_everywhere(server, E4, ("POST", "/api/v1/modules"), ("module", "publish", source), content=archive)
    assert_refused_everywhere(server, E4, ("POST", "/api/v1/runs"), ("module", "run", source), content=archive)
    assert_refused(server.api("POST", "/api/v1/debug-sessions", content=archive), E4)
    assert_refused(server.api("POST", "/api/v1/modules/shop/queries", json={"sql": "SELECT 1"}), E4)
    assert_refused(server.api("POST", "/api/v1/users", json={"name": "maria"}), E4)
    assert server.api("GET", "/apps/shop/").text == "1.0.0"

    assert_refused(server.install(vendor.issue(serial=old)), e3(old))
    server.installed(vendor.issue(serial=new))
    assert_status_everywhere(server, "active")
    assert server.publish(archive).status_code == 201
    server.restart()
    assert (server.serial, server.status()["state"]) == (new, "active")


def test_an_operation_decides_by_the_newest_serial_number(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    new = succeed("admin", "new-serial", *server.place).strip()
    assert_refused(server.publish(archive_of("shop", 3)), E4)
    server.installed(vendor.issue(serial=new))
