"""Scenario: a server on PostgreSQL whose database goes away and comes back, and whose password stays a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.archives import archive_of
from contract.driver import ServerProcess, VendorDirectory, placet, succeed, wait_for
from contract.surfaces import as_problem
from store_support.postgres import PASSWORD, PostgresServer

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as started:
        yield started


@pytest.fixture(scope="module")
def server(
    postgres: PostgresServer, vendor: VendorDirectory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("server") / "data"
    with ServerProcess(data, vendor.trust, database_url=postgres.url(postgres.new_database())) as started:
        started.installed(vendor.issue(serial=started.serial))
        yield started


def test_the_facts_are_there_and_nowhere_else(server: ServerProcess) -> None:
    assert not (server.data / "placet.sqlite3").exists()
    assert server.status()["state"] == "active"


def test_the_url_may_come_from_the_environment(server: ServerProcess) -> None:
    url = str(server.place[3])
    assert placet("admin", "doctor", "--data", server.data, PLACET_DATABASE=url).status == 0
    serial = succeed("admin", "new-serial", *server.place).strip()
    wait_for(lambda: server.serial == serial)


@pytest.mark.parametrize("way", ["stop_immediately", "kill"])
def test_it_answers_503_while_the_database_is_gone_and_goes_on_when_it_is_back(
    server: ServerProcess, postgres: PostgresServer, vendor: VendorDirectory, way: str
) -> None:
    server.installed(vendor.issue(serial=server.serial))
    assert server.publish(archive_of("shop", 3)).status_code == 201
    getattr(postgres, way)()
    for answer in (server.publish(archive_of("shop", 5)), server.api("GET", "/api/v1/users")):
        assert (answer.status_code, as_problem(answer)["code"]) == (503, "database_unavailable")
    assert server.status()["state"] == "active"  # by what it knows
    assert server.get("/api/v1/operations/run")["allowed"]
    assert server.api("GET", "/healthz", token=None).status_code == 200
    assert server.api("GET", "/readyz", token=None).status_code == 503
    assert server.api("GET", "/apps/shop/", token=None).text == "1.0.0"  # what is published keeps serving
    postgres.start()
    assert wait_for(lambda: server.api("GET", "/readyz", token=None).status_code == 200)
    assert (server.status()["state"], server.units()) == ("active", 3)
    assert server.publish(archive_of("shop", 4)).status_code == 201
    assert server.units() == 4
    assert server.cli("admin", "doctor", *server.place).status == 0


def test_a_database_that_does_not_answer_is_told_at_the_start(vendor: VendorDirectory, tmp_path: Path) -> None:
    url = f"postgresql://placet:{PASSWORD}@127.0.0.1:1/placet"
    done = placet("serve", "--data", tmp_path / "data", "--database", url, "--trust", vendor.trust, "--port", "0")
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith("The database postgresql+psycopg://placet:***@127.0.0.1:1/placet cannot be used: ")
    assert "Connection refused" in done.message
    assert PASSWORD not in done.err


def test_the_password_is_in_no_log(server: ServerProcess) -> None:
    assert wait_for(lambda: server.log.read_text().count('"event": "database_available"') >= 2)
    assert PASSWORD not in server.log.read_text()
