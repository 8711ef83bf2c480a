"""Opening a server and serving it until it is told to stop."""

import logging
import re
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import structlog
import uvicorn

from placet.cli.errors import FailedError, of_file
from placet.cli.trust import read_trust
from placet.enforcement import Policy
from placet.license.instants import parse_duration, rfc3339
from placet.platform import durations
from placet.platform.layout import DataDirectoryInUse
from placet.platform.limits import Limits, parse_memory
from placet.platform.server import PlatformServer
from placet.platform.sessions import Lifetimes
from placet.platform.websocket_proxy import MAX_MESSAGE_BYTES, PING_SECONDS, PONG_SECONDS
from placet.store.credentials import Role
from placet.store.database import DatabaseUnusable
from placet.store.history import Retention
from placet.store.reach import NOT_REACHED
from placet.web.app import create_app
from placet.web.capped_http import CappedHttp

KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 15

_YEARS = re.compile("([0-9]{1,3})y")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)


def open_server(
    data: Path,
    trust: Path,
    *,
    database_url: str | None = None,
    warn_before: str = "30d",
    instances_last: str = "8h",
    instances_idle: str = "30m",
    keep_hourly: str = "14d",
    keep_daily: str = "3y",
    module_memory: str = "1GiB",
    module_files: int = 1024,
    beat: str = "5s",
    session_lasts: str = "12h",
    session_idle: str = "2h",
    public_url: str | None = None,
    **options: Any,
) -> PlatformServer:
    """Open the server in a data directory with a trust store file; ends the command where that cannot be done."""
    try:
        policy = Policy(warn_before=parse_duration(warn_before))
    except ValueError as error:
        raise click.UsageError(f"--warn-before: {error}") from None
    options["instances_last"] = _period("--instances-last", instances_last)
    options["instances_idle"] = _period("--instances-idle", instances_idle)
    options["front_end_beat"] = _period("--beat", beat)
    options["lifetimes"] = _lifetimes(session_lasts, session_idle)
    options["public_url"] = None if public_url is None else _origin(public_url)
    retention = _retention(keep_hourly, keep_daily)
    try:
        options["limits"] = Limits(memory=parse_memory(module_memory), open_files=module_files)
    except ValueError as error:
        raise click.UsageError(f"--module-memory: {error}.") from None
    store = read_trust(trust)
    try:
        return PlatformServer.open(
            data, store, database_url=database_url, policy=policy, retention=retention, **options
        )
    except (DatabaseUnusable, *NOT_REACHED) as error:
        raise FailedError(str(error)) from None
    except OSError as error:
        raise of_file(error) from None


def _period(option: str, text: str) -> timedelta:
    try:
        return durations.parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}.") from None


def _lifetimes(lasts: str, idle: str) -> Lifetimes:
    lasting, idle_for = _period("--session-lasts", lasts), _period("--session-idle", idle)
    try:
        return Lifetimes(lasting=lasting, idle=idle_for)
    except ValueError as error:
        raise click.UsageError(f"--session-lasts, --session-idle: {error}") from None


def _origin(url: str) -> str:
    """Check where people reach the server: scheme, host and port alone."""
    origin = url.strip().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise click.UsageError(
            f"--public-url: {url[:200]!r} is not an address such as https://placet.example.com. It has a scheme, a "
            "host and perhaps a port, and no path."
        )
    return origin.lower()


def _retention(keep_hourly: str, keep_daily: str) -> Retention:
    periods = {}
    for option, text in (("--keep-hourly", keep_hourly), ("--keep-daily", keep_daily)):
        years = _YEARS.fullmatch(text.strip().lower())
        try:
            periods[option] = timedelta(days=365 * int(years[1])) if years else parse_duration(text)
        except ValueError as error:
            raise click.UsageError(f"{option}: {error}") from None
    try:
        return Retention(hourly=periods["--keep-hourly"], daily=periods["--keep-daily"])
    except ValueError as error:
        raise click.UsageError(f"--keep-hourly, --keep-daily: {error}") from None


def run_server(server: PlatformServer, listener: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve at ``listener`` until a signal says stop; ``announce`` is told the address once everything is up."""
    _configure_logging()
    try:
        with server.layout.held():
            config = uvicorn.Config(
                create_app(server),
                log_config=None,
                access_log=False,
                server_header=False,
                http=CappedHttp,
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PONG_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            serving = _Serving(config, lambda: announce(address_of(listener)), server.stopping.set)
            serving.run(sockets=[listener])
            if not serving.started:
                raise FailedError("The server did not start; the log above says why.")
    except DataDirectoryInUse as error:
        raise FailedError(str(error)) from None
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
    finally:
        server.guard.close()  # once more where it was serving; where it never came to that, for the first time


class _Serving(uvicorn.Server):
    """A server that says when it is up, and when it begins to stop."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._up = up
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._up()
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: answers that would go on for ever end by themselves."""
        self._stopping()
        await super().shutdown(sockets)


def listening(host: str, port: int) -> socket.socket:
    """Listen at an address, before anything is made that would be left behind where that cannot be done."""
    if not host:
        raise click.UsageError("--host is empty. Write 0.0.0.0 to listen at every address of the machine.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        why = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise FailedError(
            f"Cannot listen at {host}, port {port}: {why}. Name another with --host and --port."
        ) from None
    # What is accepted inherits it. Without it, the second part of an answer waits 40 ms for the first one's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """Answer the URL of what listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def first_sign_in(server: PlatformServer, address: str) -> str | None:
    """Answer what to say of the first administrator's way in; ``None`` where there is an administrator.

    The link is told once: of several servers that start with one database, by the first.
    """
    first = server.people.sign_ins.first()
    if first is None:
        return None
    if first.code is None:
        until = rfc3339(first.ends_at.replace(microsecond=0))
        return (
            "There is no administrator yet. A one-time link to sign in was printed before, at an earlier start or by "
            f"another server on this database, and works until {until}. Another one is printed by: placet admin sign-in"
        )
    link = f"{server.public_url or address}/service-center/sign-in?code={first.code}"
    return f"There is no administrator yet. Sign in once, within a day, in the Service Center: {link}"


def sign_in_link(server: PlatformServer, address: str) -> str:
    """Answer a link that signs an administrator in once."""
    code = server.people.one_time_sign_in("administrator", Role.ADMINISTRATOR)
    return f"{server.public_url or address}/service-center/sign-in?code={code}"


def _configure_logging() -> None:
    """One line of JSON for each event, on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("psycopg").setLevel(
        logging.ERROR
    )  # its warnings repeat, for each lost connection, what is raised
