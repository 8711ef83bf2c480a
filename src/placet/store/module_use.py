"""Which published modules are used: when a request for each was last served, and which have been of no use for long."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Text, and_, case, or_, select, type_coerce, update

from placet.store.dialects import ByCodePoint
from placet.store.rows import all_of
from placet.store.schema import module_versions, modules


class ModuleUse(msgspec.Struct, frozen=True, kw_only=True):
    """A published module and its use.

    ``changed_at`` is when it was last published or rolled back, and the upgrade to this where that was before it; never
    served is ``None``.
    """

    module: str
    version: str
    units: int
    has_timers: bool
    published_at: datetime
    published_by: str
    changed_at: datetime
    last_served_at: datetime | None

    @property
    def last_used_at(self) -> datetime:
        """When it was last published, rolled back or served."""
        return max(self.changed_at, self.last_served_at or self.changed_at)


_COLUMNS = [
    (modules if name in modules.c else module_versions).c[name]
    for name in ModuleUse.__struct_fields__
    if name != "has_timers"
]
# As it is written: within a name, quotes are escaped. Reading the elements of hundreds of modules takes long.
_HAS_TIMERS = type_coerce(module_versions.c.elements, Text).contains('"kind":"timer"')


def note_served(connection: Connection, served: Mapping[str, datetime]) -> None:
    """Note when requests for modules were last served; names of none are passed over, and nothing goes back in time."""
    for name, at in sorted(served.items()):
        before = or_(modules.c.last_served_at.is_(None), modules.c.last_served_at < at)
        connection.execute(update(modules).where(modules.c.name == name, before).values(last_served_at=at))


def unused_since(connection: Connection, since: datetime) -> list[ModuleUse]:
    """Answer the modules that were neither published, rolled back nor served since a moment, longest ago first."""
    served, changed = modules.c.last_served_at, modules.c.changed_at
    last = case((served > changed, served), else_=changed)
    query = select(*_COLUMNS, _HAS_TIMERS.label("has_timers")).join(
        module_versions, modules.c.active_version == module_versions.c.id
    )
    return all_of(
        ModuleUse, connection.execute(query.where(_unused(since)).order_by(last, ByCodePoint(modules.c.name)))
    )


class Use(NamedTuple):
    """The version a module serves, and when a request for it was last served."""

    version: str
    published_at: datetime
    last_served_at: datetime | None


def uses_of(connection: Connection, names: Iterable[str]) -> dict[str, Use]:
    """Answer the use of the modules of some names, by those that there are."""
    query = select(modules.c.name, module_versions.c.version, module_versions.c.published_at, modules.c.last_served_at)
    query = query.join(module_versions, modules.c.active_version == module_versions.c.id)
    return {row[0]: Use(*row[1:]) for row in connection.execute(query.where(modules.c.name.in_(list(names))))}


def last_served(connection: Connection) -> dict[str, datetime]:
    """Answer when requests for modules were last served, by the names of those there were any for."""
    query = select(modules.c.name, modules.c.last_served_at).where(modules.c.last_served_at.is_not(None))
    return {row.name: row.last_served_at for row in connection.execute(query)}


def lock_unused(connection: Connection, module: str, since: datetime) -> bool:
    """Lock a module that is to be deleted; answers whether it was of no use since a moment."""
    row = update(modules).where(modules.c.name == module, _unused(since))
    return connection.execute(row.values(active_version=modules.c.active_version)).rowcount == 1


def _unused(since: datetime) -> ColumnElement[bool]:
    served = or_(modules.c.last_served_at.is_(None), modules.c.last_served_at < since)
    return and_(modules.c.changed_at < since, served)
