"""Scenario: a license runs out, first with warnings, then with grace, then with errors; a renewal ends them at once."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.driver import ServerProcess, VendorDirectory, wait_for
from contract.messages import E5, E7, w1, w2
from contract.surfaces import (
    Message,
    assert_refused,
    assert_refused_everywhere,
    assert_status_everywhere,
)

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    """What is published before the license runs out."""
    server.installed(vendor.issue(serial=server.serial))
    assert server.publish(archive_of("shop", 2)).status_code == 201
    assert server.api("POST", "/api/v1/users", json={"name": "maria"}).status_code == 201


def seconds_left(status: dict[str, Any], until: str) -> str:
    """The period as people are told it: whole seconds, rounded up."""
    left = datetime.fromisoformat(status["license"][until]) - datetime.fromisoformat(status["evaluated_at"])
    seconds = -(-left // (left.resolution * 1_000_000))
    return f"{seconds} second" if seconds == 1 else f"{seconds} seconds"


def only_entry(entries: list[dict[str, Any]]) -> Message:
    assert len(entries) == 1
    return Message(entries[0]["code"], entries[0]["message"])


def test_from_thirty_days_before_it_warns(server: ServerProcess, vendor: VendorDirectory, tmp_path: Path) -> None:
    server.installed(vendor.issue("--expires", "31d", serial=server.serial))
    assert_status_everywhere(server, "active")

    server.installed(vendor.issue("--expires", "10d", serial=server.serial))
    status = assert_status_everywhere(server, "active", w1("10 days"))
    assert status["warnings"][0]["severity"] == "warning"
    published = server.publish(archive_of("shop", 2))
    assert published.status_code == 201
    assert only_entry(published.json()["warnings"]) == w1("10 days")
    done = server.cli("module", "publish", directory_of(tmp_path / "shop", files_of("shop", 2)))
    assert (done.status, done.message) == (0, f"Warning: {w1('10 days').text}")
    user = server.api("POST", "/api/v1/users", json={"name": "ana"})
    assert (user.status_code, only_entry(user.json()["warnings"])) == (201, w1("10 days"))


def test_the_last_seconds_are_told_and_then_it_has_expired(
    server: ServerProcess, vendor: VendorDirectory, tmp_path: Path
) -> None:
    source = directory_of(tmp_path / "shop", files_of("shop", 2))
    server.installed(vendor.issue("--expires", "5s", "--grace", "3s", serial=server.serial))
    status = server.status()
    assert status["state"] == "active"
    assert only_entry(status["warnings"]) == w1(seconds_left(status, "expires_at"))

    status = wait_for(lambda: (found := server.status())["state"] == "grace" and found)
    assert isinstance(status, dict)
    assert status["errors"] == []
    assert only_entry(status["warnings"]) == w2(seconds_left(status, "grace_ends_at"))

    wait_for(lambda: server.status()["state"] == "expired")
    status = assert_status_everywhere(server, "expired", E5)
    assert status["errors"][0]["diagnosis_code"] == "expired_after_grace"
    archive = archive_of("shop", 2)
    problem = assert_refused_everywhere(
        server, E7, ("POST", "/api/v1/modules"), ("module", "publish", source), content=archive
    )
    assert problem["contact"] == "Platform Server administrator"
    assert_refused(server.api("POST", "/api/v1/runs", content=archive), E7)
    assert_refused(server.api("POST", "/api/v1/debug-sessions", content=archive), E7)
    assert_refused(server.api("POST", "/api/v1/modules/shop/queries", json={"sql": "SELECT 1"}), E7)
    assert_refused(server.api("POST", "/api/v1/users", json={"name": "carlos"}), E7)
    assert server.api("GET", "/apps/shop/").text == "1.0.0"
    assert server.api("POST", "/api/v1/users/maria/deactivate").status_code == 200
    assert_renewal_ends_it_at_once(server, vendor)


def assert_renewal_ends_it_at_once(server: ServerProcess, vendor: VendorDirectory) -> None:
    done = server.cli("license", "install", "-", given=vendor.issue(serial=server.serial))
    assert (done.status, done.err) == (0, "")
    assert_status_everywhere(server, "active")
    published = server.publish(archive_of("shop", 2))
    assert (published.status_code, published.json()["warnings"]) == (201, [])


def test_within_grace_everything_goes_on_with_a_warning(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue("--expires", "1s", "--grace", "20d", serial=server.serial))
    wait_for(lambda: server.status()["state"] == "grace")
    assert_status_everywhere(server, "grace", w2("20 days"))
    published = server.publish(archive_of("shop", 2))
    assert published.status_code == 201
    assert only_entry(published.json()["warnings"]) == w2("20 days")
    server.restart()
    assert only_entry(server.status()["warnings"]) == w2("20 days")
    server.installed(vendor.issue(serial=server.serial))
    assert_status_everywhere(server, "active")


def test_a_date_means_the_end_of_that_day_in_utc(server: ServerProcess, vendor: VendorDirectory) -> None:
    outcome = server.installed(vendor.issue("--expires", "2098-12-31", serial=server.serial), dry_run=True)
    assert outcome["license"]["expires_at"] == "2099-01-01T00:00:00Z"


def test_how_early_to_warn_can_be_set(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue("--expires", "100d", serial=server.serial))
    assert server.status()["warnings"] == []
    server.stop()
    server.start("--warn-before", "120d")
    assert only_entry(server.status()["warnings"]) == w1("100 days")
