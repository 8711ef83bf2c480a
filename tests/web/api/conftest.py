"""The vendor and the servers of the contract tests, for what is special to HTTP; and people who call a server."""

from collections.abc import Iterator

import httpx2
import pytest

from console_server import ConsoleServer
from contract.conftest import installation, new_server, server, vendor
from placet.store.credentials import Role
from store_support.fixtures import database_url, database_urls

__all__ = ["database_url", "database_urls", "installation", "new_server", "server", "vendor"]


@pytest.fixture
def ann(server: ConsoleServer) -> Iterator[httpx2.Client]:
    """A developer."""
    with server.caller("ann") as client:
        yield client


@pytest.fixture
def bob(server: ConsoleServer) -> Iterator[httpx2.Client]:
    """Another developer."""
    with server.caller("bob") as client:
        yield client


@pytest.fixture
def root(server: ConsoleServer) -> Iterator[httpx2.Client]:
    """An administrator."""
    with server.caller("root", Role.ADMINISTRATOR) as client:
        yield client
