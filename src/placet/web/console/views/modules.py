"""Modules: what is published, and who holds Software Units, the largest holder first."""

from collections.abc import Mapping
from typing import Any

import msgspec

from placet.platform.product import SOFTWARE_UNITS
from placet.store import modules, usage
from placet.store.modules import Listed
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.paging import Paging
from placet.web.console.view import Group, View
from placet.web.console.words import Moment, moment

_ON_A_PAGE = 100


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
        versions = modules.listed(connection)
        held = usage.amounts_of(connection, SOFTWARE_UNITS)
    published = {version.module: version for version in versions}
    find = asking.query("find")
    names = sorted(
        (name for name in published.keys() | held.keys() if find.casefold() in name.casefold()),
        key=lambda name: (-held.get(name, 0), name),
    )
    paging = Paging.of(asking, len(names), _ON_A_PAGE)
    largest = max(held.values(), default=0) or 1
    return {
        "rows": [
            _row(name, held.get(name, 0), largest, published.get(name)) for name in names[paging.first : paging.end]
        ],
        "paging": paging,
        "find": find,
        "units": sum(held.values()),
    }


def _row(name: str, units: int, largest: int, version: Listed | None) -> ModuleRow:
    row = ModuleRow(name=name, units=units, share=round(100 * units / largest, 3))
    if version is None:
        return row
    return msgspec.structs.replace(
        row, version=version.version, published=moment(version.published_at), published_by=version.published_by
    )


VIEW = View(
    path="/service-center/modules",
    template="modules.html",
    access=Access.SIGNED_IN,
    title="Modules",
    group=Group.WORK,
    show=_show,
)
