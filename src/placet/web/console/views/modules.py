"""Modules: what is published, and who holds Software Units."""

from collections.abc import Mapping
from typing import Any

import msgspec

from placet.platform.product import SOFTWARE_UNITS
from placet.store import modules, usage
from placet.store.modules import ModuleVersion
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.view import Group, View
from placet.web.console.words import Moment, moment

_MOST_MODULES = 500


class ModuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A holder of Software Units: a published module, or (no ``version``) one that holds units without being one."""

    name: str
    units: int
    share: float
    version: str | None = None
    published: Moment | None = None
    published_by: str | None = None


def _show(asking: Asking) -> Mapping[str, Any]:
    with asking.server.guard.database.read() as connection:
        versions = modules.active_versions(connection)
        held = usage.allocations_of(connection, SOFTWARE_UNITS)
    rows = _rows(versions, {allocation.holder: allocation.amount for allocation in held})
    return {
        "modules": rows[:_MOST_MODULES],
        "unseen": max(0, len(rows) - _MOST_MODULES),
        "units": sum(row.units for row in rows),
    }


def _rows(versions: list[ModuleVersion], held: dict[str, int]) -> list[ModuleRow]:
    """The published modules and whoever else holds Software Units, the largest holder first."""
    largest = max(held.values(), default=0) or 1
    published = {version.module: version for version in versions}
    rows = []
    for name in published.keys() | held.keys():
        units, version = held.get(name, 0), published.get(name)
        row = ModuleRow(name=name, units=units, share=round(100 * units / largest, 3))
        if version is not None:
            row = msgspec.structs.replace(
                row,
                version=version.version,
                published=moment(version.published_at),
                published_by=version.published_by,
            )
        rows.append(row)
    return sorted(rows, key=lambda row: (-row.units, row.name))


VIEW = View(
    path="/service-center/modules",
    template="modules.html",
    access=Access.SIGNED_IN,
    title="Modules",
    group=Group.WORK,
    show=_show,
)
