"""WebSockets of modules through a whole server."""

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from contract.archives import files_of, zipped
from contract.driver import ServerProcess, VendorDirectory, wait_for

pytestmark = pytest.mark.server

APP = """
import json

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    await send({"type": "websocket.send", "text": json.dumps(headers | {"path": scope["path"]})})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["text"].encode()})
"""


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    assert server.publish(zipped(files_of("feed", 1) | {"feed/app.py": APP})).status_code == 201


def url(server: ServerProcess, path: str) -> str:
    return server.address.replace("http", "ws", 1) + path


def refused(server: ServerProcess, path: str, token: str | None = None) -> tuple[int, dict[str, Any]]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(url(server, path), proxy=None, additional_headers=headers),
    ):
        pass
    answer = caught.value.response
    return answer.status_code, json.loads(answer.body or b"{}")


@pytest.mark.parametrize("area", ["apps", "personal"])
def test_a_module_is_reached_and_sees_nothing_of_the_server(server: ServerProcess, area: str) -> None:
    path = "/apps/feed/x"
    if area == "personal":
        run = server.api("POST", "/api/v1/runs", content=zipped(files_of("feed", 1) | {"feed/app.py": APP})).json()
        path = run["url"] + "x"
    credentials = {"Authorization": f"Bearer {server.token}", "Cookie": "placet_session=secret; theirs=1"}
    with connect(url(server, path), proxy=None, additional_headers=credentials) as connection:
        seen = json.loads(connection.recv(20))
        assert ("authorization" in seen, seen["cookie"], seen["path"]) == (False, "theirs=1", path)
        connection.send("across")
        assert connection.recv(20) == b"across"


def test_where_nothing_is_served_the_handshake_is_refused(server: ServerProcess) -> None:
    for path, code in (
        ("/apps/nowhere/", "unknown_module"),
        ("/personal/nowhere/", "unknown_instance"),
        ("/api/v1/license", "not_found"),
    ):
        status, problem = refused(server, path)
        assert (status, problem["code"]) == (404, code)


def test_publishing_anew_closes_what_the_version_before_had(server: ServerProcess) -> None:
    with connect(url(server, "/apps/feed/"), proxy=None) as connection:
        connection.recv(20)
        assert server.publish(zipped(files_of("feed", 1) | {"feed/app.py": APP + "\n"})).status_code == 201
        with pytest.raises(ConnectionClosed) as caught:
            connection.recv(20)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012


def test_a_module_that_does_not_run_is_503(server: ServerProcess) -> None:
    ends = "import os\nasync def app(scope, receive, send):\n    if scope['type'] != 'lifespan':\n        os._exit(1)\n"
    run = server.api("POST", "/api/v1/runs", content=zipped(files_of("ends", 1) | {"ends/app.py": ends})).json()
    assert refused(server, run["url"])[1]["code"] == "unknown_instance", "it is its developer's alone"
    assert refused(server, run["url"], server.token)[0] == 502
    wait_for(lambda: not server.get(f"/api/v1/runs/{run['id']}")["alive"])
    status, problem = refused(server, run["url"], server.token)
    assert (status, problem["code"]) == (503, "module_unavailable")
