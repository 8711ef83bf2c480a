"""Scenario: a developer debugs a module on a server, from the editor, through the server's own door."""

import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from contract.archives import directory_of, files_of, zipped
from contract.driver import PLACET, ServerProcess, VendorDirectory, environment, wait_for
from contract.surfaces import as_problem
from platform_support.dap import DapClient

pytestmark = pytest.mark.server

APP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

SIZE = 6

async def in_loop(request):
    left = 20
    right = left + 2
    return PlainTextResponse(str(left + right))

def in_thread(request):
    left = 30
    right = left + 2
    return PlainTextResponse(str(left + right))

app = Starlette(routes=[Route("/loop", in_loop), Route("/thread", in_thread)])
"""
LINES = {"import": 6, "loop": 10, "thread": 15}


@pytest.fixture(scope="module", autouse=True)
def licensed(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return directory_of(tmp_path / "sums", files_of("sums", 1) | {"sums/app.py": APP})


@contextmanager
def debugging(server: ServerProcess, source: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [PLACET, "module", "debug", source, "--foreground", *options]
    process = subprocess.Popen(
        command,
        env=environment(PLACET_SERVER=server.address, PLACET_TOKEN=server.token, PYTHONWARNINGS="error"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    overdue = threading.Timer(90, process.kill)
    overdue.start()
    try:
        lines: list[str] = []
        assert process.stdout is not None
        while not lines or lines[-1] != "Ctrl-C stops it.\n":
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        yield process
    finally:
        overdue.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def session_of(server: ServerProcess) -> dict[str, Any]:
    (session,) = server.get("/api/v1/debug-sessions")
    found: dict[str, Any] = server.get(f"/api/v1/debug-sessions/{session['id']}")
    return found


@contextmanager
def attached(source: Path, *lines: int) -> Iterator[DapClient]:
    """An editor that does what launch.json says, with breakpoints in the developer's own files."""
    launch = json.loads((source / ".vscode" / "launch.json").read_text().replace("${workspaceFolder}", str(source)))
    (configuration,) = launch["configurations"]
    connect_to = configuration.pop("connect")
    with DapClient(connect_to["host"], connect_to["port"]) as editor:
        editor.attach(**configuration)
        where = {"path": str(source / "sums" / "app.py")}
        placed = editor.request("setBreakpoints", source=where, breakpoints=[{"line": line} for line in lines])
        assert all(item["verified"] for item in placed["breakpoints"])
        editor.configured()
        yield editor


def stopped_at(editor: DapClient, source: Path, line: int) -> tuple[int, dict[str, Any]]:
    thread = editor.event("stopped")["threadId"]
    frame = editor.request("stackTrace", threadId=thread)["stackFrames"][0]
    assert (frame["line"], frame["source"]["path"]) == (line, str(source / "sums" / "app.py"))
    return thread, frame


def test_in_a_terminal_it_stays_and_elsewhere_it_does_not(server: ServerProcess, source: Path) -> None:
    detached = server.cli("module", "debug", source)
    assert detached.status == 0
    assert "on the server (Debug Adapter Protocol)" in detached.out
    assert server.cli("module", "stop", session_of(server)["id"]).status == 0
    assert not (source / ".vscode").exists()
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [PLACET, "module", "debug", source],
        env=environment(PLACET_SERVER=server.address, PLACET_TOKEN=server.token),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
    )
    try:
        os.close(theirs)
        with os.fdopen(ours, closefd=False) as said:
            assert "Ctrl-C stops it.\n" in iter(said.readline, "")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert server.get("/api/v1/debug-sessions") == []


@contextmanager
def requesting(call: Callable[[], Any]) -> Iterator[list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    yield answers
    thread.join()


@pytest.mark.parametrize(("endpoint", "left"), [("loop", 20), ("thread", 30)])
def test_a_request_stops_at_a_breakpoint(server: ServerProcess, source: Path, endpoint: str, left: int) -> None:
    with debugging(server, source) as process:
        session = session_of(server)
        line = LINES[endpoint]
        with attached(source, line) as editor:
            with requesting(lambda: server.api("GET", f"{session['url']}{endpoint}")) as answers:
                thread, frame = stopped_at(editor, source, line)
                scope = editor.request("scopes", frameId=frame["id"])["scopes"][0]
                variables = editor.request("variables", variablesReference=scope["variablesReference"])["variables"]
                values = {variable["name"]: variable["value"] for variable in variables}
                assert values["left"] == str(left)
                assert "right" not in values
                asked = editor.request("evaluate", expression="left * 3", frameId=frame["id"])
                assert asked["result"] == str(left * 3)
                editor.request("next", threadId=thread)
                thread, frame = stopped_at(editor, source, line + 1)
                assert editor.request("evaluate", expression="right", frameId=frame["id"])["result"] == str(left + 2)
                editor.request("continue", threadId=thread)
            assert [answer.text for answer in answers] == [str(2 * left + 2)]
            editor.request("disconnect", terminateDebuggee=False)
        with attached(source, line) as editor:  # the editor comes back
            editor.request("disconnect", terminateDebuggee=False)
        status, out, err = interrupted(process)
    assert (status, out, err) == (0, "Stopped.\n", "")
    assert server.get("/api/v1/debug-sessions") == []


def test_the_first_line_can_be_debugged(server: ServerProcess, source: Path) -> None:
    with debugging(server, source, "--wait") as process:
        session = session_of(server)
        assert session["waiting"] is True
        assert as_problem(server.api("GET", f"{session['url']}loop"))["code"] == "module_unavailable"
        with attached(source, LINES["import"]) as editor:
            thread, frame = stopped_at(editor, source, LINES["import"])
            assert frame["name"] == "<module>"
            editor.request("continue", threadId=thread)
            wait_for(lambda: not session_of(server)["waiting"])
            assert server.api("GET", f"{session['url']}loop").text == "42"
            editor.request("disconnect", terminateDebuggee=False)
        process.terminate()
        assert process.wait(30) == 0
    assert server.get("/api/v1/debug-sessions") == []


def test_a_launch_json_nobody_can_read_is_left_alone(server: ServerProcess, source: Path) -> None:
    launch = source / ".vscode" / "launch.json"
    launch.parent.mkdir()
    launch.write_text("not yet { finished")
    process = subprocess.Popen(
        [PLACET, "module", "debug", source, "--foreground"],
        env=environment(PLACET_SERVER=server.address, PLACET_TOKEN=server.token),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        session = wait_for(lambda: server.get("/api/v1/debug-sessions"))[0]
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "Ctrl-C stops it.\n"))
        assert interrupted(process)[0] == 0
    finally:
        process.kill()
        process.communicate()
    assert "launch.json was left as it is: Expecting value: line 1 column 1 (char 0). Put this configuration" in said
    assert json.loads(said[said.index("{") :])["pathMappings"][0]["remoteRoot"] == session["remote_root"]
    assert launch.read_text() == "not yet { finished"


