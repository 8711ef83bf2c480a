"""Private instances over HTTP: runs, and debug sessions."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.params import RawBody

from placet.license.instants import rfc3339
from placet.platform.instances import Instance, Purpose
from placet.platform.server import PlatformServer
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import ARCHIVE_BODY, InstanceId, Server
from placet.web.render import notice_members


class RunController(Controller):
    """``/api/v1/runs``."""

    path = "/api/v1/runs"
    tags = ("runs",)

    @post(opt=requires(Access.SIGNED_IN), request_max_body_size=ARCHIVE_BODY, sync_to_thread=True)
    def start(self, server: Server, request: Request[Any, Any, Any], body: RawBody) -> dict[str, Any]:
        """Run the module whose zip is the body privately, at ``/personal/{id}/``."""
        server.notice()
        return _instance(server.instances.start(body, Purpose.RUN, actor=caller_of(request).name))

    @get(opt=requires(Access.SIGNED_IN))
    async def runs(self, server: Server, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        """The caller's runs; an administrator sees everybody's."""
        return _visible(server, request, Purpose.RUN)

    @get("/{instance_id:str}", opt=requires(Access.SIGNED_IN))
    async def run(self, server: Server, instance_id: InstanceId) -> dict[str, Any]:
        """One run, with the end of what it has printed."""
        return _with_output(server.instances.find(instance_id, Purpose.RUN))

    @delete("/{instance_id:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def stop(self, server: Server, request: Request[Any, Any, Any], instance_id: InstanceId) -> dict[str, Any]:
        """Stop a run."""
        server.instances.stop(instance_id, Purpose.RUN, actor=caller_of(request).name)
        return {"id": instance_id, "stopped": True}


class DebugController(Controller):
    """``/api/v1/debug-sessions``."""

    path = "/api/v1/debug-sessions"
    tags = ("debug sessions",)

    @post(opt=requires(Access.SIGNED_IN), request_max_body_size=ARCHIVE_BODY, sync_to_thread=True)
    def start(self, server: Server, request: Request[Any, Any, Any], body: RawBody) -> dict[str, Any]:
        """Run the module whose zip is the body under a debugger, and answer where its DAP server listens."""
        server.notice()
        return _instance(server.instances.start(body, Purpose.DEBUG, actor=caller_of(request).name))

    @get(opt=requires(Access.SIGNED_IN))
    async def sessions(self, server: Server, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        """The caller's debug sessions; an administrator sees everybody's."""
        return _visible(server, request, Purpose.DEBUG)

    @get("/{instance_id:str}", opt=requires(Access.SIGNED_IN))
    async def session(self, server: Server, instance_id: InstanceId) -> dict[str, Any]:
        """One debug session, with the end of what it has printed."""
        return _with_output(server.instances.find(instance_id, Purpose.DEBUG))

    @delete("/{instance_id:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def stop(self, server: Server, request: Request[Any, Any, Any], instance_id: InstanceId) -> dict[str, Any]:
        """Stop a debug session."""
        server.instances.stop(instance_id, Purpose.DEBUG, actor=caller_of(request).name)
        return {"id": instance_id, "stopped": True}


def _visible(server: PlatformServer, request: Request[Any, Any, Any], purpose: Purpose) -> list[dict[str, Any]]:
    caller = caller_of(request)
    found = server.instances.all(purpose)
    return [_instance(item) for item in found if caller.is_administrator or item.started_by == caller.name]


def _instance(instance: Instance) -> dict[str, Any]:
    members = {
        "id": instance.id,
        "url": f"{instance.root_path}/",
        "module": instance.module,
        "version": instance.version,
        "started_at": rfc3339(instance.started_at.replace(microsecond=0)),
        "expires_at": rfc3339(instance.expires_at.replace(microsecond=0)),
        "started_by": instance.started_by,
        "alive": instance.worker.is_alive(),
        "warnings": notice_members(instance.decision.warnings),
    }
    if instance.debugger is not None:
        members |= {"host": instance.debugger.host, "port": instance.debugger.port}
    return members


def _with_output(instance: Instance) -> dict[str, Any]:
    return _instance(instance) | {"output": instance.worker.tail(200)}
