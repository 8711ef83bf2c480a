"""One vendor for all tests of a process; servers of their own for each module, or each test that damages one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.driver import ServerProcess, VendorDirectory, succeed
from contract.killed import Killed

MakeServer = Callable[..., ServerProcess]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests of a file in one process: they share a server, and tell its story in order."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only where xdist is in use

    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> VendorDirectory:
    return VendorDirectory(tmp_path_factory.mktemp("vendor") / "acme")


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A new installation and its administrator's token; copied for each server, which saves each the set-up."""
    data = tmp_path_factory.mktemp("installation") / "data"
    return data, succeed("admin", "token", "--data", data, "--role", "administrator", "--name", "root").strip()


@pytest.fixture(scope="module")
def new_server(
    vendor: VendorDirectory, installation: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Make servers without a license; all are stopped at the end of the module."""
    started: list[ServerProcess] = []
    template, token = installation

    def make(*options: object) -> ServerProcess:
        data = tmp_path_factory.mktemp("server") / "data"
        shutil.copytree(template, data)
        started.append(ServerProcess(data, vendor.trust, *options, token=token))
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
