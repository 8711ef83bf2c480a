"""Drives Placet from outside, as scripts do: its command line and its HTTP API, in real processes.

Nothing here imports the product: what these tests say holds for whatever speaks the same contract.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import httpx2
import pytest

PLACET = Path(sys.executable).with_name("placet")
START_SECONDS = 60.0
END_SECONDS = 30.0
EVERYTHING = (
    *("--feature", "run", "--feature", "debugger", "--feature", "test_query"),
    *("--limit", "software_units=100", "--limit", "users=10"),
)

T = TypeVar("T")

on_each_database = pytest.mark.parametrize("installation", ["sqlite", "postgresql"], indirect=True, scope="module")
"""Marks the tests of a module to be run on both."""


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The first line of standard error, where a refusal stands alone."""
        return self.err.split("\n", 1)[0]

    def json(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}
    return kept | {"LC_ALL": "C.UTF-8"} | more


def placet(*arguments: object, given: bytes = b"", **variables: str) -> Done:
    """Run a command to its end; nobody ever sees a traceback."""
    done = subprocess.run(
        [PLACET, *map(str, arguments)],
        env=environment(PYTHONWARNINGS="error", **variables),
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
    )
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode()
    assert "\nTraceback" not in f"\n{out}\n{err}", out + err  # of ours: a module's own is quoted, indented
    assert done.returncode in range(4), err
    return Done(done.returncode, out, err)


def succeed(*arguments: object) -> str:
    """Run a command that has to succeed and answer what it prints."""
    done = placet(*arguments)
    assert done.status == 0, done.err
    return done.out


def wait_for(question: Callable[[], T], *, within_seconds: float = 30.0) -> T:
    """Ask until the answer is true, and give it; fails with the last answer once the time is over."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {within_seconds} seconds"
        time.sleep(0.02)


class VendorDirectory:
    """A vendor: ``placet vendor init``, then licenses and revocations."""

    def __init__(self, path: Path, name: str = "Acme Software") -> None:
        succeed("vendor", "init", path, "--name", name)
        self.path = path
        self.trust = path / "trust.jwks.json"

    def issue(self, *options: object, serial: str | None = None, customer: str = "Example Industries") -> bytes:
        """Issue a license; where the options do not say otherwise, it grants everything until the end of 2099."""
        server = [] if serial is None else ["--serial", serial]
        until = [] if {"--expires", "--evaluation"} & set(options) else ["--expires", "2099-12-31"]
        granted = [] if {"--feature", "--limit"} & set(options) else EVERYTHING
        given = [*server, "--customer", customer, *until, *granted, *options]
        return succeed("vendor", "issue", self.path, *given).encode()

    def revoke(self, jti: str, reason: str = "Not paid for.") -> bytes:
        """Revoke a license and answer the status list."""
        succeed("vendor", "revoke", self.path, jti, "--reason", reason)
        return (self.path / "status-list.json").read_bytes()


class ServerProcess:
    """``placet serve`` on a data directory and a free port. ``token`` is an administrator's.

    ``place`` is what a command is told to find the installation: the data directory, and the database's URL.
    """

    def __init__(
        self, data: Path, trust: Path, *options: object, token: str | None = None, database_url: str | None = None
    ) -> None:
        self.data = data
        self.place = ("--data", data, *(() if database_url is None else ("--database", database_url)))
        self.token = token or self.new_token("root", role="administrator")
        self.log = data.with_name(f"{data.name}.log")
        self._command = [PLACET, "serve", *self.place, "--trust", trust, "--port", "0", *options]
        try:
            self.start()
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The process

    def start(self, *more: object) -> None:
        """Start it, and wait until it says its address."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*map(str, [*self._command, *more])],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.address = self._announced().removeprefix("Placet serves at ").strip()
        self.client = httpx2.Client(base_url=self.address, timeout=60, trust_env=False)

    def stop(self) -> int | None:
        """Stop it as ``systemctl stop`` does and answer its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self._ended()

    def kill9(self) -> None:
        """Kill it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _ended(self) -> int:
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.client.close()
        log = self.log.read_text()
        assert "Traceback" not in log, log
        return status

    def _announced(self) -> str:
        assert self.process.stdout is not None
        said, deadline = b"", time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in said:
                assert selector.select(max(0.0, deadline - time.monotonic())), "it has not said its address"
                chunk = os.read(self.process.stdout.fileno(), 4096)
                assert chunk, f"the server ended: {self.log.read_text()}"
                said += chunk
        return said.decode().split("\n", 1)[0]

    # What is asked of it

    def new_token(self, name: str, role: str = "developer") -> str:
        return succeed("admin", "token", *self.place, "--role", role, "--name", name).strip()

    def api(self, method: str, path: str, *, token: str | None = "", **options: Any) -> httpx2.Response:
        """Call the API; with ``token`` ``None`` as nobody, without it as the administrator."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str) -> Any:
        """Answer the JSON of something that has to be there."""
        answer = self.api("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def cli(self, *arguments: object, token: str | None = None, given: bytes = b"") -> Done:
        """Run a client command against this server."""
        return placet(*arguments, given=given, PLACET_SERVER=self.address, PLACET_TOKEN=token or self.token)

    def install(self, license_file: bytes, **flags: bool) -> httpx2.Response:
        return self.api("PUT", "/api/v1/license", content=license_file, params=flags)

    def installed(self, license_file: bytes, **flags: bool) -> dict[str, Any]:
        """Install a license that has to be accepted."""
        answer = self.install(license_file, **flags)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = self.get("/api/v1/license")
        return document

    @property
    def serial(self) -> str:
        return str(self.status()["serial_number"])

    def publish(self, archive: bytes, **flags: bool) -> httpx2.Response:
        return self.api("POST", "/api/v1/modules", content=archive, params=flags)

    def units(self) -> int:
        """The Software Units in use."""
        return int(self.get("/api/v1/features/software_units/usage")["used"])
