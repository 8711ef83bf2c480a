"""Servers of one case over HTTP, each in a process of its own: ``python serving.py KIND DIRECTORY``.

Each prints its port and a token, and serves until its standard input ends, by the same HTTP server with the same
settings. The floor is an ASGI application and ``sqlite3``: every request is a durable transaction of its own.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from installing import terms, trust_store

from placet.cli.serving import listening
from placet.license import Grant, SigningKey, TrustStore, issue
from placet.platform.server import PlatformServer
from placet.store.credentials import Role
from placet.web.capped_http import CappedHttp


def placet(directory: Path) -> tuple[Any, str]:
    """A Platform Server, and a token of it."""
    from placet.web.app import create_app  # noqa: PLC0415 (the floor does without)

    key = SigningKey.generate()
    server = PlatformServer.open(directory, TrustStore.from_jwks(trust_store(key)))
    granted = msgspec.structs.replace(terms(server.guard.status().serial_number), features={})
    server.guard.install(issue(granted, [key]))
    return create_app(server), server.people.create_token("bench", Role.DEVELOPER, actor="bench")[1]


def pages(directory: Path, amount: str) -> tuple[Any, str]:
    """A Platform Server with ``many`` or ``few`` of everything, and a token of an administrator of it."""
    from planting import FEW, MANY, plant  # noqa: PLC0415

    from placet.web.app import create_app  # noqa: PLC0415

    key = SigningKey.generate()
    server = PlatformServer.open(directory, TrustStore.from_jwks(trust_store(key)))
    features = {
        **{name: Grant(kind="switch") for name in ("run", "debugger", "test_query")},
        **{name: Grant(kind="limit", limit=20_000) for name in ("software_units", "users")},
        "front_end_servers": Grant(kind="limit", limit=2),
        "private_instances": Grant(kind="seats", limit=10),
        "test_queries": Grant(kind="metered", limit=10**9),
    }
    granted = msgspec.structs.replace(terms(server.guard.status().serial_number), features=features)
    server.guard.install(issue(granted, [key]))
    plant(server.guard, MANY if amount == "many" else FEW)
    return create_app(server), server.people.create_token("bench", Role.ADMINISTRATOR, actor="bench")[1]


def page_floor(_: Path) -> tuple[Any, str]:
    """An empty page of the same framework: nobody is asked who it is, nothing is read."""
    from litestar import Litestar, MediaType, get  # noqa: PLC0415

    @get("/", media_type=MediaType.HTML)
    async def empty() -> str:
        return "<!doctype html><html lang=en><title>Empty</title></html>"

    return Litestar([empty], openapi_config=None, logging_config=None), "none"


def floor(directory: Path) -> tuple[Any, str]:
    """What one would write by hand: no check of anybody, no license."""
    connection = sqlite3.connect(directory / "floor.sqlite3", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE totals (feature VARCHAR(63) PRIMARY KEY, used BIGINT NOT NULL)",
        "CREATE TABLE consumed (key VARCHAR(200) PRIMARY KEY, amount BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL)",
        "INSERT INTO totals VALUES ('calls', 0)",
    ):
        connection.execute(statement)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        amount, key = json.loads((await receive())["body"])["amount"], dict(scope["headers"])[b"idempotency-key"]
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO consumed VALUES (?, ?, ?)", (key.decode(), amount, time.time()))
        connection.execute(
            "UPDATE totals SET used = used + ? WHERE feature = 'calls' AND used + ? <= 1000000000000", (amount, amount)
        )
        connection.execute("COMMIT")
        body = json.dumps({"key": key.decode(), "amount": amount}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application, "none"


def main(kind: str, directory: str, *options: str) -> None:
    """Serve."""
    import uvicorn  # noqa: PLC0415

    application, token = KINDS[kind](Path(directory), *options)
    listener = listening("127.0.0.1", 0)
    threading.Thread(target=_stop_with_input, daemon=True).start()
    print(listener.getsockname()[1], token, flush=True)
    config = uvicorn.Config(application, log_config=None, access_log=False, server_header=False, http=CappedHttp)
    uvicorn.Server(config).run(sockets=[listener])


def _stop_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


KINDS = {"placet": placet, "floor": floor, "pages": pages, "page-floor": page_floor}

if __name__ == "__main__":
    main(*sys.argv[1:])
