"""Passes requests on to a worker over its Unix socket, and answers back, as ASGI and as bytes.

Neither body is read into memory or decoded. The module never sees what belongs to the server: its session cookie, its
bearer tokens, what clients claim about earlier proxies; nor can it set the server's session cookie.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx2

from placet.platform import proxy_headers, websocket_proxy
from placet.platform.problems import PROBLEM_KINDS, ProblemCode
from placet.platform.proxy_problem import ProblemPage, is_for_a_browser, page_answer, problem_answer
from placet.platform.websocket_proxy import Handshake, refusing

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 60.0
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_WEBSOCKETS = 512
_LIMITS = httpx2.Limits(max_connections=512, max_keepalive_connections=64, keepalive_expiry=30)


class Proxy:
    """A reverse proxy to workers. One for all of them: it keeps connections by socket.

    `max_body_bytes` bounds a request's body. `is_own_token` says which bearer tokens are the server's and are not
    passed on; without it, none is. With `problem_page` browsers get a page where the module cannot answer.
    Call `aclose` at the end, in the same event loop.
    """

    def __init__(
        self,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        is_own_token: Callable[[str], bool] = proxy_headers.any_token,
        problem_page: ProblemPage | None = None,
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._is_own_token = is_own_token
        self._problem_page = problem_page
        self._transports: dict[Path, httpx2.AsyncHTTPTransport] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._websockets: Counter[Path] = Counter()
        self._exchanges: Counter[Path] = Counter()

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        socket_path: Path,
        root_path: str,
        read_timeout_seconds: float | None = READ_TIMEOUT_SECONDS,
    ) -> None:
        """Answer one request below `root_path` by the worker behind `socket_path`.

        What goes wrong before the answer begins becomes a problem document: 413, 502, 503, 504. `read_timeout_seconds`
        None waits for ever, for a module that is being debugged. A WebSocket connection is passed on until it ends;
        a worker has at most `MAX_WEBSOCKETS` of them.
        """
        target = proxy_headers.target(scope, root_path)
        if target is None:
            raise ValueError(f"the request for {scope['path']!r} is not below {root_path!r}")
        headers = proxy_headers.for_module(scope, root_path, self._is_own_token)
        if scope["type"] == "websocket":
            handshake = Handshake(
                socket_path=socket_path,
                target=target.decode("ascii"),
                headers=headers,
                subprotocols=scope["subprotocols"],
                patience_seconds=read_timeout_seconds,
            )
            await self._websocket(scope, receive, send, handshake)
            return
        exchange = _Exchange(scope, receive, send, self._max_body_bytes, self._problem_page)
        request = httpx2.Request(
            scope["method"],
            "http://module",
            headers=headers,
            content=exchange.request_body() if exchange.has_body else None,
            extensions={"target": target, "timeout": _timeouts(read_timeout_seconds)},
        )
        self._exchanges[socket_path] += 1
        try:
            await exchange.run(self._transport(socket_path), request)
        finally:
            self._exchanges[socket_path] -= 1
            if not self._exchanges[socket_path]:
                del self._exchanges[socket_path]

    def is_busy(self, socket_path: Path) -> bool:
        """Whether requests are under way to a worker. May be asked from any thread. WebSockets are not counted."""
        return socket_path in self._exchanges

    async def unavailable(self, scope: Scope, send: Send, code: ProblemCode = ProblemCode.MODULE_UNAVAILABLE) -> None:
        """Answer 503 for a module that is published but has no worker at the moment."""
        await self._refuse(scope, send, code)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, handshake: Handshake) -> None:
        async def refuse(code: ProblemCode) -> None:
            await self._refuse(scope, send, code)

        if self._websockets[handshake.socket_path] >= MAX_WEBSOCKETS:
            await refuse(ProblemCode.MODULE_UNAVAILABLE)
            return
        self._websockets[handshake.socket_path] += 1
        try:
            await websocket_proxy.pass_on(handshake, receive, send, refuse)
        finally:
            self._websockets[handshake.socket_path] -= 1
            self._websockets += Counter()  # forgets the workers that have none

    async def _refuse(self, scope: Scope, send: Send, code: ProblemCode) -> None:
        answer = refusing(scope, send)
        for message in _problem(scope, code, self._max_body_bytes, self._problem_page):
            await answer(message)

    async def aclose(self) -> None:
        """Close all connections."""
        transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            await transport.aclose()
        await asyncio.gather(*self._closing)

    def _transport(self, socket_path: Path) -> httpx2.AsyncHTTPTransport:
        transport = self._transports.get(socket_path)
        if transport is None:
            self._drop_ended()
            # No TLS on a Unix socket: verify=False saves reading the certificates for each worker.
            transport = httpx2.AsyncHTTPTransport(uds=str(socket_path), limits=_LIMITS, verify=False, trust_env=False)
            self._transports[socket_path] = transport
        return transport

    def _drop_ended(self) -> None:
        """Forget workers that have ended: their directory goes last, when nothing can be under way any more."""
        for path in [path for path in self._transports if not path.parent.exists()]:
            task = asyncio.ensure_future(self._transports.pop(path).aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _TooLarge(Exception):
    """The request's body is past the limit."""