def test_a_port_that_is_taken_starts_nothing_that_stays(server: ServerProcess, source: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = server.cli("module", "debug", source, "--foreground", "--port", port)
    assert (done.status, done.message) == (
        3,
        f"Cannot listen at 127.0.0.1, port {port}: Address already in use. Name another with --port.",
    )
    assert server.get("/api/v1/debug-sessions") == []


@pytest.mark.parametrize("options", [(), ("--wait",)])
def test_a_module_that_cannot_be_imported_says_where(
    server: ServerProcess, source: Path, options: tuple[str, ...]
) -> None:
    (source / "sums" / "app.py").write_text("\n\nnot_there\n")
    if not options:
        done = server.cli("module", "debug", source, "--foreground")
        assert (done.status, "  Where: sums/app.py, line 3" in done.err) == (3, True), done.err
        return
    with debugging(server, source, *options) as process:
        with attached(source) as editor:
            editor.event("terminated")
        problem = wait_for(lambda: session_of(server).get("problem"))
        assert (problem["code"], problem["file"], problem["line"]) == ("import_failed", "sums/app.py", 3)
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], 30)[0]
        assert "sums/app.py, line 3" in process.stderr.readline()
        assert interrupted(process)[0] == 0


def test_who_killed_the_command_leaves_a_session_that_ends_by_itself(
    new_server: Callable[..., ServerProcess], vendor: VendorDirectory, source: Path
) -> None:
    server = new_server("--instances-idle", "2s")
    server.installed(vendor.issue(serial=server.serial))
    with debugging(server, source) as process:
        with attached(source, LINES["loop"]) as editor:
            process.kill()
            process.wait()
            with pytest.raises((EOFError, OSError)):
                editor.event("never")
        wait_for(lambda: server.get("/api/v1/debug-sessions") == [])
    with debugging(server, source) as process, attached(source):
        session = session_of(server)
        server.api("DELETE", f"/api/v1/debug-sessions/{session['id']}")
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read().startswith("The session has ended")


def test_a_session_outlives_the_license_and_ends_with_the_server(
    new_server: Callable[..., ServerProcess], vendor: VendorDirectory, source: Path
) -> None:
    server = new_server()
    server.installed(vendor.issue(serial=server.serial))
    with debugging(server, source) as process, attached(source, LINES["loop"]) as editor:
        session = session_of(server)
        server.installed(vendor.issue("--feature", "run", serial=server.serial), acknowledge=True)
        refused = server.api("POST", "/api/v1/debug-sessions", content=zipped(files_of("sums", 1)))
        assert as_problem(refused)["code"] == "feature_not_licensed"
        with requesting(lambda: server.api("GET", f"{session['url']}loop").text) as answers:
            thread, _ = stopped_at(editor, source, LINES["loop"])
            editor.request("continue", threadId=thread)
        assert answers == ["42"]
        server.stop()
        assert process.wait(30) == 3
        with pytest.raises(ConnectionRefusedError):
            DapClient(session["host"], session["port"])
    assert list((server.data / "runs").iterdir()) == []


def test_the_tunnel_is_the_developers_alone(server: ServerProcess) -> None:
    started = server.api("POST", "/api/v1/debug-sessions", content=zipped(files_of("sums", 1))).json()
    path = f"/api/v1/debug-sessions/{started['id']}/tunnel"
    url = server.address.replace("http", "ws", 1) + path
    others = [server.new_token("dora"), server.new_token("admin", role="administrator"), "plt_nobodys"]
    for headers in ({}, *({"Authorization": f"Bearer {token}"} for token in others)):
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(url, proxy=None, additional_headers=headers, close_timeout=1),
        ):
            pass
        assert caught.value.response.status_code == 403
    code = server.api("GET", path)
    assert code.status_code in {404, 405}
    with connect(url, proxy=None, additional_headers={"Authorization": f"Bearer {server.token}"}) as own:
        own.send("text is nothing to a debugger")
        own.send(b'Content-Length: 51\r\n\r\n{"seq":1,"type":"request","command":"initialize" }  ')
        assert b"Content-Length" in own.recv(20)
    server.api("DELETE", f"/api/v1/debug-sessions/{started['id']}")
