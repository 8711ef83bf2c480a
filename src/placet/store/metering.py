"""Consumption of metered features: one row a feature for the period under way, and what it is the sum of.

Consumption is recorded under an idempotency key, or leased ahead in blocks whose holder counts in memory. The row is
locked before it is read and changed by a guarded statement, so that nothing passes a limit together.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

import msgspec
from sqlalchemy import Connection, insert, select

from placet.enforcement.status import Meter
from placet.license.terms import LARGEST_LIMIT
from placet.store import dialects
from placet.store.hot import Hot
from placet.store.rows import all_of, one_of
from placet.store.schema import blocks, microseconds
from placet.store.schema import meters as meter_rows
from placet.store.usage import NO_LIMIT, LimitPassed

KEYS_AT_ONCE = 64
MOST_AT_ONCE = LARGEST_LIMIT

_LOCK = Hot("SELECT used FROM meters WHERE feature = ? FOR UPDATE")
_ROW = Hot("SELECT period_starts_at, previous_starts_at FROM meters WHERE feature = ?")
_ADD = Hot("UPDATE meters SET used = used + ? WHERE feature = ? AND used + ? <= ?")
_KEEP = Hot(
    "INSERT INTO meter_periods (feature, period_starts_at, used)"
    " SELECT feature, period_starts_at, used FROM meters WHERE feature = ?"
)
_BEGIN = Hot(
    "UPDATE meters SET previous_starts_at = period_starts_at, period_starts_at = ?, used = 0 WHERE feature = ?"
)
_RECORD = Hot("INSERT INTO consumptions (feature, period_starts_at, key, amount, at, actor) VALUES (?, ?, ?, ?, ?, ?)")
_TAKE = Hot(
    "INSERT INTO blocks (feature, period_starts_at, holder, size, taken_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
)
_CLOSE = Hot("UPDATE blocks SET used = ?, closed_at = ?, closed_by = ? WHERE id = ? AND closed_at IS NULL")
_GIVE_BACK = Hot("UPDATE meters SET used = used - ? WHERE feature = ? AND period_starts_at = ?")
_GIVE_BACK_LATE = Hot("UPDATE meter_periods SET used = used - ? WHERE feature = ? AND period_starts_at = ?")


class Entry(msgspec.Struct, frozen=True):
    """One consumption: ``amount`` units under an idempotency ``key``, on behalf of ``actor``."""

    key: str
    amount: int
    actor: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Units that one holder has leased ahead. ``used`` is ``None`` while it is open; then all of it counts as used."""

    id: int
    feature: str
    period_starts_at: datetime
    holder: str
    size: int
    used: int | None
    taken_at: datetime
    closed_at: datetime | None
    closed_by: str | None


def ensure_meters(connection: Connection, features: Iterable[str], now: datetime) -> None:
    """Make the meters of ``features`` that are missing."""
    wanted = set(features)
    if wanted <= meters(connection).keys():
        return
    dialects.set_up_alone(connection)
    for feature in sorted(wanted - meters(connection).keys()):
        connection.execute(insert(meter_rows).values(feature=feature, period_starts_at=now, used=0))


def meters(connection: Connection) -> dict[str, Meter]:
    """Answer what was consumed of each metered feature in its period under way."""
    rows = connection.execute(select(meter_rows.c.feature, meter_rows.c.period_starts_at, meter_rows.c.used))
    return {row.feature: Meter(row.period_starts_at, row.used) for row in rows}


def lock(connection: Connection, features: Iterable[str]) -> None:
    """Lock the meters of ``features`` until the transaction ends. SQLite's writing transactions are alone anyway."""
    if dialects.locks_rows(connection):
        for feature in sorted(features):
            _LOCK.run(connection, feature)


def recorded(
    connection: Connection, feature: str, period_starts_at: datetime, keys: Sequence[str]
) -> Mapping[str, int]:
    """Answer the amounts already recorded under ``keys``, in this period or the one before it."""
    starts, previous = _ROW.run(connection, feature).fetchone()
    wanted = microseconds(period_starts_at)
    periods = (wanted, starts if starts != wanted else previous)
    found: dict[str, int] = {}
    for first in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[first : first + KEYS_AT_ONCE]
        found.update(_find(len(some)).run(connection, feature, *periods, *some).fetchall())
    return found


@cache
def _find(keys: int) -> Hot:
    marks = ", ".join("?" * keys)
    return Hot(
        "SELECT key, amount FROM consumptions"  # noqa: S608 (nothing but question marks is filled in)
        f" WHERE feature = ? AND period_starts_at IN (?, ?) AND key IN ({marks})"
    )


def record(
    connection: Connection,
    feature: str,
    period_starts_at: datetime,
    entries: Sequence[Entry],
    *,
    limit: int | None,
    now: datetime,
) -> None:
    """Record consumption of a feature whose meter is locked; raises :class:`LimitPassed`, by then of no use."""
    at = microseconds(now)
    starts = _add(connection, feature, period_starts_at, sum(entry.amount for entry in entries), limit)
    _RECORD.run_many(
        connection, [(feature, starts, entry.key, entry.amount, at, entry.actor[:200]) for entry in entries]
    )


def _add(connection: Connection, feature: str, period_starts_at: datetime, units: int, limit: int | None) -> int:
    """Add to the meter; a new period begins at zero. Answers when the period starts that it was counted in.

    That is the newest there has been: a clock that went back into the one before it changes nothing.
    """
    starts = microseconds(period_starts_at)
    (current, _) = _ROW.run(connection, feature).fetchone()
    if starts > current:
        _KEEP.run(connection, feature)
        _BEGIN.run(connection, starts, feature)
        current = starts
    guard = NO_LIMIT if limit is None else limit
    if _ADD.run(connection, units, feature, units, guard).rowcount == 0:
        raise LimitPassed(feature)
    return int(current)


def take_block(
    connection: Connection,
    feature: str,
    period_starts_at: datetime,
    *,
    holder: str,
    size: int,
    limit: int | None,
    now: datetime,
) -> int:
    """Lease ``size`` units of a feature whose meter is locked; answers the block's id. Raises :class:`LimitPassed`."""
    starts = _add(connection, feature, period_starts_at, size, limit)
    row = _TAKE.run(connection, feature, starts, holder, size, microseconds(now)).fetchone()
    return int(row[0])


def close_block(connection: Connection, block: Block, *, used: int, by: str, now: datetime) -> bool:
    """Close a block of which ``used`` units were used, and give the rest back; its feature's meter is locked.

    Answers whether it was still open.
    """
    if _CLOSE.run(connection, used, microseconds(now), by[:200], block.id).rowcount == 0:
        return False
    rest, starts = block.size - used, microseconds(block.period_starts_at)
    if _GIVE_BACK.run(connection, rest, block.feature, starts).rowcount == 0:
        _GIVE_BACK_LATE.run(connection, rest, block.feature, starts)
    return True


_COLUMNS = [blocks.c[name] for name in Block.__struct_fields__]


def read_block(connection: Connection, block_id: int) -> Block | None:
    """Answer one block."""
    return one_of(Block, connection.execute(select(*_COLUMNS).where(blocks.c.id == block_id)))


def open_blocks(connection: Connection, *, most: int = 10_000) -> list[Block]:
    """Answer the blocks that are open, the oldest first."""
    query = select(*_COLUMNS).where(blocks.c.closed_at.is_(None)).order_by(blocks.c.id).limit(most)
    return all_of(Block, connection.execute(query))
