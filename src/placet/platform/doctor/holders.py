"""Who holds what: modules their Software Units, active users a seat each, front-ends their places."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from placet.license.instants import rfc3339
from placet.platform.doctor.files import has_files, is_sound
from placet.platform.doctor.findings import Case, Change, Finding, Repair, some
from placet.platform.doctor.kinds import Kind
from placet.platform.doctor.ledger import set_total
from placet.platform.product import FRONT_END_SERVERS, SOFTWARE_UNITS, USERS
from placet.store import usage
from placet.store.schema import allocations, front_ends, module_versions, modules, users

DEAD_AFTER = timedelta(days=1)
ALONE = "this server"
"""What a server that knows of no others holds its place as."""

Amounts = Mapping[str, int]


def examine_holders(connection: Connection, case: Case) -> list[Finding]:
    """Examine modules, users and front-ends."""
    return [
        *_versions(connection, case),
        *_holders(connection, SOFTWARE_UNITS, modules_account_for),
        *_holders(connection, USERS, users_account_for),
        *_front_ends(connection, case),
    ]


# Modules


def _versions(connection: Connection, case: Case) -> Iterator[Finding]:
    known = {row.id: row for row in connection.execute(select(*_VERSION))}
    active = {row.name: row.active_version for row in connection.execute(select(modules))}
    for module, version_id in sorted(active.items()):
        if version_id not in known:
            text = f"it is to serve version {version_id!r}, which is not recorded"
            repair = _serving_its_newest(module) if _newest(connection, module, case) else None
            yield Finding(subject=f"module {module}", text=text, kind=Kind.ACTIVE_VERSION_MISSING, repair=repair)
    for version in known.values():
        weights = _weights(version.elements)
        if version.elements and version.units != weights:
            yield Finding(
                subject=f"module {version.module}",
                text=f"version {version.version} is of {version.units:,} units, and its elements add up to {weights:,}",
                kind=Kind.VERSION_UNITS_DIFFER,
                repair=_with_units(version.id),
            )
    alone = sorted({version.module for version in known.values()} - active.keys())
    if alone:
        text = f"versions are recorded of modules that are not there: {some(alone)}"
        yield Finding(subject="modules", text=text, kind=Kind.VERSION_WITHOUT_MODULE, repair=_without_module)


_VERSION = [module_versions.c[name] for name in ("id", "module", "version", "units", "elements", "published_at")]


def _weights(elements: list[Any]) -> int:
    return sum(element.get("weight", 0) for element in elements)


def _newest(connection: Connection, module: str, case: Case) -> str | None:
    """Answer the newest recorded version of a module that has its files."""
    query = select(module_versions.c.id).where(module_versions.c.module == module)
    for version_id in connection.execute(query.order_by(module_versions.c.published_at.desc())).scalars():
        if has_files(case, module, version_id) or is_sound(connection, version_id):
            return str(version_id)
    return None


def _serving_its_newest(module: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [SOFTWARE_UNITS])
        row = select(modules.c.active_version).where(modules.c.name == module)
        before = connection.execute(row).scalar()
        is_known = connection.execute(select(module_versions.c.id).where(module_versions.c.id == before)).first()
        after = _newest(connection, module, case)
        if before is None or is_known or after is None:
            return None
        connection.execute(update(modules).where(modules.c.name == module).values(active_version=after))
        return Change(before, after)

    return repair


def _with_units(version_id: str) -> Repair:
    def repair(connection: Connection, _: Case) -> Change | None:
        usage.lock(connection, [SOFTWARE_UNITS])
        row = connection.execute(select(*_VERSION).where(module_versions.c.id == version_id)).one_or_none()
        if row is None or row.units == _weights(row.elements):
            return None
        after = _weights(row.elements)
        connection.execute(update(module_versions).where(module_versions.c.id == version_id).values(units=after))
        return Change(row.units, after)

    return repair


def _without_module(connection: Connection, _: Case) -> Change | None:
    usage.lock(connection, [SOFTWARE_UNITS])
    alone = module_versions.c.module.not_in(select(modules.c.name))
    rows = connection.execute(select(module_versions.c.id, module_versions.c.module).where(alone)).all()
    connection.execute(delete(module_versions).where(alone))
    return Change({row.id: row.module for row in rows}, {}) if rows else None


# Who accounts for what


def modules_account_for(connection: Connection, held: Amounts) -> Amounts:
    """Answer the units of each module's version; one whose version is not recorded, for what it holds."""
    joined = modules.outerjoin(module_versions, modules.c.active_version == module_versions.c.id)
    query = select(modules.c.name, module_versions.c.units, module_versions.c.elements).select_from(joined)
    return {
        row.name: held.get(row.name, 0) if row.units is None else _weights(row.elements) or row.units
        for row in connection.execute(query)
    }


