"""A server that is killed in the middle of publishes, and what has to be there after each next start."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from contract.archives import files_of, zipped
from contract.driver import ServerProcess, wait_for
from contract.remains import append, leftovers, processes_of, rows_of, tables_of, versions_of

UNITS = 5  # one operation, two screens, two tables
MOMENTS = 8

Moment = Callable[[], object]


def version(name: str, number: int) -> bytes:
    schema = f"CREATE TABLE prices (cents INTEGER); CREATE TABLE only_in_{number} (id INTEGER PRIMARY KEY);"
    return zipped(files_of(name, UNITS - 2, version=f"{number}.0.0", **{"schema.sql": schema}))


class Killed:
    """Kills a server during publishes of a module, and knows what has to be there afterwards."""

    def __init__(self, server: ServerProcess, name: str = "shop") -> None:
        self.server = server
        self.name = name
        self.number = 0
        self.active: int | None = None
        self.tables: set[str] = set()
        self.rows: list[int] = []
        self.deleted = 0

    def publish(self) -> float:
        """Publish the next version undisturbed and answer how many seconds it took."""
        self.number += 1
        began = time.monotonic()
        assert self.server.publish(version(self.name, self.number)).status_code == 201
        took = time.monotonic() - began
        self._examine(answered=True)
        return took

    def publish_and_kill(self, moment: Moment) -> None:
        """Publish the next version, kill the server once ``moment`` returns, start it again and examine it."""
        self.number += 1
        answers: list[int] = []
        archive = version(self.name, self.number)
        thread = threading.Thread(target=self._publish, args=(archive, answers), daemon=True)
        thread.start()
        moment()
        self.server.kill9()
        thread.join()
        wait_for(lambda: not processes_of(self.server.data))
        self.server.start()
        self._examine(answered=answers == [201])

    def delete(self) -> None:
        """Delete the module, if it is published: the next publish is a first one again."""
        if self.active is not None:
            assert self.server.api("DELETE", f"/api/v1/modules/{self.name}").status_code == 200
            self.active, self.tables, self.rows, self.deleted = None, set(), [], self.deleted + 1

    def _publish(self, archive: bytes, answers: list[int]) -> None:
        try:
            answers.append(self.server.publish(archive).status_code)
        except (httpx2.HTTPError, RuntimeError):  # the server was killed, and its client closed
            return

    def _examine(self, *, answered: bool) -> None:
        server, name = self.server, self.name
        modules = server.get("/api/v1/modules")
        if [item["version"] for item in modules] == [f"{self.number}.0.0"]:
            self.active = self.number
            self.tables |= {"prices", f"only_in_{self.number}"}
        assert not answered or self.active == self.number
        expected = [] if self.active is None else [(name, f"{self.active}.0.0", UNITS)]
        assert [(item["name"], item["version"], item["units"]) for item in modules] == expected
        assert server.units() == UNITS * len(expected)
        assert leftovers(server.data) == []
        assert len(list((server.data / "deleted").iterdir())) == self.deleted
        assert tables_of(server.data, name) == self.tables
        if self.active is None:
            assert versions_of(server.data) == {}
            assert list((server.data / "databases").iterdir()) == []
        else:
            assert rows_of(server.data, name, "prices") == self.rows
            append(server.data, name, "prices", self.number)
            self.rows.append(self.number)
            assert wait_for(lambda: server.api("GET", f"/apps/{name}/").text == f"{self.active}.0.0")
        done = server.cli("admin", "doctor", *server.place)
        assert done.status == 0, done.out


def until(path: Path, pattern: str, *, more_than: int = 0) -> Moment:
    """Wait until there are more files than so many, as closely as one can from outside."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while len(list(path.glob(pattern))) <= more_than:
            assert time.monotonic() < deadline, f"nothing at {path}/{pattern}"

    return wait


def spread_over(seconds: float) -> list[Moment]:
    """Moments from the very beginning of a publish to just after its end."""
    clock = threading.Event()
    return [lambda part=part: clock.wait(seconds * part / (MOMENTS - 1)) for part in range(MOMENTS)]  # type: ignore[misc]
