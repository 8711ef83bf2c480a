"""The front-ends over HTTP: the servers that share the database, and what each of them may do."""

from typing import Any

import msgspec
from litestar import Controller, get

from placet.license.instants import rfc3339
from placet.platform.server import PlatformServer
from placet.store.front_ends import FrontEnd
from placet.web.access import Access, requires
from placet.web.api.parameters import OperationName, Server
from placet.web.problems import Problem


class FrontEndController(Controller):
    """``/api/v1/front-ends``."""

    path = "/api/v1/front-ends"
    tags = ("front-ends",)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def front_ends(self, server: Server) -> list[dict[str, Any]]:
        """The servers that share this one's database. ``answering`` is the one that answers."""
        server.notice()
        return [_members(server, item) for item in server.front_ends()]


class OperationController(Controller):
    """``/api/v1/operations``."""

    path = "/api/v1/operations"
    tags = ("license",)

    @get("/{name:str}", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def decision(self, server: Server, name: OperationName) -> dict[str, Any]:
        """Whether an operation may happen on this server now: 200 either way, ``allowed`` says which.

        No amounts are asked about. Answered by what is known where the database cannot be reached.
        """
        if name not in {task.name for task in server.guard.product.tasks}:
            known = ", ".join(task.name for task in server.guard.product.tasks)
            detail = f"There is no operation {name!r}. There are: {known}."
            raise Problem("unknown_operation", title="No such operation", status=404, detail=detail)
        server.notice()
        decision = server.front_end.decide(name)
        members: dict[str, Any] = msgspec.to_builtins(decision)
        return members | {"operation": name}


def _members(server: PlatformServer, item: FrontEnd) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "address": item.address,
        "version": item.version,
        "license_digest": item.license_digest,
        "registered": item.registered,
        "answering": item.id == server.front_end.id,
        "started_at": rfc3339(item.started_at.replace(microsecond=0)),
        "beaten_at": rfc3339(item.beaten_at.replace(microsecond=0)),
    }
