"""What publishing answers, and what it raises where a name or a version is unknown."""

import msgspec

from placet.enforcement import Decision
from placet.platform.schema_files import NO_CHANGES, Changes
from placet.store.modules import ModuleVersion
from placet.store.serving import Serving


class UnknownModule(LookupError):
    """No module of that name is published."""


class ModuleInUse(Exception):
    """The module is used again; nothing of it was deleted."""


class UnknownVersion(LookupError):
    """No such version of a module is kept."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing or rolling back did, or with ``dry_run`` would do.

    ``units`` are the module's Software Units after it and ``before`` the version that served until then, if any.
    ``changes`` are those of the module's database, and ``notes`` what its developer should know, in whole sentences.
    ``front_ends`` tells how far the other servers of the farm are with it.
    """

    name: str
    version: str
    version_id: str
    units: int
    elements: list[dict[str, object]]
    before: ModuleVersion | None
    decision: Decision
    changes: Changes
    notes: tuple[str, ...]
    dry_run: bool
    front_ends: list[Serving]


def published(
    version: ModuleVersion,
    before: ModuleVersion | None,
    decision: Decision,
    *,
    changes: Changes = NO_CHANGES,
    notes: tuple[str, ...] = (),
    dry_run: bool = False,
    front_ends: list[Serving] | None = None,
) -> Published:
    """Put together what is answered."""
    stays = ", ".join(changes.stays)
    kept = f"In the database, and not in schema.sql any more: {stays}. Drop it in a migration when nothing uses it."
    return Published(
        name=version.module,
        version=version.version,
        version_id=version.id,
        units=version.units,
        elements=version.elements,
        before=before,
        decision=decision,
        changes=changes,
        notes=(*notes, kept) if stays else notes,
        dry_run=dry_run,
        front_ends=front_ends or [],
    )


def unknown_module(name: str) -> UnknownModule:
    """The error for a module that is not published."""
    return UnknownModule(f"No module named {name!r} is published on this server.")
