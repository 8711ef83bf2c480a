"""Serves one module version on a Unix socket. Run as a script, in a process of its own.

Reads `WorkerOrders` as JSON from standard input. The last two arguments are descriptors: one to report `Readiness`
on, and one on which the server says when to run which timer.
"""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn

from placet.platform.failures import Failure
from placet.platform.loading import add_paths, load
from placet.platform.problems import ProblemCode
from placet.platform.timers import Schedule, serve_timers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_KEEP_ALIVE_SECONDS = 75


class WorkerOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and where: absolute paths, the path prefix, and seconds for requests to end when stopping.

    `max_message_bytes` bounds what comes through a WebSocket at a time.
    """

    entrypoint: str
    directory: str
    site: str | None
    socket_path: str
    root_path: str
    debug: bool
    wait: bool
    grace_seconds: float
    max_message_bytes: int
    open_files: int
    address_space: int
    timers: tuple[Schedule, ...]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The application has started and the socket accepts, or why not; before that, that it is `waiting` for an editor.

    `debugger` is host and port of the debug adapter.
    """

    failure: Failure | None = None
    waiting: bool = False
    debugger: tuple[str, int] | None = None


class _Server(uvicorn.Server):
    """Calls back once its socket accepts, and runs the timers from then on."""

    def __init__(
        self, config: uvicorn.Config, on_ready: "Callable[[], None]", timers: "Callable[[], Coroutine[Any, Any, None]]"
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._timers = timers
        self._running: asyncio.Task[None] | None = None

    async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._running = asyncio.create_task(self._timers())
            self._on_ready()

    async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
        if self._running is not None:
            self._running.cancel()
        await super().shutdown(sockets=sockets)


class _Application:
    """The module's application, with the exception kept that its start raises."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.error: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        try:
            await self._application(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise


def listen_for_debugger() -> tuple[str, int]:
    """Start the debug adapter, which leaves this process group, and return its address."""
    import debugpy  # noqa: PLC0415, T100 - costs half a second, and only debug sessions need it

    debugpy.configure(subProcess=False)
    host, port = debugpy.listen(("127.0.0.1", 0))  # noqa: T100 - the debugger is what was asked for
    return str(host), int(port)


def wait_for_editor() -> None:
    """Wait until an editor has attached and set its breakpoints."""
    import debugpy  # noqa: PLC0415, T100

    debugpy.wait_for_client()  # noqa: T100


def serve(orders: WorkerOrders, report: "Callable[[Failure | None], None]", channel: socket.socket) -> None:
    """Import the module and serve it until told to stop; report once whether it started."""
    directory = Path(orders.directory)
    add_paths(directory, orders.site)
    loaded = load(orders.entrypoint, directory, site=orders.site)
    timers = {timer: load(timer.call, directory, site=orders.site, expected="a function") for timer in orders.timers}
    failures = [found for found in (loaded, *timers.values()) if isinstance(found, Failure)]
    if failures:
        report(failures[0])
        return
    application = _Application(loaded)
    server = _Server(_config(application, orders), lambda: report(None), lambda: serve_timers(channel, timers))
    try:
        server.run()
    except SystemExit:
        if server.started:
            raise
        error = application.error or RuntimeError("the application reported that its start failed")
        report(Failure.of(ProblemCode.START_FAILED, error, directory))


def _is_no_access(record: logging.LogRecord) -> bool:
    """Keep the lines about each WebSocket out of the log, as those about each request are: they hold its query."""
    return '"WebSocket ' not in str(record.msg)


def _config(application: _Application, orders: WorkerOrders) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_is_no_access)
    return uvicorn.Config(
        application,
        uds=orders.socket_path,
        root_path=orders.root_path,
        # Only the server can reach the socket, so what it says about the client is true.
        proxy_headers=True,
        forwarded_allow_ips="*",
        server_header=False,
        date_header=False,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=orders.max_message_bytes,
        ws_per_message_deflate=False,
        # The server asks after its clients and after this process; both ends of the socket are on one machine.
        ws_ping_interval=None,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(orders.grace_seconds * 0.8)),
    )


def limit(orders: WorkerOrders) -> None:
    """Bound what this process and all it starts may use; where the machine runs out of memory, it goes first."""
    bounds = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, orders.open_files),
        (resource.RLIMIT_AS, orders.address_space),
    )
    for which, wanted in bounds:
        most = resource.getrlimit(which)[1]
        bound = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(which, (bound, bound))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def main() -> None:
    """Serve as ordered; ends with status 1 when the module could not be started."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerOrders)
    report_to, timers = (int(argument) for argument in sys.argv[-2:])
    for descriptor in (report_to, timers):
        os.set_inheritable(descriptor, False)
    sys.argv[:] = [orders.entrypoint]
    limit(orders)
    address = listen_for_debugger() if orders.debug else None
    failed = False

    def tell(failure: Failure | None = None, *, waiting: bool = False) -> None:
        readiness = Readiness(failure=failure, waiting=waiting, debugger=address)
        with os.fdopen(report_to, "wb", closefd=not waiting) as file:
            file.write(msgspec.json.encode(readiness) + b"\n")

    def report(failure: Failure | None) -> None:
        nonlocal failed
        failed = failure is not None
        with contextlib.suppress(BrokenPipeError):  # a session that waited may have been given up meanwhile
            tell(failure)

    if orders.wait:
        tell(waiting=True)
        wait_for_editor()
    serve(orders, report, socket.socket(fileno=timers))
    # Threads that the module left must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
