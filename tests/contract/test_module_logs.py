"""A module's log: its last lines, and following it over a restart, to the module's or the server's end."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract.archives import files_of, zipped
from contract.driver import PLACET, ServerProcess, VendorDirectory, environment, wait_for
from contract.surfaces import as_problem

pytestmark = pytest.mark.server

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "http":
        print("asked for", scope["path"], flush=True)
        if scope["path"].endswith("/end"):
            os._exit(5)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z .*")


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    assert server.publish(zipped(files_of("noisy", 1) | {"noisy/app.py": APP})).status_code == 201


@contextmanager
def followed(server: ServerProcess, name: str = "noisy") -> Iterator[list[str]]:
    """What arrives while the log is followed; the end of it is waited for."""
    seen: list[str] = []
    command = [str(PLACET), "module", "logs", name, "-f", "--lines", "0"]
    tells = environment(PLACET_SERVER=server.address, PLACET_TOKEN=server.token, PYTHONUNBUFFERED="1")
    process = subprocess.Popen(command, env=tells, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    told = process.stdout
    pump = threading.Thread(target=lambda: seen.extend(iter(told.readline, "")))
    pump.start()
    try:
        yield seen
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        pump.join()
        told.close()


def test_the_last_lines(server: ServerProcess) -> None:
    for number in range(5):
        server.client.get(f"/apps/noisy/{number}")
    wait_for(lambda: "noisy/4" in server.api("GET", "/api/v1/modules/noisy/logs").text)
    answer = server.api("GET", "/api/v1/modules/noisy/logs?lines=3")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.rpartition("/")[2] for line in lines] == ["2", "3", "4"]
    assert "[placet] Version 1.0.0 was started as process" in server.api("GET", "/api/v1/modules/noisy/logs").text
    assert server.cli("module", "logs", "noisy", "--lines", 3).out == answer.text
    assert server.token not in server.api("GET", "/api/v1/modules/noisy/logs?lines=10000").text


@pytest.mark.parametrize("query", ["lines=-1", "lines=10001", "lines=x", "follow=maybe"])
def test_what_is_no_number_of_lines_is_refused(server: ServerProcess, query: str) -> None:
    assert server.api("GET", f"/api/v1/modules/noisy/logs?{query}").status_code == 400


def test_a_log_is_for_those_who_are_signed_in_and_of_modules_that_are_published(server: ServerProcess) -> None:
    assert server.api("GET", "/api/v1/modules/noisy/logs", token=None).status_code == 401
    answer = server.api("GET", "/api/v1/modules/nowhere/logs")
    assert (answer.status_code, as_problem(answer)["code"]) == (404, "unknown_module")
    done = server.cli("module", "logs", "nowhere", "-f")
    assert (done.status, done.out) == (1, "")


def test_it_is_followed_over_a_crash_and_ends_with_the_module(server: ServerProcess) -> None:
    assert server.publish(zipped(files_of("brief", 1) | {"brief/app.py": APP})).status_code == 201
    with followed(server, "brief") as seen:
        wait_for(lambda: server.client.get("/apps/brief/x") and any("/brief/x" in line for line in seen))
        server.client.get("/apps/brief/end")
        wait_for(lambda: any("[placet] The process ended with status 5." in line for line in seen))
        wait_for(lambda: any("was started as process" in line for line in seen))
        assert server.api("DELETE", "/api/v1/modules/brief").status_code == 200
    assert all(LINE.fullmatch(line.rstrip("\n")) for line in seen)


def test_it_ends_when_the_server_stops(server: ServerProcess) -> None:
    with followed(server) as seen:
        wait_for(lambda: server.client.get("/apps/noisy/last") and seen)
        server.stop()
