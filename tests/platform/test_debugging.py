import os
import signal
import socket
import threading
from pathlib import Path

import httpx2
import pytest

from placet.platform.workers import Worker, start_worker
from platform_support.dap import DapClient
from platform_support.modules import write_module
from platform_support.processes import assert_adapter_gone, is_gone
from platform_support.workers import client, fetch, running, spec_for

APP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def add(request):
    left = 20
    right = left + 2
    return PlainTextResponse(str(left + right))

app = Starlette(routes=[Route("/", add)])
"""
BREAKPOINT_LINE = 7


def test_an_editor_attaches_and_stops_at_a_breakpoint(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module", APP)
    with running(spec_for(module, tmp_path, debug=True)) as worker:
        assert fetch(worker.socket_path) == "42", "it serves before an editor has attached"
        for _ in range(2):
            converse(worker, module)
        assert fetch(worker.socket_path) == "42", "it goes on when the editor has gone"


def converse(worker: Worker, module: Path) -> None:
    assert worker.debugger is not None
    answers: list[str] = []
    requesting = threading.Thread(target=lambda: answers.append(fetch(worker.socket_path)))
    with DapClient(worker.debugger.host, worker.debugger.port) as editor:
        editor.attach()
        source = {"path": str(module / "orders" / "app.py")}
        placed = editor.request("setBreakpoints", source=source, breakpoints=[{"line": BREAKPOINT_LINE}])
        assert placed["breakpoints"][0]["verified"]
        editor.configured()
        requesting.start()
        stopped = editor.event("stopped")
        assert stopped["reason"] == "breakpoint"
        frame = editor.request("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
        assert (frame["name"], frame["line"]) == ("add", BREAKPOINT_LINE)
        assert frame["source"]["path"] == source["path"]
        scope = editor.request("scopes", frameId=frame["id"])["scopes"][0]
        variables = editor.request("variables", variablesReference=scope["variablesReference"])["variables"]
        values = {variable["name"]: variable["value"] for variable in variables}
        assert values["left"] == "20"
        assert "right" not in values
        assert editor.request("evaluate", expression="left * 3", frameId=frame["id"])["result"] == "60"
        editor.request("continue", threadId=stopped["threadId"])
        requesting.join()
        editor.request("disconnect", terminateDebuggee=False)
    assert answers == ["42"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_adapter_ends_with_the_worker(tmp_path: Path, how: str) -> None:
    worker = start_worker(spec_for(write_module(tmp_path / "module", APP), tmp_path, debug=True))
    assert worker.debugger is not None
    assert worker.debugger.host == "127.0.0.1"
    try:
        if how == "kill":
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait(10)
            assert_adapter_gone(worker.guardian, worker.debugger.port)
    finally:
        worker.stop()
    assert_adapter_gone(worker.guardian, worker.debugger.port)


def test_a_worker_paused_at_a_breakpoint_ends_with_the_server_too(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module", APP)
    worker = start_worker(spec_for(module, tmp_path, debug=True))
    try:
        assert worker.debugger is not None
        with DapClient(worker.debugger.host, worker.debugger.port) as editor, client(worker.socket_path) as opened:
            editor.attach()
            source = {"path": str(module / "orders" / "app.py")}
            editor.request("setBreakpoints", source=source, breakpoints=[{"line": BREAKPOINT_LINE}])
            editor.configured()
            requesting = threading.Thread(target=lambda: answers.append(type(catch(opened))))
            answers: list[type] = []
            requesting.start()
            editor.event("stopped")
            worker._guarded._lifeline.shutdown(socket.SHUT_RDWR)  # what its guardian sees when the server is killed
            assert is_gone(worker.pid)
            requesting.join()
        assert issubclass(answers[0], httpx2.TransportError)
    finally:
        worker.stop(0)


def catch(opened: httpx2.Client) -> object:
    try:
        return opened.get("/")
    except httpx2.TransportError as error:
        return error
