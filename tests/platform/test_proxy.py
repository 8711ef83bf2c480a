import asyncio
import gzip
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from placet.platform.proxy import Proxy
from platform_support.modules import write_module
from platform_support.serving import serving as serving_at
from platform_support.workers import running, spec_for

MODULE = """
import asyncio, gzip, json, os
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

async def show(request):
    headers = [[name.decode(), value.decode()] for name, value in request.scope["headers"]]
    body = (await request.body()).decode()
    told = {"url": str(request.url_for("show")), "query": request.url.query, "method": request.method}
    return JSONResponse(told | {"headers": headers, "body": body})

async def length(request):
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return PlainTextResponse(str(size))

async def packed(request):
    return Response(gzip.compress(b"packed"), headers={"content-encoding": "gzip"})

async def cookies(request):
    response = PlainTextResponse("")
    for name in ("a", "b", "placet_session"):
        response.set_cookie(name, "1")
    return response

async def away(request):
    return RedirectResponse(request.url_for("show"), 307)

async def events(request):
    async def stream():
        yield b"first"
        request.app.state.waiting.set()
        try:
            await asyncio.Future()
        finally:
            with open(os.environ["PLACET_MODULE_DATABASE"] + ".gone", "w") as fifo:
                fifo.write("gone")
    return StreamingResponse(stream())

async def die(request):
    os._exit(1)

async def half(request):
    async def stream():
        yield b"first"
        os._exit(1)
    return StreamingResponse(stream())

async def silent(request):
    await asyncio.Future()

async def flood(request):
    async def stream():
        sent = 0
        while True:
            yield bytes(65536)
            sent += 65536
            request.app.state.flooded = sent
            await asyncio.sleep(0)
    return StreamingResponse(stream())

async def flooded(request):
    return PlainTextResponse(str(getattr(request.app.state, "flooded", 0)))

async def early(request):
    return PlainTextResponse("not reading", 400)

app = Starlette(routes=[
    Route("/show", show, name="show", methods=["GET", "POST", "DELETE", "OPTIONS"]),
    Route("/hold", silent, methods=["POST"]),
    Route("/length", length, methods=["POST"]), Route("/early", early, methods=["POST"]),
    *(Route("/" + f.__name__, f) for f in (packed, cookies, away, events, die, half, silent, flood, flooded)),
])
app.state.waiting = asyncio.Event()
"""
LITESTAR = """
from litestar import Litestar, Request, get

@get("/items/{item_id:int}", name="item")
async def item(item_id: "FromPath[int]", request: Request) -> dict[str, str]:
    return {"id": str(item_id), "url": request.url_for("item", item_id=item_id), "base": str(request.base_url)}

from litestar.params import FromPath
app = Litestar([item])
"""


@contextmanager
def serving(handle: Callable[..., Any]) -> Iterator[httpx2.Client]:
    """A client of an ASGI function that is served on loopback by a real server."""
    with (
        serving_at(handle) as address,
        httpx2.Client(base_url=f"http://{address}", timeout=20, trust_env=False) as client,
    ):
        yield client


@contextmanager
def proxied(socket_path: Path, proxy: Proxy | None = None, **options: Any) -> Iterator[httpx2.Client]:
    """Serve a worker through a proxy, at /apps/orders/."""
    passing = proxy or Proxy()

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/close":
            await passing.aclose()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await passing(scope, receive, send, socket_path=socket_path, root_path="/apps/orders", **options)

    with serving(handle) as client:
        yield client
        client.get("/close")


@pytest.fixture(scope="module")
def worker_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("proxy")
    with running(spec_for(write_module(directory / "module", MODULE), directory)) as worker:
        yield worker.socket_path


@pytest.fixture
def fresh_socket(tmp_path: Path) -> Iterator[Path]:
    with running(spec_for(write_module(tmp_path / "module", MODULE), tmp_path)) as worker:
        yield worker.socket_path


