"""The published modules and their versions."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from placet.store.dialects import ByCodePoint
from placet.store.rows import all_of, one_of
from placet.store.schema import module_versions, modules


class ModuleVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One published version. ``elements`` explain its units; ``digest`` is the SHA-256 of the archive."""

    id: str
    module: str
    version: str
    entrypoint: str
    units: int
    elements: list[Any]
    digest: str
    published_at: datetime
    published_by: str


_COLUMNS = [module_versions.c[name] for name in ModuleVersion.__struct_fields__]


def activate(connection: Connection, version: ModuleVersion) -> None:
    """Record a version and make it the one its module serves."""
    found = connection.execute(
        update(modules).where(modules.c.name == version.module).values(active_version=version.id)
    ).rowcount
    if found == 0:
        connection.execute(
            insert(modules).values(name=version.module, active_version=version.id, created_at=version.published_at)
        )
    connection.execute(insert(module_versions).values(**msgspec.structs.asdict(version)))


def active_versions(connection: Connection) -> list[ModuleVersion]:
    """Answer the version each module serves, by name."""
    query = select(*_COLUMNS).join(modules, modules.c.active_version == module_versions.c.id)
    return all_of(ModuleVersion, connection.execute(query.order_by(ByCodePoint(module_versions.c.module))))


def active_version(connection: Connection, module: str) -> ModuleVersion | None:
    """Answer the version a module serves, if it is published."""
    query = select(*_COLUMNS).join(modules, modules.c.active_version == module_versions.c.id)
    return one_of(ModuleVersion, connection.execute(query.where(modules.c.name == module)))


def known_versions(connection: Connection) -> set[str]:
    """Answer the ids of all versions there are."""
    return set(connection.execute(select(module_versions.c.id)).scalars())


def delete_module(connection: Connection, module: str) -> bool:
    """Delete a module and its versions; answers whether there was one."""
    connection.execute(delete(module_versions).where(module_versions.c.module == module))
    return connection.execute(delete(modules).where(modules.c.name == module)).rowcount > 0
