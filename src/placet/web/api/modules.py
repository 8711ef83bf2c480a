"""Modules over HTTP: publish, list and delete."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.params import JSONBody, RawBody
from msgspec import Meta

from placet.license.instants import rfc3339
from placet.platform.publish import Listener
from placet.platform.published import Published, unknown_module
from placet.platform.server import PlatformServer
from placet.platform.units import DEFAULT_WEIGHTS
from placet.store import module_use, module_work, modules
from placet.store.modules import ModuleVersion
from placet.web.access import Access, caller_of, requires
from placet.web.api import live
from placet.web.api.parameters import ARCHIVE_BODY, ModuleName, Server, flags
from placet.web.render import notice_members, rfc3339_or_none


class Rollback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to roll back to: a version, or the id of one; without it, the version before the one that serves."""

    version: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


@get("/api/v1/publishes", opt=requires(Access.SIGNED_IN), tags=["modules"], sync_to_thread=True)
def publishes(server: Server) -> list[dict[str, Any]]:
    """Who is publishing, rolling back or deleting which module at this moment, on any server of the farm."""
    with server.guard.database.read() as connection:
        found = module_work.all_work(connection)
    return [
        {"module": work.module, "kind": work.kind, "version": work.version, "actor": work.actor}
        | {"since": rfc3339(work.since), "front_end": work.front_end}
        for work in found
    ]


class ModuleController(Controller):
    """``/api/v1/modules``."""

    path = "/api/v1/modules"
    tags = ("modules",)

    @post(opt=requires(Access.SIGNED_IN), request_max_body_size=ARCHIVE_BODY, sync_to_thread=True)
    def publish(self, server: Server, request: Request[Any, Any, Any], body: RawBody) -> Response[dict[str, Any]]:
        """Publish the module whose zip is the body. ``?dry_run`` answers what it would do.

        Whoever accepts ``text/event-stream`` is told each step as it happens.
        """
        dry_run, actor = flags(request, "dry_run")["dry_run"], caller_of(request).name
        server.notice()

        def work(listener: Listener | None) -> dict[str, Any]:
            return _published(server.publisher.publish(body, actor=actor, dry_run=dry_run, listener=listener))

        return live.answer(request, work, status=200 if dry_run else 201)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def modules(self, server: Server) -> list[dict[str, Any]]:
        """The published modules."""
        with server.guard.database.read() as connection:
            served = module_use.last_served(connection)
            return [_module(server, version, served) for version in modules.active_versions(connection)]

    @get("/{name:str}", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def module(self, server: Server, name: ModuleName) -> dict[str, Any]:
        """One module, with each element that counts and why."""
        version = _active(server, name)
        with server.guard.database.read() as connection:
            served = module_use.last_served(connection)
        return _module(server, version, served) | {"elements": version.elements}

    @get("/{name:str}/units", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def units(self, server: Server, name: ModuleName) -> dict[str, Any]:
        """The module's Software Units: each element that counts, its weight and why. The sum is what counts."""
        version = _active(server, name)
        return {
            "name": name,
            "version": version.version,
            "units": version.units,
            "elements": version.elements,
            "weights": msgspec.to_builtins(DEFAULT_WEIGHTS),
        }

    @get("/{name:str}/versions", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def versions(self, server: Server, name: ModuleName) -> list[dict[str, Any]]:
        """The versions that are kept of a module, newest first; to any of them it can be rolled back."""
        active = _active(server, name)
        with server.guard.database.read() as connection:
            kept = modules.versions_of(connection, name)
        return [_version(version) | {"id": version.id, "active": version.id == active.id} for version in kept]

    @post("/{name:str}/rollback", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def rollback(
        self, server: Server, request: Request[Any, Any, Any], name: ModuleName, data: JSONBody[Rollback]
    ) -> Response[dict[str, Any]]:
        """Let an earlier version serve again: the one named, or the one before. Asks like a publish."""
        dry_run, actor = flags(request, "dry_run")["dry_run"], caller_of(request).name
        server.notice()

        def work(listener: Listener | None) -> dict[str, Any]:
            done = server.publisher.rollback(name, data.version, actor=actor, dry_run=dry_run, listener=listener)
            return _published(done)

        return live.answer(request, work, status=200)

    @delete("/{name:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def delete(self, server: Server, request: Request[Any, Any, Any], name: ModuleName) -> dict[str, Any]:
        """Delete a module, whatever the license says. Its database is put aside, not destroyed."""
        kept = server.publisher.delete(name, actor=caller_of(request).name)
        return {"name": name, "deleted": True, "database_kept_as": kept}


def _active(server: PlatformServer, name: str) -> ModuleVersion:
    with server.guard.database.read() as connection:
        version = modules.active_version(connection, name)
    if version is None:
        raise unknown_module(name)
    return version


def _module(server: PlatformServer, version: ModuleVersion, served: Mapping[str, datetime]) -> dict[str, Any]:
    worker = msgspec.to_builtins(server.supervisor.state(version.module))
    members = {"name": version.module, "url": f"/apps/{version.module}/", "worker": worker}
    return members | _version(version) | {"last_served_at": rfc3339_or_none(served.get(version.module))}


def _version(version: ModuleVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "units": version.units,
        "published_at": rfc3339(version.published_at),
        "published_by": version.published_by,
        "digest": version.digest,
    }


def _published(published: Published) -> dict[str, Any]:
    return {
        "name": published.name,
        "version": published.version,
        "url": f"/apps/{published.name}/",
        "dry_run": published.dry_run,
        "version_id": published.version_id,
        "units": published.units,
        "units_before": 0 if published.before is None else published.before.units,
        "elements": published.elements,
        "elements_before": [] if published.before is None else published.before.elements,
        "version_before": None if published.before is None else published.before.version,
        "schema": msgspec.to_builtins(published.changes),
        "notes": list(published.notes),
        "front_ends": [msgspec.to_builtins(item) for item in published.front_ends],
        "decision": msgspec.to_builtins(published.decision),
        "warnings": notice_members(published.decision.warnings),
    }
