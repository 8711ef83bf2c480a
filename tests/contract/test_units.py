"""Scenario: 20 Software Units are licensed. Publishing goes exactly that far, whoever tries at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.driver import ServerProcess, VendorDirectory, on_each_database
from contract.messages import e8
from contract.surfaces import as_problem, assert_refused, assert_refused_everywhere

pytestmark = [pytest.mark.server, on_each_database]

LIMIT = 20


@pytest.fixture(scope="module", autouse=True)
def licensed(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue("--limit", f"software_units={LIMIT}", "--feature", "run", serial=server.serial))


@pytest.fixture(autouse=True)
def empty(server: ServerProcess) -> None:
    """Nothing is published when a test begins."""
    for module in server.get("/api/v1/modules"):
        assert server.api("DELETE", f"/api/v1/modules/{module['name']}").status_code == 200


def publish_all(server: ServerProcess, **modules: int) -> None:
    for name, units in modules.items():
        assert server.publish(archive_of(name, units)).status_code == 201


def held(server: ServerProcess) -> dict[str, int]:
    usage = server.get("/api/v1/features/software_units/usage")
    found = {item["holder"]: item["amount"] for item in usage["allocations"]}
    assert sum(found.values()) == usage["used"] <= usage["limit"] == LIMIT
    assert found == {module["name"]: module["units"] for module in server.get("/api/v1/modules")}
    return found


def test_publishing_goes_exactly_to_the_limit(server: ServerProcess, tmp_path: Path) -> None:
    for name, units in (("one", 8), ("two", 9), ("three", 3)):
        dry = server.publish(archive_of(name, units), dry_run=True)
        assert (dry.status_code, dry.json()["units"], dry.json()["dry_run"]) == (200, units, True)
        assert name not in held(server)
        published = server.publish(archive_of(name, units))
        assert (published.status_code, published.json()["units"], published.json()["warnings"]) == (201, units, [])
    assert held(server) == {"one": 8, "two": 9, "three": 3}

    source = directory_of(tmp_path / "four", files_of("four", 1))
    problem = assert_refused_everywhere(
        server,
        e8(LIMIT),
        ("POST", "/api/v1/modules"),
        ("module", "publish", source),
        content=archive_of("four", 1),
    )
    numbers = {name: problem[name] for name in ("feature", "used", "limit", "requested", "held")}
    assert numbers == {"feature": "software_units", "used": 20, "limit": 20, "requested": 1, "held": 0}
    assert_refused(server.publish(archive_of("four", 1), dry_run=True), e8(LIMIT))
    assert as_problem(server.api("GET", "/apps/four/"))["code"] == "unknown_module"
    assert list((server.data / "staging").iterdir()) == []


def test_what_needs_no_more_than_it_holds_is_always_within(server: ServerProcess) -> None:
    publish_all(server, one=8, two=12)
    assert server.publish(archive_of("one", 8, version="2.0.0")).status_code == 201
    assert server.api("GET", "/apps/one/").text == "2.0.0"
    assert server.publish(archive_of("one", 7, version="3.0.0")).status_code == 201
    assert held(server)["one"] == 7
    assert_refused(server.publish(archive_of("one", 9, version="4.0.0")), e8(LIMIT))
    assert server.api("GET", "/apps/one/").text == "3.0.0"
    assert server.publish(archive_of("one", 8, version="5.0.0")).status_code == 201
    assert sum(held(server).values()) == LIMIT


def test_every_unit_is_explained(server: ServerProcess) -> None:
    publish_all(server, three=3)
    module = server.get("/api/v1/modules/three")
    assert sorted(element["kind"] for element in module["elements"]) == ["operation", "screen", "screen"]
    assert sum(element["weight"] for element in module["elements"]) == module["units"] == 3
    assert server.api("GET", "/service-center/modules").text.count("three") >= 1


def test_racing_for_the_last_units_never_passes_the_limit(server: ServerProcess) -> None:
    publish_all(server, three=3)

    def publish(number: int) -> httpx2.Response:
        return server.publish(archive_of(f"racer{number}", 5))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(publish, range(6)))
    for answer in answers:
        if answer.status_code != 201:
            assert_refused(answer, e8(LIMIT))
    won = [f"racer{number}" for number, answer in enumerate(answers) if answer.status_code == 201]
    assert len(won) == 3
    assert held(server) == {"three": 3} | dict.fromkeys(won, 5)
    for number in range(6):
        found = server.api("GET", f"/apps/racer{number}/").status_code
        assert found == (200 if f"racer{number}" in won else 404)
    versions = {path.name for path in (server.data / "versions").iterdir()}
    assert versions == {"three", *won}


def test_racing_for_one_module_counts_it_once(server: ServerProcess) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: server.publish(archive_of("three", 3 + n % 2, version=f"{n}.0.0")), range(4)))
    codes = {answer.status_code for answer in answers}
    assert 201 in codes
    assert codes <= {201, 409}
    assert all(as_problem(answer)["code"] == "module_busy" for answer in answers if answer.status_code == 409)
    assert held(server)["three"] in {3, 4}


def test_doctor_agrees(server: ServerProcess) -> None:
    done = server.cli("admin", "doctor", *server.place)
    assert (done.status, "WRONG" in done.out) == (0, False)
    rows = server.cli("admin", "doctor", *server.place, "--json").json()
    assert all(row["ok"] for row in rows)
