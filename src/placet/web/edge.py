"""The outermost layer: published modules and private instances go to their workers, everything else to the API.

``/apps/<name>/`` is the public area: whoever reaches the server may call it, and the modules decide the rest.
``/personal/<id>/`` is its owner's alone. Neither depends on the license: what serves keeps serving.
"""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from placet.platform.instances import Instance, UnknownInstance
from placet.platform.problems import ProblemCode
from placet.platform.proxy import READ_TIMEOUT_SECONDS, Proxy, Receive, Scope, Send
from placet.platform.proxy_problem import ProblemPage, is_for_a_browser, page_answer
from placet.platform.server import PlatformServer
from placet.platform.supervisor import WorkerState
from placet.platform.websocket_proxy import refusing
from placet.store.reach import NOT_REACHED
from placet.web import personal
from placet.web.problems import to_problem

APPS = "apps"
PERSONAL = "personal"
START_WAIT_SECONDS = 5.0
START_LOOK_SECONDS = 0.05

_VARY = (b"vary", b"Accept")
_TUNNEL = re.compile("/api/v1/debug-sessions/[^/]+/tunnel")
_NO_WEBSOCKET = {
    "type": "/problems/not_found",
    "title": "Not Found",
    "status": 404,
    "detail": "The server itself has no WebSockets; modules may have, under /apps/ and /personal/.",
    "code": "not_found",
}


class Edge:
    """An ASGI application that routes between the workers and ``api``, the ASGI application of everything else.

    ``front`` stands before ``api`` for requests; the lifespan is ``api``'s. Where no worker can answer, programs get a
    problem document and browsers a page.
    """

    def __init__(self, server: PlatformServer, api: Any, front: Any, problem_page: ProblemPage) -> None:
        self._server = server
        self._api = api
        self._front = front
        self._problem_page = problem_page
        self._proxy = Proxy(problem_page=problem_page)
        server.supervisor.busy = self._proxy.is_busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            await self._api(scope, receive, send)
            await self._proxy.aclose()
            return
        _, area, *rest = [*scope["path"].split("/", 3), ""][:4]
        if area not in {APPS, PERSONAL} or not rest or not rest[0]:
            if scope["type"] == "websocket" and not _TUNNEL.fullmatch(scope["path"]):
                await _answer_problem(refusing(scope, send), _NO_WEBSOCKET)
            else:
                await self._front(scope, receive, send)
        elif scope["path"].count("/") == 2:
            # Quoted anew: decoded, a name may hold a line end, which would be a header of its own.
            await _redirect(
                refusing(scope, send), f"/{area}/{quote(rest[0], safe='')}/", scope.get("query_string", b"")
            )
        else:
            await self._pass_on(area, rest[0], scope, receive, send)

    async def _pass_on(self, area: str, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        if area == PERSONAL:
            await self._pass_on_to_instance(name, scope, receive, send)
            return
        if not self._server.is_serving(name):
            await self._not_found(scope, refusing(scope, send), area, name)
            return
        socket = await self._socket_for(name)
        if socket is None:
            status = self._server.supervisor.state(name)
            crashes = status is not None and status.state is WorkerState.CRASH_LOOP
            code = ProblemCode.MODULE_CRASHING if crashes else ProblemCode.MODULE_UNAVAILABLE
            await self._proxy.unavailable(scope, send, code)
            return
        self._server.obsolete.see(name)
        await self._proxy(scope, receive, send, socket_path=socket, root_path=f"/{area}/{name}")
        if scope["type"] == "websocket":  # one may have lasted for long
            self._server.obsolete.see(name)

    async def _pass_on_to_instance(self, instance_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        instance, answer = self._instance(instance_id), refusing(scope, send)
        if instance is None:
            await self._not_found(scope, answer, PERSONAL, instance_id)
        elif personal.follows_link(scope, instance):
            await personal.let_in(scope, send, instance)
        elif not await self._is_admitted(scope, answer, instance):
            return
        elif not instance.worker.is_alive():
            await self._proxy.unavailable(scope, send)
        else:
            with instance.activity.use():
                await self._proxy(
                    personal.without_key(scope),
                    receive,
                    send,
                    socket_path=instance.worker.socket_path,
                    root_path=instance.root_path,
                    read_timeout_seconds=READ_TIMEOUT_SECONDS if instance.debugger is None else None,
                )

    async def _is_admitted(self, scope: Scope, send: Send, instance: Instance) -> bool:
        """Whether the instance may be reached; where it may not, that is answered."""
        try:
            if await personal.is_admitted(scope, instance, self._server.people):
                return True
        except NOT_REACHED as error:
            await _answer_problem(send, to_problem(error).document())
            return False
        await self._not_found(scope, send, PERSONAL, instance.id)
        return False

    async def _not_found(self, scope: Scope, send: Send, area: str, name: str) -> None:
        code = "unknown_module" if area == APPS else "unknown_instance"
        if is_for_a_browser(scope):
            for message in page_answer(code, 404, self._problem_page):
                await send(message)
        else:
            await _answer_problem(send, _not_found(code, name))

    async def _socket_for(self, name: str) -> Path | None:
        """The socket of a module; while it is being started, for the first time or again, a request waits a little."""
        supervisor = self._server.supervisor
        for _ in range(round(START_WAIT_SECONDS / START_LOOK_SECONDS)):
            socket, status = supervisor.socket_for(name), supervisor.state(name)
            if socket is not None or not self._server.is_serving(name):
                return socket
            if status is not None and status.state is WorkerState.CRASH_LOOP:
                return socket
            await asyncio.sleep(START_LOOK_SECONDS)
        return supervisor.socket_for(name)

    def _instance(self, instance_id: str) -> Instance | None:
        try:
            return self._server.instances.find(instance_id)
        except UnknownInstance:
            return None


async def _redirect(send: Send, location: str, query: bytes) -> None:
    target = location.encode() + (b"?" + query if query else b"")
    await _answer(send, 308, b"", [(b"location", target)])


def _not_found(code: str, name: str) -> dict[str, Any]:
    is_module = code == "unknown_module"
    what = f"No module named {name[:80]!r} is published" if is_module else "No private instance of that id runs"
    return {
        "type": f"/problems/{code}",
        "title": "Nothing is served here",
        "status": 404,
        "detail": f"{what} on this server.",
        "code": code,
    }


async def _answer_problem(send: Send, document: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/problem+json"), _VARY]
    await _answer(send, document["status"], msgspec.json.encode(document), headers)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"x-content-type-options", b"nosniff"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
