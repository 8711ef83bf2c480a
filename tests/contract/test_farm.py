"""Scenario: several servers on one database. One license, one usage, a limit of servers, and a network that fails."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.archives import archive_of
from contract.documents import digest_of
from contract.driver import EVERYTHING, ServerProcess, VendorDirectory, wait_for
from contract.farm import MakeServer, new_farm
from contract.surfaces import as_problem
from store_support.cuttable_proxy import CuttableProxy
from store_support.postgres import shared_server

pytestmark = pytest.mark.server

ON = ["sqlite", "postgresql"]
LIMIT = (
    "Cannot perform the operation because you reached the limit of 2 Front-end Servers that this server license allows"
)


@pytest.fixture
def farm(request: pytest.FixtureRequest, vendor: VendorDirectory, tmp_path: Path) -> Iterator[MakeServer]:
    """Starts servers on one database, PostgreSQL's where no other is asked for."""
    with new_farm(getattr(request, "param", "postgresql"), vendor, tmp_path) as start:
        yield start


def goes_by(server: ServerProcess, state: str) -> bool:
    """Whether a server is in a state by what it knows itself: metrics look nowhere."""
    return f'placet_license_state{{state="{state}"}} 1.0' in server.api("GET", "/metrics", token=None).text


def front_ends(server: ServerProcess) -> dict[str, Any]:
    return {item["address"]: item for item in server.get("/api/v1/front-ends")}


def the_license(server: ServerProcess, vendor: VendorDirectory, places: int = 2, *more: object) -> bytes:
    return vendor.issue(*EVERYTHING, "--limit", f"front_end_servers={places}", *more, serial=server.serial)


@pytest.mark.parametrize(
    ("farm", "options"),
    [("sqlite", ()), ("postgresql", ()), ("postgresql", ("--no-listen",))],
    indirect=["farm"],
    ids=["sqlite", "told", "polled"],
)
def test_what_one_installs_is_in_force_on_the_other_within_a_second(
    farm: MakeServer, vendor: VendorDirectory, options: tuple[str, ...]
) -> None:
    one, two = farm(*options), farm(*options)
    first, second = the_license(one, vendor), the_license(one, vendor, 2, "--expires", "2020-01-01")
    for license_, by, other, state in ((first, one, two, "active"), (second, two, one, "expired")):
        by.installed(license_, acknowledge=True)
        wait_for(lambda other=other, state=state: goes_by(other, state), within_seconds=1)  # type: ignore[misc]
        digest = digest_of(license_)
        wait_for(
            lambda digest=digest: {item["license_digest"] for item in front_ends(one).values()} == {digest},  # type: ignore[misc]
            within_seconds=1,
        )
        assert other.status()["front_end"]["license_digest"] == digest
    assert {address: item["answering"] for address, item in front_ends(two).items()} == {
        one.address: False,
        two.address: True,
    }
    assert one.cli("front-end", "list").out.count("(this one)") == 1


@pytest.mark.parametrize("farm", ON, indirect=True)
def test_the_limit_counts_the_living(farm: MakeServer, vendor: VendorDirectory) -> None:
    one, two = farm(), farm()
    one.installed(the_license(one, vendor))
    wait_for(lambda: two.status()["front_end"]["registered"])
    three = farm()
    refused = three.publish(archive_of("shop", 3))
    problem = as_problem(refused)
    assert (refused.status_code, problem["code"], problem["detail"]) == (403, "limit_reached", LIMIT)
    assert [problem[name] for name in ("feature", "used", "limit")] == ["front_end_servers", 2, 2]
    for answer in (
        three.api("POST", "/api/v1/runs", content=archive_of("shop", 3)),
        three.api("POST", "/api/v1/debug-sessions", content=archive_of("shop", 3)),
        three.api("POST", "/api/v1/modules/shop/queries", json={"sql": "SELECT 1"}),
        three.api("POST", "/api/v1/users", json={"name": "maria"}),
    ):
        assert as_problem(answer)["detail"] == LIMIT
    decision = three.get("/api/v1/operations/run")
    assert (decision["allowed"], decision["message"]) == (False, LIMIT)
    assert three.api("GET", "/api/v1/modules").status_code == 200
    assert three.status()["state"] == "active"

    two.kill9()
    wait_for(lambda: three.status()["front_end"]["registered"], within_seconds=10)
    assert front_ends(one).keys() == {one.address, three.address}
    assert three.publish(archive_of("shop", 3)).status_code == 201
    assert (one.units(), three.units()) == (3, 3)
    events = [event for event in one.get("/api/v1/audit") if event["event"] == "front_end.removed"]
    assert len(events) == 1

    three.stop()
    assert front_ends(one).keys() == {one.address}
    assert one.cli("admin", "doctor", *one.place).status in {0, 1}  # the module's files are another server's


def answers_by_what_it_knows(server: ServerProcess) -> None:
    assert server.status()["state"] == "active"
    assert server.get("/api/v1/operations/run")["allowed"]
    assert server.api("GET", "/api/v1/features").status_code == 200
    assert server.api("GET", "/healthz").status_code == 200
    assert server.api("GET", "/readyz").status_code == 503


def is_unavailable(server: ServerProcess) -> bool:
    answer = server.publish(archive_of("shop", 3))
    assert (answer.status_code, as_problem(answer)["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    return True


@pytest.mark.parametrize("failure", ["cut", "stall"])
def test_a_server_that_loses_the_database_counts_nothing_answers_switches_and_recovers(
    farm: MakeServer, vendor: VendorDirectory, failure: str
) -> None:
    with CuttableProxy(shared_server().port) as network:
        one, two = farm(), farm(network=network)
        one.installed(the_license(one, vendor))
        wait_for(lambda: two.status()["front_end"]["registered"])
        getattr(network, failure)()
        for ask in (is_unavailable, answers_by_what_it_knows, is_unavailable):
            began = time.monotonic()
            ask(two)
            assert time.monotonic() - began < 15
        assert as_problem(two.api("GET", "/api/v1/license", token="plt_unknown"))["code"] == "database_unavailable"
        assert one.publish(archive_of("stock", 2)).status_code == 201
        network.mend()
        wait_for(lambda: two.api("GET", "/readyz", token=None).status_code == 200, within_seconds=10)
        assert two.publish(archive_of("shop", 3)).status_code == 201
        assert one.units() == 5
        wait_for(lambda: {item["registered"] for item in front_ends(one).values()} == {True}, within_seconds=10)
