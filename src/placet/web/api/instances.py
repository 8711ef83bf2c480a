"""Private instances over HTTP: runs, and debug sessions.

Each is its developer's own. An administrator sees that it exists and may stop it, and neither reaches it nor reads what
it prints; to everybody else there is none of that id.
"""

from datetime import datetime
from typing import Any

from litestar import Controller, Request, WebSocket, delete, get, post, websocket
from litestar.params import RawBody

from placet.license.instants import rfc3339
from placet.platform.instances import NO_SUCH_INSTANCE, Instance, Purpose, UnknownInstance
from placet.platform.server import PlatformServer
from placet.store.credentials import Kind
from placet.web.access import Access, Caller, caller_of, requires
from placet.web.api.parameters import ARCHIVE_BODY, InstanceId, Server, flags
from placet.web.personal import link_of
from placet.web.problems import to_problem
from placet.web.render import notice_members
from placet.web.tunnel import carry

AnyRequest = Request[Any, Any, Any]


class RunController(Controller):
    """``/api/v1/runs``."""

    path = "/api/v1/runs"
    tags = ("runs",)

    @post(opt=requires(Access.SIGNED_IN), request_max_body_size=ARCHIVE_BODY, sync_to_thread=True)
    def start(self, server: Server, request: AnyRequest, body: RawBody) -> dict[str, Any]:
        """Run the module whose zip is the body privately, at ``/personal/{id}/``; ``?empty`` without published data."""
        return _started(server, request, body, Purpose.RUN)

    @get(opt=requires(Access.SIGNED_IN))
    async def runs(self, server: Server, request: AnyRequest) -> list[dict[str, Any]]:
        """The caller's runs; an administrator sees everybody's."""
        return _visible(server, request, Purpose.RUN)

    @get("/{instance_id:str}", opt=requires(Access.SIGNED_IN))
    async def run(self, server: Server, request: AnyRequest, instance_id: InstanceId) -> dict[str, Any]:
        """One run; to its developer with the end of what it has printed."""
        return _with_output(server, request, instance_id, Purpose.RUN)

    @delete("/{instance_id:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def stop(self, server: Server, request: AnyRequest, instance_id: InstanceId) -> dict[str, Any]:
        """Stop a run."""
        return _stopped(server, request, instance_id, Purpose.RUN)


class DebugController(Controller):
    """``/api/v1/debug-sessions``."""

    path = "/api/v1/debug-sessions"
    tags = ("debug sessions",)

    @post(opt=requires(Access.SIGNED_IN), request_max_body_size=ARCHIVE_BODY, sync_to_thread=True)
    def start(self, server: Server, request: AnyRequest, body: RawBody) -> dict[str, Any]:
        """Run the module whose zip is the body under a debugger, and answer where its DAP server listens.

        ``?empty`` without published data, ``?wait``: the module is imported when an editor has attached.
        """
        return _started(server, request, body, Purpose.DEBUG)

    @websocket("/{instance_id:str}/tunnel", opt=requires(Access.SIGNED_IN))
    async def tunnel(self, socket: WebSocket[Any, Any, Any], server: Server, instance_id: InstanceId) -> None:
        """Carry the bytes of the Debug Adapter Protocol between the developer's editor and the debugger.

        By token alone: a browser opens WebSockets for any site's page and sends its cookies along.
        """
        caller, instance = caller_of(socket), server.instances.find(instance_id, Purpose.DEBUG)
        if not _owns(instance, caller) or caller.credential.kind is not Kind.TOKEN or instance.debugger is None:
            raise UnknownInstance(NO_SUCH_INSTANCE)
        with instance.activity.use():
            await carry(socket, instance.debugger.host, instance.debugger.port)

    @get(opt=requires(Access.SIGNED_IN))
    async def sessions(self, server: Server, request: AnyRequest) -> list[dict[str, Any]]:
        """The caller's debug sessions; an administrator sees everybody's."""
        return _visible(server, request, Purpose.DEBUG)

    @get("/{instance_id:str}", opt=requires(Access.SIGNED_IN))
    async def session(self, server: Server, request: AnyRequest, instance_id: InstanceId) -> dict[str, Any]:
        """One debug session; to its developer with the end of what it has printed."""
        return _with_output(server, request, instance_id, Purpose.DEBUG)

    @delete("/{instance_id:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def stop(self, server: Server, request: AnyRequest, instance_id: InstanceId) -> dict[str, Any]:
        """Stop a debug session."""
        return _stopped(server, request, instance_id, Purpose.DEBUG)


def _started(server: PlatformServer, request: AnyRequest, body: bytes, purpose: Purpose) -> dict[str, Any]:
    server.notice()
    caller, names = caller_of(request), ("empty", "wait") if purpose is Purpose.DEBUG else ("empty",)
    return _instance(server.instances.start(body, purpose, actor=caller.name, **flags(request, *names)), caller)


def _stopped(server: PlatformServer, request: AnyRequest, instance_id: str, purpose: Purpose) -> dict[str, Any]:
    instance = _found(server, request, instance_id, purpose)
    server.instances.stop(instance.id, purpose, actor=caller_of(request).name)
    return {"id": instance.id, "stopped": True}


def _visible(server: PlatformServer, request: AnyRequest, purpose: Purpose) -> list[dict[str, Any]]:
    caller = caller_of(request)
    return [_instance(item, caller) for item in server.instances.all(purpose) if _may_see(item, caller)]


def _found(server: PlatformServer, request: AnyRequest, instance_id: str, purpose: Purpose) -> Instance:
    instance = server.instances.find(instance_id, purpose)
    if not _may_see(instance, caller_of(request)):
        raise UnknownInstance(NO_SUCH_INSTANCE)
    return instance


def _may_see(instance: Instance, caller: Caller) -> bool:
    return caller.is_administrator or _owns(instance, caller)


def _owns(instance: Instance, caller: Caller) -> bool:
    return instance.started_by == caller.name


def _instance(instance: Instance, caller: Caller) -> dict[str, Any]:
    members = {
        "id": instance.id,
        "url": f"{instance.root_path}/",
        "module": instance.module,
        "version": instance.version,
        "started_at": _instant(instance.started_at),
        "expires_at": _instant(instance.expires_at),
        "idle_seconds": int(instance.idle_lasts.total_seconds()),
        "last_used_at": _instant(instance.activity.last_used_at),
        "started_by": instance.started_by,
        "database": instance.starts_from,
        "alive": instance.worker.is_alive(),
        "warnings": notice_members(instance.decision.warnings),
    }
    if not _owns(instance, caller):
        return members
    members["link"] = link_of(instance)
    if instance.debugger is not None:
        debugger = instance.debugger
        members |= {"host": debugger.host, "port": debugger.port, "remote_root": str(instance.directory)}
        members["waiting"] = instance.worker.is_waiting
    return members


def _instant(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0))


def _with_output(server: PlatformServer, request: AnyRequest, instance_id: str, purpose: Purpose) -> dict[str, Any]:
    instance, caller = _found(server, request, instance_id, purpose), caller_of(request)
    if not _owns(instance, caller):
        return _instance(instance, caller)
    told: dict[str, Any] = {"output": instance.worker.tail(200)}
    if instance.worker.problem is not None:
        told["problem"] = to_problem(instance.worker.problem).document()
    return _instance(instance, caller) | told
