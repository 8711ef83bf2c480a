"""Guards with a license, and where their databases are."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from placet import Guard
from placet.enforcement import Limit, Metered, Operation, Product, Switch
from placet.license import FORMAT_VERSION, Grant, SigningKey, Terms, issue
from placet.license.terms import Period

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from store_support.postgres import PostgresServer

PRODUCT = Product(
    "bench",
    features=(Switch("run", "Run"), Limit("units", "Units"), Metered("calls", "Calls")),
    operations=(Operation("run", requires="run"), Operation("publish", consumes=("units",))),
)
LIMIT = 10**12


class Place(NamedTuple):
    """Where databases are made. ``postgres`` is a running server, its commits on the disk like SQLite's.

    ``small``: with little in them, to see that it works at all.
    """

    directory: Path
    postgres: PostgresServer
    small: bool = False

    def sqlite(self, name: str) -> str:
        """The URL of a SQLite database."""
        return f"sqlite:///{self.directory}/{name}.sqlite3"

    def postgresql(self) -> str:
        """The URL of an empty PostgreSQL database."""
        return self.postgres.url(self.postgres.new_database())


@contextmanager
def a_place(directory: Path) -> Iterator[Place]:
    """A place in a directory, with a PostgreSQL server as its administrator would start it."""
    with PostgresServer(shared_buffers="256MB", max_wal_size="4GB") as server:
        yield Place(directory, server)


def a_guard(url: str, stack: ExitStack) -> Guard:
    """A guard with a license that limits nothing here; closed with ``stack``."""
    key = SigningKey.generate()
    guard = Guard.open(url, PRODUCT, trust_store(key))
    stack.callback(guard.close)
    guard.install(issue(terms(guard.status().serial_number), [key]))
    return guard


def trust_store(key: SigningKey) -> bytes:
    """A trust store of one key."""
    return json.dumps({"keys": [key.public_jwk()]}).encode()


def terms(serial_number: str) -> Terms:
    """The terms of a license for one server, for years."""
    now = int(time.time())
    return Terms(
        iss="Bench",
        sub=serial_number,
        serial_number=serial_number,
        jti="bench",
        iat=now,
        exp=now + 10**8,
        version=FORMAT_VERSION,
        sequence=1,
        customer="Bench",
        features={
            "run": Grant(kind="switch"),
            "units": Grant(kind="limit", limit=LIMIT),
            "calls": Grant(kind="metered", limit=LIMIT, period=Period.TERM),
        },
    )
