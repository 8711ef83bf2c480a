"""What these tests stand on: servers that stop, crash and start again, and a network that fails when it is told to."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from store_support.children import Child, children
from store_support.cuttable_proxy import CuttableProxy
from store_support.keeper import processes
from store_support.postgres import PostgresServer, lent_database, shared_server

HOLDS_A_SERVER = """
import sys
from store_support.postgres import PostgresServer
server = PostgresServer()
server.start()
print("ready", flush=True)
sys.stdin.readline()
print(server.directory, flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as started:
        yield started


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.url(server.new_database())


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_it_is_postgresql_18_and_commits_are_on_disk(url: str) -> None:
    assert str(ask(url, "SHOW server_version")).startswith("18")
    assert [ask(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_the_role_of_placet_has_no_privileges(url: str) -> None:
    for privilege in ("rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls"):
        assert ask(url, f"SELECT {privilege} FROM pg_roles WHERE rolname = current_user") is False  # noqa: S608
    assert ask(url, "SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql'") == 0


@pytest.mark.parametrize("way", ["stop", "stop_immediately", "kill"])
def test_it_ends_and_starts_again_with_what_was_committed(server: PostgresServer, url: str, way: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    getattr(server, way)()
    assert processes(server.directory) == []
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.start()
    assert ask(url, "SELECT number FROM kept") == 7


def test_a_database_that_was_lent_is_empty_again_for_the_next() -> None:
    with lent_database() as first, psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE somebodys (number INTEGER)")
    with lent_database() as second, lent_database() as third:
        assert second == first != third
        assert ask(second, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        with psycopg.connect(second) as connection:
            connection.execute("CREATE TABLE mine (number INTEGER)")


def test_the_server_that_is_shared_is_one() -> None:
    assert shared_server() is shared_server()


def told_directory(child: Child) -> Path:
    child.go()
    return Path(str(child._pipes[1].readline()).strip())


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_a_server_does_not_outlive_the_tests_however_they_end(how: str) -> None:
    with children(1, HOLDS_A_SERVER) as (child,):
        directory = told_directory(child)
        assert processes(directory)
        if how == "killed":
            child.kill()
        else:
            child.go()
            child.answer()
    deadline = time.monotonic() + 20
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not directory.exists()
    assert processes(directory) == []


def test_the_keeper_is_a_program_without_the_tests(tmp_path: Path) -> None:
    (tmp_path / "server" / "data").mkdir(parents=True)
    program = Path(__file__).parent.parent / "store_support" / "keeper.py"
    subprocess.run([sys.executable, "-I", "-S", program, tmp_path / "server"], input=b"", check=True, timeout=30)
    assert not (tmp_path / "server").exists()


def test_a_network_that_is_cut_and_mended(server: PostgresServer) -> None:
    name = server.new_database()
    with CuttableProxy(server.port) as network:
        url = server.url(name, port=network.port)
        connection = psycopg.connect(url)
        network.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(url)
        network.mend()
        assert ask(url, "SELECT 7") == 7


def test_a_network_that_stalls_and_goes_on(server: PostgresServer) -> None:
    name = server.new_database()
    with CuttableProxy(server.port) as network:
        url = server.url(name, port=network.port)
        with psycopg.connect(url) as connection:
            network.stall()
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                psycopg.connect(url, connect_timeout=2)
            network.mend()
            assert connection.execute("SELECT 7").fetchone() == (7,)
