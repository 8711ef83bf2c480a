"""Clean-up over HTTP: modules that nobody has used for long."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.params import JSONBody
from msgspec import Meta

from placet.license.instants import rfc3339
from placet.platform.obsolete_modules import MOST_AT_ONCE, Disuse
from placet.store.module_use import ModuleUse
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import SMALL_BODY, Server, flags
from placet.web.render import rfc3339_or_none

ExcludedModule = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,62}$")]


class ModuleCleanUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which modules to delete: unused for so many days, but those excluded, and those with timers only if said so."""

    unused_days: Annotated[int, Meta(ge=1, le=3660)]
    exclude: Annotated[list[ExcludedModule], Meta(max_length=1000)] = []
    timers: bool = False


@post(
    "/api/v1/clean-up/modules",
    opt=requires(Access.ADMINISTRATOR),
    tags=["modules"],
    status_code=200,
    request_max_body_size=4 * SMALL_BODY,
    sync_to_thread=True,
)
def clean_up_modules(server: Server, request: Request[Any, Any, Any], data: JSONBody[ModuleCleanUp]) -> dict[str, Any]:
    """Delete obsolete modules, 100 of them at most. ``?dry_run`` answers which they would be.

    ``units`` are the Software Units given back, ``more`` how many modules are left for another call.
    """
    dry_run, actor = flags(request, "dry_run")["dry_run"], caller_of(request).name
    lasting = timedelta(days=data.unused_days)
    disuse = Disuse(lasting=lasting, excluded=frozenset(data.exclude), timers=data.timers)
    found = server.obsolete.find(disuse)
    done = found if dry_run else server.obsolete.clean_up(disuse, actor=actor)
    return {
        "dry_run": dry_run,
        "units": sum(use.units for use in done),
        "modules": [_use(use) for use in done],
        "more": 0 if dry_run else max(0, len(found) - MOST_AT_ONCE),
    }


def _use(use: ModuleUse) -> dict[str, Any]:
    return {
        "name": use.module,
        "version": use.version,
        "units": use.units,
        "timers": use.has_timers,
        "published_at": rfc3339(use.published_at),
        "published_by": use.published_by,
        "last_served_at": rfc3339_or_none(use.last_served_at),
        "unused_since": rfc3339(use.last_used_at),
    }