def test_requests_pass_with_their_method_body_query_and_headers(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        answer = client.request("DELETE", "/apps/orders/show?a=%20b", content=b"text", headers={"x-mine": "1"})
    shown = answer.json()
    headers = dict(shown["headers"])
    assert (shown["method"], shown["body"], shown["query"]) == ("DELETE", "text", "a=%20b")
    assert headers["x-mine"] == "1"
    assert headers["x-forwarded-prefix"] == "/apps/orders"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert shown["url"] == f"{client.base_url}/apps/orders/show"
    assert [name for name, _ in answer.headers.raw].count(b"date") == 1
    assert answer.headers.get_list("server") == ["uvicorn"]


def test_the_administrators_credentials_stay_here(worker_socket: Path) -> None:
    headers = {"authorization": "Bearer secret", "cookie": "placet_session=secret; theme=dark"}
    with proxied(worker_socket) as client:
        answer = client.get("/apps/orders/show", headers=headers)
    assert "secret" not in answer.text
    assert ["cookie", "theme=dark"] in answer.json()["headers"]


def test_bodies_are_bytes_both_ways(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        with client.stream("GET", "/apps/orders/packed") as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == b"packed"
        size = 5 * 1024 * 1024
        assert client.post("/apps/orders/length", content=b"x" * size).text == str(size)
        chunks = iter([b"x" * 1000] * 3000)
        assert client.post("/apps/orders/length", content=chunks).text == "3000000"
        assert client.post("/apps/orders/length").text == "0"


def test_cookies_stay_apart_and_the_session_cannot_be_set(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        cookies = client.get("/apps/orders/cookies").headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["a", "b"]


def test_redirects_are_the_clients_business(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        answer = client.get("/apps/orders/away", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].endswith("/apps/orders/show")


def test_head_has_no_body(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        answer = client.head("/apps/orders/packed")
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_past_the_limit_is_refused(worker_socket: Path, chunked: bool) -> None:
    with proxied(worker_socket, Proxy(max_body_bytes=1000)) as client:
        content: Any = iter([b"x" * 600] * 2) if chunked else b"x" * 1001
        answer = client.post("/apps/orders/length", content=content)
        assert client.post("/apps/orders/length", content=b"x" * 1000).text == "1000"
    assert_problem(answer, 413, "request_too_large")
    assert "1,000 bytes" in answer.json()["detail"]


def test_an_answer_before_the_body_was_read(worker_socket: Path) -> None:
    with proxied(worker_socket) as client:
        assert client.post("/apps/orders/early", content=b"x" * 1000).text == "not reading"


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with proxied(tmp_path / "none.sock") as client:
        answer = client.get("/apps/orders/")
    assert_problem(answer, 503, "module_unavailable")
    assert answer.headers["retry-after"] == "5"


def test_a_module_without_a_worker() -> None:
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await Proxy().unavailable(scope, send)

    with serving(handle) as client:
        assert_problem(client.get("/"), 503, "module_unavailable")


def test_a_module_that_breaks_off(fresh_socket: Path) -> None:
    with proxied(fresh_socket) as client:
        assert_problem(client.get("/apps/orders/die"), 502, "module_broken")


def test_an_answer_cut_short_does_not_look_complete(fresh_socket: Path) -> None:
    with proxied(fresh_socket) as client, pytest.raises(httpx2.RemoteProtocolError):
        client.get("/apps/orders/half")


def test_a_module_that_does_not_answer(worker_socket: Path) -> None:
    with proxied(worker_socket, read_timeout_seconds=0.2) as client:
        assert_problem(client.get("/apps/orders/silent"), 504, "module_silent")


def test_when_the_client_goes_the_module_is_told(tmp_path: Path, fresh_socket: Path) -> None:
    os.mkfifo(tmp_path / "orders.db.gone")
    with proxied(fresh_socket) as client:
        with client.stream("GET", "/apps/orders/events") as answer:
            assert next(answer.iter_raw()) == b"first", "the beginning arrives before the end exists"
        assert (tmp_path / "orders.db.gone").read_text() == "gone"


def raw(client: httpx2.Client, head: str) -> socket.socket:
    """A connection that has asked, and reads nothing by itself."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20)
    connection.sendall(f"{head} HTTP/1.1\r\nHost: h\r\n".encode())
    return connection


def test_a_client_that_does_not_read_holds_the_module_back(worker_socket: Path) -> None:
    with proxied(worker_socket) as client, raw(client, "GET /apps/orders/flood") as slow:
        slow.sendall(b"\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        before, sent = -1, 0
        while sent != before:
            time.sleep(0.5)
            before, sent = sent, int(client.get("/apps/orders/flooded").text)
        assert 0 < sent < 32 * 1024 * 1024, "what was sent lies in buffers of the kernel, and a few of ours"


def test_a_module_that_does_not_read_holds_the_client_back(worker_socket: Path) -> None:
    size = 60 * 1024 * 1024
    with proxied(worker_socket) as client, raw(client, "POST /apps/orders/hold") as upload:
        upload.sendall(f"Content-Length: {size}\r\n\r\n".encode())
        upload.settimeout(2)
        sent = 0
        with suppress(TimeoutError):
            while sent < size:
                sent += upload.send(bytes(65536))
        assert 0 < sent < 32 * 1024 * 1024


def test_litestar_routes_and_links_below_the_prefix(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module", LITESTAR)
    with running(spec_for(module, tmp_path)) as worker, proxied(worker.socket_path) as client:
        answer = client.get("/apps/orders/items/7").raise_for_status().json()
        missing = client.get("/apps/orders/items/x")
    assert answer["id"] == "7"
    assert answer["base"] == f"{client.base_url}/apps/orders/"
    assert answer["url"] == f"{client.base_url}/apps/orders/items/7"
    assert missing.status_code == 404


def test_many_requests_at_once(worker_socket: Path) -> None:
    async def ask() -> list[int]:
        limits = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(base_url=base, timeout=30, limits=limits, trust_env=False) as client:
            answers = await asyncio.gather(*(client.post("/apps/orders/show", content=str(n)) for n in range(200)))
        return [int(answer.json()["body"]) for answer in answers]

    with proxied(worker_socket) as opened:
        base = str(opened.base_url)
        assert asyncio.run(ask()) == list(range(200))


def test_connections_to_workers_that_ended_are_forgotten(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module", MODULE)

    async def ask() -> None:
        proxy = Proxy()
        for _ in range(3):
            with running(spec_for(module, tmp_path)) as worker:
                assert await status_of(proxy, worker.socket_path) == 200
        assert len(proxy._transports) == 1
        await proxy.aclose()

    asyncio.run(ask())


async def status_of(proxy: Proxy, socket_path: Path) -> int:
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/apps/orders/show", "headers": [(b"host", b"h")]}
    await proxy(scope, receive, send, socket_path=socket_path, root_path="/apps/orders")
    return int(sent[0]["status"])


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert (problem["code"], problem["type"], problem["status"]) == (code, f"/problems/{code}", status)
    assert problem["title"]
    assert problem["detail"].endswith(".")
