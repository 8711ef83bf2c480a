"""One vendor for all tests of a process; servers of their own for each module, or each test that damages one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contract.driver import ServerProcess, VendorDirectory, succeed
from contract.killed import Killed
from store_support.postgres import shared_server

MakeServer = Callable[..., ServerProcess]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests of a file in one process: they share a server, and tell its story in order."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only where xdist is in use

    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> VendorDirectory:
    return VendorDirectory(tmp_path_factory.mktemp("vendor") / "acme")


class Installation(NamedTuple):
    """A new installation: its data directory, its administrator's token, and on PostgreSQL its database's name."""

    data: Path
    token: str
    database: str | None

    def copied(self, to: Path) -> dict[str, Any]:
        """Copy it, and answer what a server is told of the copy."""
        shutil.copytree(self.data, to)
        if self.database is None:
            return {"data": to, "token": self.token}
        server = shared_server()
        return {"data": to, "token": self.token, "database_url": server.url(server.new_database(self.database))}


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A new installation, copied for each server, which saves each the set-up; on SQLite unless a module says more."""
    data = tmp_path_factory.mktemp("installation") / "data"
    database, place = None, ["--data", data]
    if getattr(request, "param", "sqlite") == "postgresql":
        database = shared_server().new_database()
        place += ["--database", shared_server().url(database)]
    token = succeed("admin", "token", *place, "--role", "administrator", "--name", "root").strip()
    return Installation(data, token, database)


@pytest.fixture(scope="module")
def new_server(
    vendor: VendorDirectory, installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Make servers without a license; all are stopped at the end of the module."""
    started: list[ServerProcess] = []

    def make(*options: object) -> ServerProcess:
        copy = installation.copied(tmp_path_factory.mktemp("server") / "data")
        started.append(ServerProcess(copy.pop("data"), vendor.trust, *options, **copy))
        return started[-1]

    yield make
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def server(new_server: MakeServer) -> ServerProcess:
    """A server that the tests of a module share."""
    return new_server()


@pytest.fixture
def killed(new_server: MakeServer, vendor: VendorDirectory) -> Killed:
    """A server with a license, to be killed."""
    server = new_server()
    server.installed(vendor.issue(serial=server.serial))
    return Killed(server)
