"""One running server for each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from console_server import ConsoleServer, running
from placet.store.credentials import Role


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    with running(tmp_path / "data") as server:
        yield server


@pytest.fixture
def administrator(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client(Role.ADMINISTRATOR) as client:
        yield client


@pytest.fixture
def developer(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client(Role.DEVELOPER, name="dan") as client:
        yield client


@pytest.fixture
def stranger(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client