def users_account_for(connection: Connection, _: Amounts) -> Amounts:
    """Answer one seat for each active user."""
    return dict.fromkeys(connection.execute(select(users.c.name).where(users.c.active)).scalars(), 1)


AccountFor = Callable[[Connection, Amounts], Amounts]


def _holders(connection: Connection, feature: str, account_for: AccountFor) -> Iterator[Finding]:
    held = _held(connection, feature)
    wanted = account_for(connection, held)
    wrong = sorted(_differing(held, wanted))
    if not wrong:
        yield Finding(subject=feature, text=f"each of {len(wanted):,} holders holds what it accounts for")
        return
    name = wrong[0]
    text = f"{name!r} holds {held.get(name, 0):,} and accounts for {wanted.get(name, 0):,}; {len(wrong):,} such in all"
    yield Finding(subject=feature, text=text, kind=Kind.HOLDER_DIFFERS, repair=_holding(feature, account_for))


def _held(connection: Connection, feature: str) -> dict[str, int]:
    query = select(allocations.c.holder, allocations.c.amount).where(allocations.c.feature == feature)
    return {row.holder: row.amount for row in connection.execute(query)}


def _differing(held: Amounts, wanted: Amounts) -> set[str]:
    return {name for name in held.keys() | wanted.keys() if held.get(name, 0) != wanted.get(name, 0)}


def _holding(feature: str, account_for: AccountFor) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [feature])
        held = _held(connection, feature)
        wanted = account_for(connection, held)
        wrong = sorted(_differing(held, wanted))
        for name in wrong:
            connection.execute(
                delete(allocations).where(allocations.c.feature == feature, allocations.c.holder == name)
            )
            if name in wanted:
                row = {"feature": feature, "holder": name, "amount": wanted[name], "changed_at": case.now}
                connection.execute(insert(allocations).values(row))
        set_total(connection, feature, case)
        before = {name: held.get(name, 0) for name in wrong}
        return Change(before, {name: wanted.get(name, 0) for name in wrong}) if wrong else None

    return repair


# Front-ends


def _front_ends(connection: Connection, case: Case) -> Iterator[Finding]:
    entered = set(connection.execute(select(front_ends.c.id)).scalars())
    dead = select(front_ends.c.id, front_ends.c.name, front_ends.c.beaten_at)
    for row in connection.execute(dead.where(front_ends.c.beaten_at < case.now - DEAD_AFTER).order_by(front_ends.c.id)):
        text = f"{row.name!r} ({row.id}) was last heard of at {rfc3339(row.beaten_at)}"
        yield Finding(subject=FRONT_END_SERVERS, text=text, kind=Kind.FRONT_END_DEAD, repair=_without_dead(row.id))
    unknown = sorted(_held(connection, FRONT_END_SERVERS).keys() - entered - {ALONE})
    if unknown:
        text = f"places are held by servers that are not entered: {some(unknown)}"
        yield Finding(
            subject=FRONT_END_SERVERS, text=text, kind=Kind.FRONT_END_UNKNOWN, repair=_without_unknown_front_ends
        )


def _without_dead(front_end_id: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [FRONT_END_SERVERS])
        dead = (front_ends.c.id == front_end_id) & (front_ends.c.beaten_at < case.now - DEAD_AFTER)
        if connection.execute(delete(front_ends).where(dead)).rowcount == 0:
            return None
        held = _release(connection, front_end_id, case)
        return Change({"entered": True, "holds": held}, {"entered": False, "holds": 0})

    return repair


def _without_unknown_front_ends(connection: Connection, case: Case) -> Change | None:
    usage.lock(connection, [FRONT_END_SERVERS])
    entered = set(connection.execute(select(front_ends.c.id)).scalars())
    unknown = sorted(_held(connection, FRONT_END_SERVERS).keys() - entered - {ALONE})
    before = {name: _release(connection, name, case) for name in unknown}
    return Change(before, dict.fromkeys(unknown, 0)) if unknown else None


def _release(connection: Connection, holder: str, case: Case) -> int:
    held = usage.held(connection, FRONT_END_SERVERS, holder)
    place = (allocations.c.feature == FRONT_END_SERVERS) & (allocations.c.holder == holder)
    connection.execute(delete(allocations).where(place))
    set_total(connection, FRONT_END_SERVERS, case)
    return held
