"""Who holds what of a feature, page by page: what is held, since when, and what is known of who holds it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from placet.enforcement import FeatureStatus
from placet.platform.product import FRONT_END_SERVERS, SOFTWARE_UNITS, USERS
from placet.store import dialects, front_ends, metering, module_use, seats, usage, users
from placet.web.console.asking import Asking
from placet.web.console.paging import Paging
from placet.web.console.words import Moment, moment

PAGE = 50

Cell = str | Moment | None
Known = Mapping[str, tuple[Cell, ...]]


class HolderRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who holds ``amount`` units since a moment; ``cells`` are what the table's columns say."""

    holder: str
    amount: int
    since: Moment
    cells: tuple[Cell, ...]


class HolderTable(msgspec.Struct, frozen=True, kw_only=True):
    """One page of those who hold something; ``paging`` says which, and how many they are in all."""

    what: str
    columns: tuple[str, ...]
    rows: tuple[HolderRow, ...]
    paging: Paging


def holder_table(connection: Connection, feature: FeatureStatus, asking: Asking, *, containing: str) -> HolderTable:
    """Answer a page of the holders whose name contains something. When users were seen is for administrators alone."""
    if feature.kind == "limit":
        return _allocated(connection, feature.name, asking, containing)
    columns, rows = _leased(connection, feature.name) if feature.kind == "seats" else _blocks(connection, feature.name)
    found = [row for row in rows if containing.casefold() in row.holder.casefold()]
    paging = Paging.of(asking, len(found), PAGE)
    return HolderTable(
        what="seats" if feature.kind == "seats" else "units in open blocks",
        columns=columns,
        rows=tuple(found[paging.first : paging.end]),
        paging=paging,
    )


def _allocated(connection: Connection, feature: str, asking: Asking, containing: str) -> HolderTable:
    paging = Paging.of(asking, usage.holders_of(connection, feature, containing=containing), PAGE)
    held = usage.allocations_of(connection, feature, most=PAGE, after=paging.first, containing=containing)
    columns, known = _known(feature, administrator=asking.caller.is_administrator)
    cells = known(connection, [item.holder for item in held])
    nothing: tuple[Cell, ...] = (None,) * len(columns)
    rows = tuple(
        HolderRow(
            holder=item.holder,
            amount=item.amount,
            since=moment(item.changed_at),
            cells=cells.get(item.holder, nothing),
        )
        for item in held
    )
    return HolderTable(what="units", columns=columns, rows=rows, paging=paging)


def _known(
    feature: str, *, administrator: bool
) -> tuple[tuple[str, ...], Callable[[Connection, Sequence[str]], Known]]:
    """What is known of who holds a feature: the columns, and how to read them for some names."""
    if feature == SOFTWARE_UNITS:
        return ("Version", "Published", "Last request"), _modules
    if feature == USERS and administrator:
        return ("Role", "Last seen"), _users
    if feature == FRONT_END_SERVERS:
        return ("Name", "Address"), _front_ends
    return (), lambda _connection, _names: {}


def _modules(connection: Connection, names: Sequence[str]) -> Known:
    found = module_use.uses_of(connection, names)
    return {
        name: (use.version, moment(use.published_at), _moment_or(use.last_served_at)) for name, use in found.items()
    }


def _users(connection: Connection, names: Sequence[str]) -> Known:
    found = users.users_named(connection, names)
    return {user.name: (str(user.role), _moment_or(user.last_seen_at)) for user in found}


def _front_ends(connection: Connection, names: Sequence[str]) -> Known:
    found = front_ends.all_front_ends(connection, FRONT_END_SERVERS)
    return {item.id: (item.name, item.address) for item in found if item.id in names}


def _leased(connection: Connection, feature: str) -> tuple[tuple[str, ...], list[HolderRow]]:
    found = seats.living_leases(connection, feature, dialects.clock(connection))
    rows = [
        HolderRow(
            holder=lease.holder,
            amount=lease.amount,
            since=moment(lease.acquired_at),
            cells=(lease.group, moment(lease.expires_at), "borrowed" if lease.borrowed else None),
        )
        for lease in sorted(found, key=lambda lease: (-lease.amount, lease.holder))
    ]
    return ("Group", "Until", "How"), rows


def _blocks(connection: Connection, feature: str) -> tuple[tuple[str, ...], list[HolderRow]]:
    rows = [
        HolderRow(holder=block.holder, amount=block.size, since=moment(block.taken_at), cells=(str(block.id),))
        for block in metering.open_blocks(connection, feature)
    ]
    return ("Block",), rows


def _moment_or(when: datetime | None) -> Cell:
    return "never" if when is None else moment(when)
