import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from contract.driver import wait_for
from placet.platform import proxy as proxy_module
from placet.platform.proxy import Proxy
from placet.platform.websocket_proxy import MAX_MESSAGE_BYTES
from placet.platform.workers import Worker
from platform_support.modules import write_module
from platform_support.processes import is_gone
from platform_support.serving import worker_behind_proxy
from platform_support.workers import running, spec_for

MODULE = """
import asyncio, json, os
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute

def told(name, text):
    path = os.environ["PLACET_MODULE_DATABASE"] + "." + name
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)

async def echo(socket):
    offered = socket.scope["subprotocols"]
    own = [(b"x-own", b"yes"), (b"set-cookie", b"placet_session=1")]
    await socket.accept("v2" if "v2" in offered else None, headers=own)
    while (message := await socket.receive())["type"] == "websocket.receive":
        await socket.send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
    told("left", f"{message['code']} {message.get('reason', '')}")

async def show(socket):
    await socket.accept()
    headers = [[name.decode(), value.decode("latin-1")] for name, value in socket.scope["headers"]]
    shown = {key: socket.scope[key] for key in ("path", "root_path", "scheme", "subprotocols")}
    await socket.send_json(shown | {"query": socket.scope["query_string"].decode(), "headers": headers,
                            "client": socket.scope["client"][0], "url": str(socket.url)})
    await socket.close(4321, "shown enough")

async def refused(socket):
    await socket.close()

async def missing(socket):
    await socket.send_denial_response(JSONResponse({"gone": True}, 404, headers={"x-own": "yes"}))

async def away(socket):
    await socket.send_denial_response(JSONResponse({}, 307, headers={"location": "ws://127.0.0.1:1/elsewhere"}))

async def silent(socket):
    await asyncio.Future()

async def die(socket):
    await socket.accept()
    await socket.receive()
    os._exit(3)

async def large(socket):
    await socket.accept()
    await socket.send_bytes(b"x" * int(socket.query_params["size"]))
    await socket.receive()

async def unclosed(socket):
    await socket.accept()

async def broken(socket):
    raise RuntimeError("before it has accepted")

async def flood(socket):
    await socket.accept()
    sent = 0
    try:
        while True:
            await asyncio.wait_for(socket.send_bytes(bytes(64 * 1024)), 2)
            sent += 1
    except TimeoutError:
        told("flooded", str(sent))
    await asyncio.Future()

async def slow(socket):
    await socket.accept()
    await socket.send_text("ready")
    await asyncio.Future()

async def hang(socket):
    await socket.accept()
    await socket.send_text("ready")
    import time
    time.sleep(600)

app = Starlette(routes=[WebSocketRoute("/" + f.__name__, f) for f in
    (echo, show, refused, missing, away, silent, die, large, unclosed, broken, flood, slow, hang)])
"""


class Place:
    """A worker behind a proxy; `told` waits for what the module writes to a file."""

    def __init__(self, address: str, directory: Path, worker: Worker) -> None:
        self.address, self.directory, self.worker = address, directory, worker

    def connect(self, path: str, **options: Any) -> ClientConnection:
        return connect(f"ws://{self.address}/apps/orders{path}", proxy=None, **options)

    def told(self, name: str) -> str:
        path = self.directory / f"orders.db.{name}"
        wait_for(path.exists)
        text = path.read_text()
        path.unlink()
        return text

    def refused(self, path: str, **options: Any) -> tuple[int, dict[str, Any], Any]:
        with pytest.raises(InvalidStatus) as caught:
            self.connect(path, **options)
        answer = caught.value.response
        return answer.status_code, _json(answer.body), answer.headers


@contextmanager
def place_in(directory: Path, **options: Any) -> Iterator[Place]:
    module = write_module(directory / "module", MODULE)
    with running(spec_for(module, directory)) as worker, worker_behind_proxy(worker.socket_path, **options) as address:
        yield Place(address, directory, worker)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("websockets")) as place:
        yield place


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Place]:
    with place_in(tmp_path) as place:
        yield place


def _json(body: bytes | None) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(body or b"")
    except ValueError:
        return {}
    return document


@contextmanager
def bare(place: Place, path: str) -> Iterator[socket.socket]:
    """A client that has sent its handshake and does nothing more by itself."""
    host, port = place.address.split(":")
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(f"GET /apps/orders{path} HTTP/1.1\r\nHost: h\r\n{upgrade}{key}\r\n".encode())
        yield client


