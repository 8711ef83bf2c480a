"""Scenario: a server of a farm is killed as each step of a publish, or of a rollback, begins."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from contract.archives import files_of, zipped
from contract.driver import EVERYTHING, ServerProcess, VendorDirectory, wait_for
from contract.remains import leftovers, processes_of
from placet.cli.events import events_of
from placet.platform.steps import StepName
from store_support.postgres import shared_server

pytestmark = pytest.mark.server

ROLLBACK = [StepName.START, StepName.COMMIT, StepName.SWITCH]


@pytest.fixture(scope="module")
def farm(vendor: VendorDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServerProcess]]:
    """Two servers, licensed for both, on one database."""
    url, place = shared_server().url(shared_server().new_database()), tmp_path_factory.mktemp("farm")
    options = ("--beat", "1s", "--keep-versions", "100")
    with ServerProcess(place / "one", vendor.trust, *options, database_url=url) as one:
        one.installed(vendor.issue(*EVERYTHING, "--limit", "front_end_servers=2", serial=one.serial))
        with ServerProcess(place / "two", vendor.trust, *options, token=one.token, database_url=url) as two:
            wait_for(lambda: two.status()["front_end"]["registered"])
            yield [one, two]


def version(number: int) -> bytes:
    schema = f"CREATE TABLE IF NOT EXISTS only_in_{number} (id INTEGER PRIMARY KEY);"
    return zipped(files_of("shop", 1, version=f"{number}.0.0", **{"schema.sql": schema}))


def served_by(server: ServerProcess) -> str:
    return server.api("GET", "/apps/shop/", token=None).text


def kill_as(step: StepName, server: ServerProcess, path: str, **body: object) -> bool:
    """Begin something, and kill the server as a step of it begins; answers whether it was acknowledged all the same."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {server.token}"}
    acknowledged = False
    try:
        with httpx2.stream(
            "POST", f"{server.address}{path}", headers=headers, timeout=60, trust_env=False, **body
        ) as answer:
            for event, data in events_of(answer.iter_lines()):
                if event == "step" and json.loads(data)["step"] == step:
                    server.process.kill()
                acknowledged = acknowledged or event == "done"
    except httpx2.HTTPError:
        pass
    server.kill9()
    wait_for(lambda: not processes_of(server.data))
    return acknowledged


def examine(farm: list[ServerProcess], candidates: set[str]) -> None:
    """Both serve the same version, one of those; it is the one on the books, and nothing else is left."""
    one, _ = farm
    one.start()
    active = one.get("/api/v1/modules/shop")["version"]
    assert active in candidates
    for server in farm:
        wait_for(lambda server=server: served_by(server) == active)  # type: ignore[misc]
        assert server.cli("admin", "doctor", *server.place).status == 0
        assert leftovers(server.data) == []
    assert one.units() == one.get("/api/v1/modules/shop/units")["units"]
    assert one.get("/api/v1/publishes") == []


def test_killed_as_each_step_of_a_publish_begins(farm: list[ServerProcess]) -> None:
    one, _ = farm
    assert one.publish(version(1)).status_code == 201
    before = "1.0.0"
    for number, step in enumerate(StepName, start=2):
        acknowledged = kill_as(step, one, "/api/v1/modules", content=version(number))
        examine(farm, {f"{number}.0.0"} if acknowledged else {before, f"{number}.0.0"})
        before = one.get("/api/v1/modules/shop")["version"]
        if step in {StepName.SWITCH, StepName.FRONT_ENDS}:  # it was committed
            assert before == f"{number}.0.0"


@pytest.mark.parametrize("step", ROLLBACK)
def test_killed_as_each_step_of_a_rollback_begins(farm: list[ServerProcess], step: StepName) -> None:
    one, _ = farm
    active = one.get("/api/v1/modules/shop")["version"]
    wanted = next(item["version"] for item in one.get("/api/v1/modules/shop/versions") if item["version"] != active)
    kill_as(step, one, "/api/v1/modules/shop/rollback", json={"version": wanted})
    examine(farm, {active, wanted})