class _Gone(Exception):
    """The client has gone away."""


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int, problem_page: ProblemPage | None
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._problem_page = problem_page
        self._read_all = asyncio.Event()
        self._answering = False
        names = {name.lower(): value for name, value in scope["headers"]}
        self._announced = names.get(b"content-length", b"")
        self.has_body = self._announced not in {b"", b"0"} or b"transfer-encoding" in names

    async def run(self, transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> None:
        """Pass on until the answer is complete or the client has gone."""
        if self._announced.isdigit() and int(self._announced) > self._max_body_bytes:
            await self._refuse(ProblemCode.REQUEST_TOO_LARGE)
            return
        passing = asyncio.ensure_future(self._pass_on(transport, request))
        watching = asyncio.ensure_future(self._client_gone())
        try:
            await asyncio.wait((passing, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            if not passing.done():
                passing.cancel()
            results = await asyncio.gather(passing, watching, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    async def request_body(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                raise _TooLarge
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                self._read_all.set()
                return

    async def _client_gone(self) -> None:
        if self.has_body:
            await self._read_all.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _pass_on(self, transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> None:
        try:
            answer = await transport.handle_async_request(request)
            try:
                await self._answer(answer)
            finally:
                await answer.aclose()
        except _Gone:
            return
        except (_TooLarge, httpx2.TransportError) as error:
            if self._answering:
                raise  # the answer has begun: breaking the connection off is all that can still be said
            await self._refuse(_code_for(error))

    async def _answer(self, answer: httpx2.Response) -> None:
        headers = proxy_headers.for_client(answer.headers.raw)
        self._answering = True
        await self._send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        stream: Any = answer.stream
        async for chunk in stream:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, code: ProblemCode) -> None:
        self._answering = True
        for message in _problem(self._scope, code, self._max_body_bytes, self._problem_page):
            await self._send(message)


def _problem(scope: Scope, code: ProblemCode, max_body_bytes: int, page: ProblemPage | None) -> list[dict[str, Any]]:
    kind = PROBLEM_KINDS[code]
    if page is not None and is_for_a_browser(scope):
        return page_answer(code, kind.status, page)
    return problem_answer(code, kind, max_body_bytes)


def _code_for(error: Exception) -> ProblemCode:
    if isinstance(error, _TooLarge):
        return ProblemCode.REQUEST_TOO_LARGE
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return ProblemCode.MODULE_UNAVAILABLE
    if isinstance(error, httpx2.TimeoutException):
        return ProblemCode.MODULE_SILENT
    return ProblemCode.MODULE_BROKEN


def _timeouts(read_seconds: float | None) -> dict[str, float | None]:
    connect = CONNECT_TIMEOUT_SECONDS
    return {"connect": connect, "read": read_seconds, "write": READ_TIMEOUT_SECONDS, "pool": connect}
