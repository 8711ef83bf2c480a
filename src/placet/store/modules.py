"""The published modules, their versions, and the archives they were published from."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from placet.store.dialects import ByCodePoint
from placet.store.rows import all_of, one_of
from placet.store.schema import module_archives, module_versions, modules


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
_NEWEST_FIRST = (module_versions.c.published_at.desc(), module_versions.c.id)


def activate(connection: Connection, version: ModuleVersion, archive: bytes) -> None:
    """Record a version, with the zip it is made from, and make it the one its module serves."""
    now = version.published_at
    if not reactivate(connection, version.module, version.id, now):
        row = {"name": version.module, "active_version": version.id, "created_at": now, "changed_at": now}
        connection.execute(insert(modules).values(row))
    connection.execute(insert(module_versions).values(**msgspec.structs.asdict(version)))
    connection.execute(insert(module_archives).values(version_id=version.id, archive=archive))


def reactivate(connection: Connection, module: str, version_id: str, now: datetime) -> bool:
    """Make a version the one its module serves; answers whether there is such a module."""
    row = update(modules).where(modules.c.name == module).values(active_version=version_id, changed_at=now)
    return connection.execute(row).rowcount == 1


def active_versions(connection: Connection) -> list[ModuleVersion]:
    """Answer the version each module serves, by name."""
    return all_of(ModuleVersion, connection.execute(_active().order_by(ByCodePoint(module_versions.c.module))))


def active_version(connection: Connection, module: str) -> ModuleVersion | None:
    """Answer the version a module serves, if it is published."""
    return one_of(ModuleVersion, connection.execute(_active().where(modules.c.name == module)))


def count(connection: Connection) -> int:
    """Answer how many modules are published."""
    return connection.execute(select(func.count()).select_from(modules)).scalar_one()


def newest(connection: Connection, most: int) -> list[ModuleVersion]:
    """Answer the versions that are served, the last published first."""
    return all_of(ModuleVersion, connection.execute(_active().order_by(*_NEWEST_FIRST).limit(most)))


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a list tells of the version that a module serves; its elements are many, and are not read for it."""

    module: str
    version: str
    published_at: datetime
    published_by: str


def listed(connection: Connection) -> list[Listed]:
    """Answer the version that each module serves, in no order."""
    columns = [module_versions.c[name] for name in Listed.__struct_fields__]
    served = modules.join(module_versions, modules.c.active_version == module_versions.c.id)
    return all_of(Listed, connection.execute(select(*columns).select_from(served)))


def active_ids(connection: Connection) -> dict[str, str]:
    """Answer the id of the version each module serves, by the module's name."""
    found = connection.execute(select(modules.c.name, modules.c.active_version))
    return {row.name: row.active_version for row in found}


def versions_of(connection: Connection, module: str) -> list[ModuleVersion]:
    """Answer the versions that are kept of a module, newest first."""
    query = select(*_COLUMNS).where(module_versions.c.module == module)
    return all_of(ModuleVersion, connection.execute(query.order_by(*_NEWEST_FIRST)))


def known_versions(connection: Connection) -> set[str]:
    """Answer the ids of all versions there are."""
    return set(connection.execute(select(module_versions.c.id)).scalars())


def archive_of(connection: Connection, version_id: str) -> bytes | None:
    """Answer the zip a version was published from, if it is recorded."""
    query = select(module_archives.c.archive).where(module_archives.c.version_id == version_id)
    found: bytes | str | None = connection.execute(query).scalar_one_or_none()
    return found.encode() if isinstance(found, str) else found  # SQLite has text where somebody has put text


def forget_old_versions(connection: Connection, module: str, keep: int) -> list[str]:
    """Forget all versions of a module but the one it serves and the ``keep`` newest others; answers those forgotten."""
    active = select(modules.c.active_version).where(modules.c.name == module).scalar_subquery()
    others = select(module_versions.c.id).where(module_versions.c.module == module, module_versions.c.id != active)
    old = list(connection.execute(others.order_by(*_NEWEST_FIRST).offset(keep)).scalars())
    if old:
        connection.execute(delete(module_versions).where(module_versions.c.id.in_(old)))
    return old


def delete_module(connection: Connection, module: str) -> bool:
    """Delete a module and its versions; answers whether there was one."""
    connection.execute(delete(module_versions).where(module_versions.c.module == module))
    return connection.execute(delete(modules).where(modules.c.name == module)).rowcount > 0


def _active() -> Select[Any]:
    return select(*_COLUMNS).join(modules, modules.c.active_version == module_versions.c.id)
