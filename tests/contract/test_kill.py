"""Scenario: the server is killed in the middle of a publish. After the next start nothing is half done."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from contract.archives import files_of, zipped
from contract.conftest import MakeServer
from contract.driver import ServerProcess, VendorDirectory, wait_for
from contract.remains import leftovers, processes_of, tables_of, versions_of

pytestmark = pytest.mark.server

UNITS = 5  # one operation, two screens, two tables


def version(number: int) -> bytes:
    schema = f"CREATE TABLE prices (id INTEGER PRIMARY KEY); CREATE TABLE only_in_{number} (id INTEGER PRIMARY KEY);"
    return zipped(files_of("shop", UNITS - 2, version=f"{number}.0.0", **{"schema.sql": schema}))


class Killed:
    """Kills a server during publishes, and knows what has to be there afterwards."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.number = 0
        self.tables: set[str] = set()
        self.active: int | None = None

    def publish_and_kill(self, moment: Callable[[], object]) -> None:
        """Publish the next version, kill the server once ``moment`` returns, start it again and examine it."""
        self.number += 1
        answers: list[int] = []
        thread = threading.Thread(target=self._publish, args=(version(self.number), answers), daemon=True)
        thread.start()
        moment()
        self.server.kill9()
        thread.join()
        wait_for(lambda: not processes_of(self.server.data))
        self.server.start()
        self._examine(answered=answers == [201])

    def _publish(self, archive: bytes, answers: list[int]) -> None:
        try:
            answers.append(self.server.publish(archive).status_code)
        except (httpx2.HTTPError, RuntimeError):  # the server was killed, and its client closed
            return

    def _examine(self, *, answered: bool) -> None:
        server = self.server
        modules = server.get("/api/v1/modules")
        if [item["version"] for item in modules] == [f"{self.number}.0.0"]:
            self.active = self.number
            self.tables |= {"prices", f"only_in_{self.number}"}
        assert not answered or self.active == self.number
        expected = [] if self.active is None else [("shop", f"{self.active}.0.0", UNITS)]
        assert [(item["name"], item["version"], item["units"]) for item in modules] == expected
        assert server.units() == (0 if self.active is None else UNITS)
        assert tables_of(server.data, "shop") == self.tables
        assert leftovers(server.data) == []
        assert versions_of(server.data) == ({} if self.active is None else {"shop": 1})
        assert list((server.data / "deleted").iterdir()) == []
        if self.active is not None:
            wait_for(lambda: server.api("GET", "/apps/shop/").is_success)
            assert server.api("GET", "/apps/shop/").text == f"{self.active}.0.0"
        done = server.cli("admin", "doctor", "--data", server.data)
        assert done.status == 0, done.out


@pytest.fixture
def killed(new_server: MakeServer, vendor: VendorDirectory) -> Killed:
    server = new_server()
    server.installed(vendor.issue(serial=server.serial))
    return Killed(server)


def until(path: Path, pattern: str, *, more_than: int = 0) -> Callable[[], object]:
    """Wait until there are more files than so many, as closely as one can from outside."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while len(list(path.glob(pattern))) <= more_than:
            assert time.monotonic() < deadline, f"nothing at {path}/{pattern}"

    return wait


def test_killed_at_each_step_of_a_first_publish(killed: Killed) -> None:
    data = killed.server.data
    for moment in (
        until(data / "staging", "*"),
        until(data / "staging", "*/module/module.toml"),
        until(data / "journals", "*"),
        until(data / "databases", "shop.sqlite3"),
    ):
        killed.publish_and_kill(moment)


def test_killed_at_any_time_of_a_later_publish(killed: Killed) -> None:
    began = time.monotonic()
    assert killed.server.publish(version(0)).status_code == 201
    took = time.monotonic() - began
    killed.active, killed.tables = 0, {"prices", "only_in_0"}
    for eighth in range(1, 9):
        end = threading.Event()
        killed.publish_and_kill(lambda seconds=took * eighth / 8, end=end: end.wait(seconds))  # type: ignore[misc]
    killed.publish_and_kill(until(killed.server.data / "versions" / "shop", "*", more_than=1))


def test_private_instances_end_with_the_server(killed: Killed) -> None:
    server = killed.server
    for path in ("runs", "debug-sessions"):
        assert server.api("POST", f"/api/v1/{path}", content=version(1)).status_code == 201
    server.kill9()
    wait_for(lambda: not processes_of(server.data))
    server.start()
    assert (server.get("/api/v1/runs"), server.get("/api/v1/debug-sessions")) == ([], [])
    assert leftovers(server.data) == []


def test_stopping_politely_leaves_nothing_either(killed: Killed) -> None:
    server = killed.server
    assert server.publish(version(1)).status_code == 201
    assert server.api("POST", "/api/v1/debug-sessions", content=version(1)).status_code == 201
    server.stop()
    assert processes_of(server.data) == []
    server.start()
    wait_for(lambda: server.api("GET", "/apps/shop/").text == "1.0.0")
    assert leftovers(server.data) == []
