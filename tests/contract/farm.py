"""Several servers, each with a directory of its own, on one database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from contract.driver import ServerProcess, VendorDirectory
from store_support.cuttable_proxy import CuttableProxy
from store_support.postgres import shared_server

MakeServer = Callable[..., ServerProcess]


@contextmanager
def new_farm(kind: str, vendor: VendorDirectory, place: Path) -> Iterator[MakeServer]:
    """Starts servers on one database of a kind; through a network, where one is given. They end with the farm."""
    name = "" if kind == "sqlite" else shared_server().new_database()
    with ExitStack() as started:
        servers: list[ServerProcess] = []

        def start(*options: object, network: CuttableProxy | None = None) -> ServerProcess:
            port = None if network is None else network.port
            url = f"sqlite:///{place}/shared.sqlite3" if kind == "sqlite" else shared_server().url(name, port=port)
            data, token = place / f"server-{len(servers)}", servers[0].token if servers else None
            server = ServerProcess(data, vendor.trust, "--beat", "1s", *options, token=token, database_url=url)
            servers.append(started.enter_context(server))
            return server

        yield start