def how_it_ended(connection: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        connection.recv(20)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_text_and_bytes_pass_both_ways_and_the_close_with_its_code_and_reason(shared: Place) -> None:
    with shared.connect("/echo", subprotocols=["v1", "v2"]) as connection:
        assert connection.subprotocol == "v2"
        assert connection.response is not None
        assert connection.response.headers["x-own"] == "yes"
        assert "set-cookie" not in connection.response.headers, "the server's session is not the module's to set"
        for message in ("text", "", "é€😀", b"", bytes(range(256)), b"x" * MAX_MESSAGE_BYTES):
            connection.send(message)
            assert connection.recv(20) == message
        connection.send(iter(["in ", "three ", "pieces"]))
        assert connection.recv(20) == "in three pieces"
        connection.close(4000, "seen enough")
    assert shared.told("left") == "4000 seen enough"


def test_the_module_sees_what_it_may_see(shared: Place) -> None:
    sent = {
        "Authorization": "Bearer secret",
        "Cookie": "placet_session=secret; theme=dark",
        "X-Forwarded-Prefix": "secret",
        "Forwarded": "for=secret",
        "X-Theirs": "kept",
    }
    with shared.connect(
        "/show?a=%20b&c", additional_headers=sent, origin="https://pages.example", subprotocols=["v1"]
    ) as connection:  # type: ignore[arg-type]
        text = connection.recv(20)
        assert how_it_ended(connection) == (4321, "shown enough")
    shown = json.loads(text)
    headers = dict(shown["headers"])
    assert "secret" not in text
    assert (headers["cookie"], headers["x-theirs"], headers["origin"]) == (
        "theme=dark",
        "kept",
        "https://pages.example",
    )
    assert headers["x-forwarded-prefix"] == "/apps/orders"
    assert headers["x-forwarded-proto"] == "http"
    assert [name for name, _ in shown["headers"]].count("host") == 1
    assert (shown["path"], shown["root_path"], shown["query"]) == ("/apps/orders/show", "/apps/orders", "a=%20b&c")
    assert (shown["subprotocols"], shown["client"]) == (["v1"], "127.0.0.1")
    assert shown["url"] == f"ws://{shared.address}/apps/orders/show?a=%20b&c"


def test_what_the_module_refuses_is_passed_on(shared: Place) -> None:
    assert shared.refused("/refused")[0] == 403
    assert shared.refused("/nowhere")[0] == 403  # Starlette's answer where no route is
    status, body, headers = shared.refused("/missing")
    assert (status, body, headers["x-own"]) == (404, {"gone": True}, "yes")
    assert shared.refused("/broken")[0] == 500


def test_nobody_is_led_elsewhere_by_a_module(shared: Place) -> None:
    with bare(shared, "/away") as client:
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 307 ")
    assert b"ws://127.0.0.1:1/elsewhere" in answer


def test_messages_past_the_cap_end_the_connection(shared: Place) -> None:
    with shared.connect("/echo", max_size=None) as connection:
        connection.send(b"x" * (MAX_MESSAGE_BYTES + 1))
        assert how_it_ended(connection)[0] == 1009
    assert shared.told("left").startswith("1009 ")
    with shared.connect(f"/large?size={MAX_MESSAGE_BYTES}", max_size=None) as connection:
        assert len(connection.recv(20)) == MAX_MESSAGE_BYTES
    with shared.connect(f"/large?size={MAX_MESSAGE_BYTES + 1}", max_size=None) as connection:
        assert how_it_ended(connection) == (1009, "The module's message is larger than 1,048,576 bytes")


def test_a_client_that_is_gone_is_told_to_the_module(shared: Place) -> None:
    with bare(shared, "/echo") as client:
        assert client.recv(12) == b"HTTP/1.1 101"
    assert shared.told("left").startswith("1005")


def test_a_module_that_ends_is_told_to_the_client(fresh: Place) -> None:
    with fresh.connect("/unclosed") as connection:
        assert how_it_ended(connection) == (1014, "The module broke the connection off")
    with fresh.connect("/die") as connection:
        connection.send("now")
        assert how_it_ended(connection) == (1014, "The module broke the connection off")
    assert is_gone(fresh.worker.pid)
    assert fresh.refused("/echo")[:2][1]["code"] == "module_unavailable"


def test_a_module_that_is_stopped_says_that_it_starts_again(fresh: Place) -> None:
    with fresh.connect("/echo") as connection:
        connection.send("there")
        assert connection.recv(20) == "there"
        stopping = threading.Thread(target=fresh.worker.stop)
        stopping.start()
        assert how_it_ended(connection)[0] == 1012
        assert fresh.told("left").startswith("1012")
        stopping.join()


def test_a_handshake_that_is_not_answered_is_504(tmp_path: Path) -> None:
    with place_in(tmp_path, read_timeout_seconds=0.3) as place:
        status, problem, _ = place.refused("/silent")
        assert (status, problem["code"]) == (504, "module_silent")


def test_a_module_that_hangs_loses_its_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placet.platform.websocket_proxy.PING_SECONDS", 0.1)
    with place_in(tmp_path, read_timeout_seconds=1) as place:
        with place.connect("/hang") as connection:
            assert connection.recv(20) == "ready"
            assert how_it_ended(connection) == (1014, "The module does not answer")
        os.kill(place.worker.pid, signal.SIGKILL)


def test_a_client_that_does_not_answer_is_let_go(tmp_path: Path) -> None:
    server = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.5}
    with place_in(tmp_path, server=server) as place, bare(place, "/echo") as client:
        assert client.recv(12) == b"HTTP/1.1 101"
        assert place.told("left").startswith("1005")


def test_a_client_that_does_not_read_holds_the_module_back(shared: Place) -> None:
    with bare(shared, "/flood"):
        sent = int(shared.told("flooded"))
    assert 0 < sent * 64 * 1024 < 32 * 1024 * 1024, "what was sent lies in buffers of the kernel, and a few of ours"


def test_a_module_that_does_not_read_holds_the_client_back(fresh: Place) -> None:
    with bare(fresh, "/slow") as client:
        assert client.recv(12) == b"HTTP/1.1 101"
        client.settimeout(2)
        sent = 0
        with suppress(TimeoutError):
            while sent < 1024:
                client.sendall(b"\x82\xff" + (65536).to_bytes(8, "big") + bytes(4 + 65536))
                sent += 1
        assert 0 < sent < 512, "of 64 KiB each"


def test_a_worker_has_at_most_so_many(shared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "MAX_WEBSOCKETS", 2)
    proxy = Proxy()
    with worker_behind_proxy(shared.worker.socket_path, proxy) as address:
        place = Place(address, shared.directory, shared.worker)
        for _ in range(2):
            with place.connect("/echo"), place.connect("/echo"):
                status, problem, headers = place.refused("/echo")
                assert (status, problem["code"]) == (503, "module_unavailable")
                assert headers["retry-after"] == "5"
            wait_for(lambda: not proxy._websockets)
