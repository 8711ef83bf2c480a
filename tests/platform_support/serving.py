"""Serves an ASGI function, or a worker behind the proxy, on loopback by a real server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from placet.platform.proxy import Proxy
from placet.platform.websocket_proxy import MAX_MESSAGE_BYTES


@contextmanager
def serving(handle: Callable[..., Any], **options: Any) -> Iterator[str]:
    """Serve an ASGI function; answers host and port."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            started.set()

    settings = {
        "timeout_graceful_shutdown": 5,
        "lifespan": "off",
        "log_level": "critical",
        "ws": "websockets-sansio",
        "ws_max_size": MAX_MESSAGE_BYTES,
    }
    server = Server(uvicorn.Config(handle, host="127.0.0.1", port=0, **settings | options))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(10)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def worker_behind_proxy(
    socket_path: Path, proxy: Proxy | None = None, *, server: dict[str, Any] | None = None, **options: Any
) -> Iterator[str]:
    """Serve a worker through a proxy, at /apps/orders/; answers host and port."""
    passing = proxy or Proxy()

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await passing(scope, receive, send, socket_path=socket_path, root_path="/apps/orders", **options)

    with serving(handle, **server or {}) as address:
        yield address
