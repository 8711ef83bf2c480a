"""A module's log over HTTP: its last lines, and what comes after them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio.to_thread
from litestar import Controller, Response, get
from litestar.params import Parameter
from litestar.response import Stream

from placet.platform.logs import LogReader
from placet.platform.published import unknown_module
from placet.platform.server import PlatformServer
from placet.store import modules
from placet.web.access import Access, requires
from placet.web.api.parameters import ModuleName, Server

LOOK_SECONDS = 0.25
MOST_LINES = 10_000
MEDIA_TYPE = "text/plain"

Lines = Annotated[int, Parameter(ge=0, le=MOST_LINES, description="How many of the last lines")]
Follow = Annotated[str, Parameter(pattern="^(|1|true|yes|0|false|no)$", description="Go on with what is added")]


class ModuleLogController(Controller):
    """``/api/v1/modules/{name}/logs``."""

    path = "/api/v1/modules"
    tags = ("modules",)

    @get("/{name:str}/logs", opt=requires(Access.SIGNED_IN))
    async def log(self, server: Server, name: ModuleName, lines: Lines = 200, follow: Follow = "no") -> Response[Any]:
        """The last lines of a module's log on this server, each with its time.

        ``?follow`` goes on with what is added, until the module is deleted or either side ends.
        """
        if not await anyio.to_thread.run_sync(_is_published, server, name):
            raise unknown_module(name)
        reader = LogReader(server.layout.log(name))
        if follow in {"0", "false", "no"}:
            try:
                found = await anyio.to_thread.run_sync(reader.start, lines)
            finally:
                reader.close()
            return Response(b"".join(found), media_type=MEDIA_TYPE)
        return Stream(
            _followed(server, name, reader, lines), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"}
        )


async def _followed(server: PlatformServer, name: str, reader: LogReader, lines: int) -> AsyncIterator[bytes]:
    try:
        found = await anyio.to_thread.run_sync(reader.start, lines)
        while True:
            if found:
                yield b"".join(found)
            else:
                await asyncio.sleep(LOOK_SECONDS)
            goes_on = not server.stopping.is_set() and server.is_serving(name)
            found = await anyio.to_thread.run_sync(reader.read)
            if not goes_on and not found:
                return
    finally:
        reader.close()


def _is_published(server: PlatformServer, name: str) -> bool:
    with server.guard.database.read() as connection:
        return modules.active_version(connection, name) is not None
