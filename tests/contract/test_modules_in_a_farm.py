"""Scenario: modules on several servers of one database. What one publishes all serve; nothing is half done."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from contract.archives import APP, archive_of, directory_of, files_of, zipped
from contract.driver import EVERYTHING, ServerProcess, VendorDirectory, wait_for
from contract.farm import MakeServer, new_farm
from contract.surfaces import as_problem
from contract.traffic import Traffic
from placet.cli.events import events_of
from placet.platform.steps import StepName

pytestmark = pytest.mark.server


@pytest.fixture
def farm(request: pytest.FixtureRequest, vendor: VendorDirectory, tmp_path: Path) -> Iterator[MakeServer]:
    """Starts servers on one database, which are licensed, and hold a place when they are there."""
    with new_farm(getattr(request, "param", "postgresql"), vendor, tmp_path) as new_server:

        def start(*options: object) -> ServerProcess:
            server = new_server(*options)
            if server.status()["license"] is None:
                server.installed(vendor.issue(*EVERYTHING, "--limit", "front_end_servers=3", serial=server.serial))
            wait_for(lambda: server.status()["front_end"]["registered"])
            return server

        yield start


def version_at(server: ServerProcess, name: str = "shop") -> str:
    """Which version a server serves, or the status it answers with."""
    answer = server.api("GET", f"/apps/{name}/version", token=None)
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def versioned(number: int, **files: str) -> bytes:
    return zipped(files_of("shop", 1, version=f"{number}.0.0", **files))


@pytest.mark.parametrize("farm", ["sqlite", "postgresql"], indirect=True)
def test_a_publish_is_complete_when_all_living_servers_serve_it(farm: MakeServer) -> None:
    one, two = farm(), farm()
    for number, by, other in ((1, one, two), (2, two, one)):
        done = by.publish(versioned(number))
        assert done.status_code == 201
        assert [(item["state"], item["address"]) for item in done.json()["front_ends"]] == [("serving", other.address)]
        assert (version_at(one), version_at(two)) == (f"{number}.0.0", f"{number}.0.0")
    three = farm()
    assert three.api("GET", "/readyz", token=None).status_code in {200, 503}
    wait_for(lambda: version_at(three) == "2.0.0")
    assert one.units() == 1
    for server in (one, two, three):
        assert server.cli("admin", "doctor", *server.place).status == 0
    assert one.cli("module", "delete", "shop").status == 0
    for server in (two, three):
        wait_for(lambda server=server: version_at(server) == "404")  # type: ignore[misc]
    assert one.units() == 0


def test_a_rollback_reaches_all_servers_and_asks_like_a_publish(farm: MakeServer) -> None:
    one, two = farm("--keep-versions", "2"), farm()
    for number in range(1, 5):
        assert one.publish(versioned(number)).status_code == 201
    kept = two.get("/api/v1/modules/shop/versions")
    assert [(item["version"], item["active"]) for item in kept] == [("4.0.0", True), ("3.0.0", False), ("2.0.0", False)]
    rehearsed = json.loads(two.cli("module", "rollback", "shop", "--dry-run", "--json").out)
    assert (rehearsed["version"], rehearsed["version_before"], rehearsed["dry_run"]) == ("3.0.0", "4.0.0", True)
    assert version_at(one) == "4.0.0"
    told = two.cli("module", "rollback", "shop")
    assert told.out.startswith("Rolled back to shop 3.0.0: 1 Software Unit (1 before).")
    assert "Serving it as well: 1 of 1 other server of the farm." in told.out
    assert (version_at(one), version_at(two)) == ("3.0.0", "3.0.0")
    assert two.cli("module", "rollback", "shop", kept[2]["id"]).status == 0
    assert (version_at(one), version_at(two)) == ("2.0.0", "2.0.0")
    unknown = as_problem(one.api("POST", "/api/v1/modules/shop/rollback", json={"version": "1.0.0"}))
    assert (unknown["status"], unknown["code"]) == (404, "unknown_version")
    assert unknown["detail"].endswith("There are: 4.0.0, 3.0.0, 2.0.0.")
    events = [event["event"] for event in one.get("/api/v1/audit") if event["subject"] == "shop"]
    assert events.count("module.rolled_back") == 2
    two.restart()
    wait_for(lambda: version_at(two) == "2.0.0")


def test_the_second_publisher_is_told_who_publishes_what_and_since_when_on_any_server(
    farm: MakeServer, tmp_path: Path
) -> None:
    one, two = farm(), farm()
    started, go = tmp_path / "started", tmp_path / "go"
    waits = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\n"
    waits += f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\nasync def app(*_): ...\n"
    publishing = Thread(target=cut_off, args=(one, versioned(1, **{"shop/app.py": waits})))
    publishing.start()
    wait_for(started.exists)
    busy = as_problem(two.publish(versioned(2)))
    assert (busy["status"], busy["code"]) == (409, "module_busy")
    assert " has been publishing version 1.0.0 of 'shop' since " in busy["detail"]
    assert [(item["module"], item["version"]) for item in two.get("/api/v1/publishes")] == [("shop", "1.0.0")]
    one.kill9()
    publishing.join()
    wait_for(lambda: two.publish(versioned(2)).status_code == 201, within_seconds=15)
    go.touch()
    one.start()
    wait_for(lambda: version_at(one) == "2.0.0")
    assert one.cli("admin", "doctor", *one.place).status == 0


def test_a_server_that_cannot_bring_a_version_up_goes_on_with_the_one_before(farm: MakeServer, tmp_path: Path) -> None:
    one, two = farm(), farm()
    assert one.publish(versioned(1)).status_code == 201
    marker = tmp_path / "only-once"
    picky = "import os, pathlib\nif 'PLACET_MODULE_DATABASE' in os.environ:\n"
    picky += f"    pathlib.Path({str(marker)!r}).touch(exist_ok=False)\n{APP.format(answer='2.0.0')}"
    files = files_of("shop", 1, version="2.0.0", **{"shop/app.py": picky})
    done = one.cli("module", "publish", directory_of(tmp_path / "shop", files))
    assert done.status == 0, done.err
    assert "Serving it as well: 0 of 1 other server" in done.out
    assert f"({two.address}) goes on with the version before: " in done.err
    assert (version_at(one), version_at(two)) == ("2.0.0", "1.0.0")
    marker.unlink()
    wait_for(lambda: version_at(two) == "2.0.0")


def cut_off(server: ServerProcess, archive: bytes) -> None:
    with pytest.raises(httpx2.HTTPError):
        server.publish(archive)


def events(server: ServerProcess, archive: bytes, path: str = "/api/v1/modules") -> list[tuple[str, dict[str, Any]]]:
    answer = server.api("POST", path, content=archive, headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    return [(event, json.loads(data)) for event, data in events_of(answer.text.splitlines())]


def test_each_step_is_told_as_it_happens_and_where_it_stopped(farm: MakeServer) -> None:
    server = farm()
    told = events(server, versioned(1))
    steps = [str(step) for step in StepName]
    assert [(item["step"], item["state"]) for event, item in told if event == "step"] == [
        (step, state) for step in steps for state in ("started", "done")
    ]
    assert (told[-1][0], told[-1][1]["version"]) == ("done", "1.0.0")
    elapsed = [item["elapsed"] for event, item in told if event == "step"]
    assert elapsed == sorted(elapsed)
    broken = events(server, versioned(2, **{"shop/app.py": "import os\n\nraise OSError('no')\n"}))
    assert (broken[-2][1]["step"], broken[-2][1]["state"]) == ("inspect", "failed")
    assert broken[-1][0] == "problem"
    assert [broken[-1][1][key] for key in ("status", "step", "file", "line")] == [422, "inspect", "shop/app.py", 3]
    assert version_at(server) == "1.0.0"
    refused = server.cli("module", "publish", "/dev/null")
    assert refused.status == 3


def test_who_goes_away_does_not_stop_a_publish(farm: MakeServer) -> None:
    server = farm()
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {server.token}"}
    with server.client.stream("POST", "/api/v1/modules", content=versioned(1), headers=headers) as answer:
        assert next(events_of(answer.iter_lines()))[0] == "step"
    wait_for(lambda: [item["name"] for item in server.get("/api/v1/modules")] == ["shop"])


def test_the_units_are_explained_before_and_after(farm: MakeServer) -> None:
    server = farm()
    server.publish(archive_of("shop", 3))
    explained = server.get("/api/v1/modules/shop/units")
    assert explained["units"] == sum(item["weight"] for item in explained["elements"]) == 3
    assert all(item["why"] for item in explained["elements"])
    assert "Why it counts".upper() in server.cli("module", "units", "shop").out
    rehearsed = server.publish(archive_of("shop", 5), dry_run=True).json()
    assert (rehearsed["units_before"], rehearsed["units"]) == (3, 5)
    assert (len(rehearsed["elements_before"]), len(rehearsed["elements"])) == (3, 5)
    assert server.units() == 3


def test_no_request_fails_while_versions_come_and_go(farm: MakeServer) -> None:
    one, two = farm(), farm()
    assert one.publish(versioned(1)).status_code == 201
    wait_for(lambda: version_at(two) == "1.0.0")
    addresses = [f"{server.address}/apps/shop/" for server in (one, one, two, two)]
    with ExitStack() as users:
        traffic = [users.enter_context(Traffic(address)) for address in addresses]
        for number in range(2, 5):
            assert two.publish(versioned(number)).status_code == 201
        assert one.cli("module", "rollback", "shop", "2.0.0").status == 0
    assert [user.answers.keys() for user in traffic] == [{200}] * 4
    assert (version_at(one), version_at(two)) == ("2.0.0", "2.0.0")


SLOW = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await asyncio.sleep(float(scope["query_string"] or b"0"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"slow"})
"""


def test_a_request_under_way_is_answered_by_the_version_it_began_with(farm: MakeServer) -> None:
    server = farm()
    assert server.publish(versioned(1, **{"shop/app.py": SLOW})).status_code == 201
    answers: list[str] = []
    asking = Thread(target=lambda: answers.append(server.api("GET", "/apps/shop/?12", token=None).text))
    asking.start()
    assert server.publish(versioned(2)).status_code == 201
    assert version_at(server) == "2.0.0"
    asking.join()
    assert answers == ["slow"]
