"""Passes WebSocket connections (RFC 6455) on to a worker over its Unix socket, messages and closes both ways.

1. The module is asked first: what it refuses the handshake with, status and body, is what the client gets.
2. Each side's messages wait for the other to take them, so that neither can fill the server's memory.
3. A close is passed on with its code and reason. A side that is gone without one is told to the other: the module sees
   1005 (no status), the client 1014 (bad gateway).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from placet.platform import proxy_headers
from placet.platform.problems import ProblemCode
from placet.platform.proxy_headers import Headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Refuse = Callable[[ProblemCode], Awaitable[None]]

MAX_MESSAGE_BYTES = 1024 * 1024
PING_SECONDS = 20.0
PONG_SECONDS = 60.0
_QUEUED_FRAMES = 4
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 5.0
_GONE = (CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE)
_HANDSHAKE = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol")


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What the module is asked: path and query as the client sent them, and the headers the module may see.

    `patience_seconds` is how long the module may take to answer the handshake or a ping; None is for ever.
    """

    socket_path: Path
    target: str
    headers: Headers
    subprotocols: list[str]
    patience_seconds: float | None


def refusing(scope: MutableMapping[str, Any], send: Send) -> Send:
    """Return a `send` for an HTTP answer, which refuses the handshake where the request is for a WebSocket."""
    return _refusal_through(send) if scope["type"] == "websocket" else send


def _refusal_through(send: Send) -> Send:
    async def refuse(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return refuse


async def pass_on(handshake: Handshake, receive: Receive, send: Send, refuse: Refuse) -> None:
    """Pass one connection on until both sides have ended. `refuse` answers where the module cannot."""
    await receive()  # websocket.connect
    client_says = asyncio.ensure_future(receive())
    opening = asyncio.ensure_future(_open(handshake))
    try:
        await asyncio.wait((opening, client_says), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done() and client_says.result()["type"] == "websocket.disconnect":
            return
        try:
            module = await opening
        except InvalidStatus as error:
            await _pass_refusal_on(error, _refusal_through(send))
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            await refuse(_code_for(error))
        else:
            await _converse(module, client_says, receive, send)
    finally:
        client_says.cancel()
        opening.cancel()
        await asyncio.gather(client_says, opening, return_exceptions=True)


class _Protocol(ClientProtocol):
    """A handshake whose `Host` is the client's, which is among the headers passed on."""

    def connect(self) -> Request:
        request = super().connect()
        del request.headers["Host"]
        return request


async def _open(handshake: Handshake) -> ClientConnection:
    """Connect, and return once the module has accepted. Redirects are the client's business."""

    def connection() -> ClientConnection:
        path, _, query = handshake.target.partition("?")
        protocol = _Protocol(
            WebSocketURI(secure=False, host="module", port=80, path=path, query=query),
            subprotocols=[Subprotocol(name) for name in handshake.subprotocols if name] or None,
            max_size=MAX_MESSAGE_BYTES,
        )
        return ClientConnection(
            protocol,
            ping_interval=None if handshake.patience_seconds is None else PING_SECONDS,
            ping_timeout=handshake.patience_seconds,
            close_timeout=_CLOSE_SECONDS,
            max_queue=_QUEUED_FRAMES,
        )

    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, module = await loop.create_unix_connection(connection, str(handshake.socket_path))
    except OSError as error:
        raise ConnectionRefusedError from error
    headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in _asked(handshake.headers)]
    try:
        async with asyncio.timeout(handshake.patience_seconds):
            await module.handshake(headers, user_agent_header=None)
    except BaseException:
        module.transport.abort()
        raise
    module.start_keepalive()
    return module


async def _pass_refusal_on(error: InvalidStatus, send: Send) -> None:
    answer = error.response
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers.raw_items()]
    passed = proxy_headers.for_client(headers)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": passed})
    await send({"type": "http.response.body", "body": bytes(answer.body or b""), "more_body": False})


async def _converse(module: ClientConnection, client_says: Awaitable[Message], receive: Receive, send: Send) -> None:
    """Pass messages on both ways. Whichever side ends, the other is closed, and with it the other half of this."""
    assert module.response is not None  # noqa: S101 - the handshake is over
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in module.response.headers.raw_items()]
    accepted = [item for item in proxy_headers.for_client(headers) if not item[0].startswith(b"sec-websocket-")]
    await send({"type": "websocket.accept", "subprotocol": module.subprotocol, "headers": accepted})
    try:
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(_to_module(module, client_says, receive))
            both_ways.create_task(_to_client(module, send))
    finally:
        module.transport.abort()  # what was closed properly is closed already


async def _to_module(module: ClientConnection, client_says: Awaitable[Message], receive: Receive) -> None:
    message = await client_says
    try:
        while message["type"] == "websocket.receive":
            text = message.get("text")
            await module.send(message["bytes"] if text is None else text)
            message = await receive()
    except ConnectionClosed:
        return  # the other half hears how
    code = message.get("code", CloseCode.NO_STATUS_RCVD)
    if code in _GONE:
        module.transport.close()
    else:
        await module.close(code, message.get("reason") or "")


async def _to_client(module: ClientConnection, send: Send) -> None:
    try:
        try:
            while True:
                data = await module.recv()
                await send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        except ConnectionClosed as closed:
            code, reason = _how(closed)
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except (OSError, RuntimeError):
        return  # the client is gone, and the other half hears how


def _how(closed: ConnectionClosed) -> tuple[int, str]:
    """Return the code and reason for the client of a connection that the module has closed, or lost."""
    if closed.rcvd is not None:
        return (CloseCode.NORMAL_CLOSURE if closed.rcvd.code in _GONE else closed.rcvd.code), closed.rcvd.reason
    failed = None if closed.sent is None else closed.sent.code
    if failed == CloseCode.MESSAGE_TOO_BIG:
        return CloseCode.MESSAGE_TOO_BIG, f"The module's message is larger than {MAX_MESSAGE_BYTES:,} bytes"
    if failed == CloseCode.INTERNAL_ERROR:
        return CloseCode.BAD_GATEWAY, "The module does not answer"
    return CloseCode.BAD_GATEWAY, "The module broke the connection off"


def _code_for(error: Exception) -> ProblemCode:
    if isinstance(error, ConnectionRefusedError):
        return ProblemCode.MODULE_UNAVAILABLE
    if isinstance(error, TimeoutError):
        return ProblemCode.MODULE_SILENT
    return ProblemCode.MODULE_BROKEN


def _asked(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Leave out what each of the two handshakes says for itself."""
    own = (*_HANDSHAKE, b"content-length", b"transfer-encoding")
    return [(name, value) for name, value in headers if name not in own]
