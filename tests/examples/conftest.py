"""The example modules, served for real: uvicorn in a process of its own, under a prefix, as Placet serves them."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT = 30.0


@contextmanager
def serve(name: str, *, database: Path | None = None, log: Path) -> Iterator[httpx2.Client]:
    """Serve an example under `/apps/<name>`. uvicorn puts that prefix in front of the paths the client asks for.

    The socket listens before the server starts: early requests wait in its queue, nobody polls. Should the
    server die, the socket dies with it and the client is refused.
    """
    environment = os.environ | {"PLACET_MODULE": name, "PYTHONDONTWRITEBYTECODE": "1"}
    if database:
        environment["PLACET_MODULE_DATABASE"] = str(database)
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        port = listener.getsockname()[1]
        options = ["--app-dir", str(EXAMPLES / name), "--root-path", f"/apps/{name}", "--fd", str(listener.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", f"{name}.app:app", *options],
            pass_fds=[listener.fileno()],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with serve("hello", log=tmp_path_factory.mktemp("hello") / "log") as client:
        yield client


@pytest.fixture(scope="module")
def orders_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def orders_server(orders_directory: Path) -> Iterator[httpx2.Client]:
    path = orders_directory / "orders.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((EXAMPLES / "orders/schema.sql").read_text("utf-8"))
    with serve("orders", database=path, log=orders_directory / "log") as client:
        yield client


@pytest.fixture
def database(orders_server: httpx2.Client, orders_directory: Path) -> Iterator[sqlite3.Connection]:
    """The served database, with the rows of `schema.sql` again; what a test changes in it is committed at once."""
    with (
        closing(sqlite3.connect(":memory:")) as fresh,
        closing(sqlite3.connect(orders_directory / "orders.db", isolation_level=None)) as served,
    ):
        fresh.executescript((EXAMPLES / "orders/schema.sql").read_text("utf-8"))
        fresh.backup(served)
        served.execute("PRAGMA foreign_keys = ON")
        yield served


@pytest.fixture
def orders(orders_server: httpx2.Client, database: sqlite3.Connection) -> httpx2.Client:
    return orders_server
