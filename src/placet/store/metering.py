"""Consumption of metered features: one row a feature for the period under way, and what it is the sum of.

Consumption is recorded under an idempotency key, or leased ahead in blocks whose holder counts in memory. The row is
locked before it is read and changed by a guarded statement, so that nothing passes a limit together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

import msgspec
from sqlalchemy import Connection, case, func, insert, select, union_all

from placet.enforcement.status import Meter
from placet.license.terms import LARGEST_LIMIT
from placet.store import dialects, holders
from placet.store.hot import Call, Hot, together
from placet.store.rows import all_of, one_of, storable
from placet.store.schema import blocks, consumptions, instant, microseconds
from placet.store.schema import meters as meter_rows
from placet.store.usage import NO_LIMIT, Drift, LimitPassed

MOST_AT_ONCE = LARGEST_LIMIT

_LOCK = Hot("SELECT used FROM meters WHERE feature = ? FOR UPDATE")
_ADD = Hot("UPDATE meters SET used = used + ? WHERE feature = ? AND used + ? <= ?")
_FIND = (
    "SELECT c.key, c.amount FROM meters m JOIN consumptions c ON c.feature = m.feature"
    " AND c.period_starts_at IN (m.period_starts_at, m.previous_starts_at) WHERE m.feature = ? AND c.key "
)
_FIND_ANY = Hot(f"{_FIND} = ANY(?)")
_RECORD_ALL = Hot(
    "WITH added AS (UPDATE meters SET used = used + ? WHERE feature = ? AND used + ? <= ? RETURNING feature)"
    " INSERT INTO consumptions (feature, period_starts_at, key, amount, at, actor)"
    " SELECT added.feature, ?, each.key, each.amount, ?, each.actor"
    " FROM added, unnest(CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS text[])) AS each (key, amount, actor)"
)
"""Counts and records any number of consumptions, or does nothing at all: where statements can be parts of another."""
_KEEP = Hot(
    "INSERT INTO meter_periods (feature, period_starts_at, used)"
    " SELECT feature, period_starts_at, used FROM meters WHERE feature = ?"
)
_BEGIN = Hot(
    "UPDATE meters SET previous_starts_at = period_starts_at, period_starts_at = ?, used = 0 WHERE feature = ?"
)
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


class BlockClosed(Exception):
    """A block was closed before, as used in part: by somebody who took its holder for dead."""

    def __init__(self, block_id: int) -> None:
        super().__init__(f"Block {block_id} is closed already.")


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
    for statement, parameters in locks(connection, features):
        statement.run(connection, *parameters)


def locks(connection: Connection, features: Iterable[str]) -> list[Call]:
    """Answer the statements that lock the meters of ``features``, in the order that everybody takes them in."""
    if not dialects.locks_rows(connection):
        return []
    return [(_LOCK, (feature,)) for feature in sorted(features)]


def finding(connection: Connection, feature: str, keys: Sequence[str]) -> list[Call]:
    """Answer the statements that find the amounts already recorded under ``keys``, in this period or the one before.

    Their rows are keys and amounts.
    """
    if dialects.has_arrays(connection):
        return [(_FIND_ANY, (feature, list(keys)))]
    most = dialects.parameters_at_once(connection)
    some = [keys[first : first + most] for first in range(0, len(keys), most)]
    return [(_find(len(each)), (feature, *each)) for each in some]


@cache
def _find(keys: int) -> Hot:
    marks = ", ".join("?" * keys)
    return Hot(f"{_FIND} IN ({marks})")


def record(
    connection: Connection,
    feature: str,
    meter: Meter,
    period_starts_at: datetime,
    entries: Sequence[Entry],
    *,
    limit: int | None,
    now: datetime,
) -> None:
    """Record consumption in the period that starts at ``period_starts_at``; ``meter`` is the locked row as it is.

    Raises :class:`LimitPassed`.
    """
    at, units = microseconds(now), sum(entry.amount for entry in entries)
    starts, begins = _period(feature, meter, period_starts_at)
    guarded = (units, feature, units, NO_LIMIT if limit is None else limit)
    consumed: dict[str, int] = {}
    for entry in entries:
        actor = storable(entry.actor)
        consumed[actor] = consumed.get(actor, 0) + entry.amount
    days = holders.consuming(connection, feature, consumed, now)
    records: list[Call]
    if dialects.has_arrays(connection):
        keys, amounts = [entry.key for entry in entries], [entry.amount for entry in entries]
        records = [(_RECORD_ALL, (*guarded, starts, at, keys, amounts, [storable(entry.actor) for entry in entries]))]
    else:
        records = [(_ADD, guarded), *_rows(connection, feature, starts, entries, at)]
    cursors = together(connection, [*begins, *records, *days])
    if cursors[len(begins)].rowcount == 0:
        raise LimitPassed(feature)


def _rows(connection: Connection, feature: str, starts: int, entries: Sequence[Entry], at: int) -> list[Call]:
    rows = [(feature, starts, entry.key, entry.amount, at, storable(entry.actor)) for entry in entries]
    most = dialects.parameters_at_once(connection) // 6
    some = [rows[first : first + most] for first in range(0, len(rows), most)]
    return [(_recording(len(each)), tuple(value for row in each for value in row)) for each in some]


@cache
def _recording(rows: int) -> Hot:
    marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    return Hot(f"INSERT INTO consumptions (feature, period_starts_at, key, amount, at, actor) VALUES {marks}")  # noqa: S608 (only question marks are filled in)


def _period(feature: str, meter: Meter, period_starts_at: datetime) -> tuple[int, list[Call]]:
    """Answer when the period starts that is counted in, and the statements that begin it if it is new, at zero.

    It is the newest there has been: a clock that went back into the one before it changes nothing.
    """
    starts = microseconds(period_starts_at)
    if period_starts_at <= meter.period_starts_at:
        return microseconds(meter.period_starts_at), []
    return starts, [(_KEEP, (feature,)), (_BEGIN, (starts, feature))]


def take_block(
    connection: Connection,
    feature: str,
    meter: Meter,
    period_starts_at: datetime,
    *,
    holder: str,
    size: int,
    limit: int | None,
    now: datetime,
    spent: Block | None = None,
    by: str,
) -> Block:
    """Lease ``size`` units of a feature whose meter is locked, and close ``spent``, all of whose units were used.

    Raises :class:`LimitPassed`, and :class:`BlockClosed` where ``spent`` was closed as used in part.
    """
    starts, begins = _period(feature, meter, period_starts_at)
    at = microseconds(now)
    add = (_ADD, (size, feature, size, NO_LIMIT if limit is None else limit))
    take = (_TAKE, (feature, starts, holder, size, at))
    close = [] if spent is None else [(_CLOSE, (spent.size, at, by[:200], spent.id))]
    days = holders.consuming(connection, feature, {holder: size}, now)
    cursors = together(connection, [*begins, add, take, *days, *close])
    if cursors[len(begins)].rowcount == 0:
        raise LimitPassed(feature)
    if spent is not None and cursors[-1].rowcount == 0:
        found = read_block(connection, spent.id)
        if found is None or found.used != spent.size:
            raise BlockClosed(spent.id)
    return Block(
        id=int(cursors[len(begins) + 1].fetchone()[0]),
        feature=feature,
        period_starts_at=instant(starts),
        holder=holder,
        size=size,
        used=None,
        taken_at=instant(at),
        closed_at=None,
        closed_by=None,
    )


def close_block(connection: Connection, block: Block, *, used: int, by: str, now: datetime) -> bool:
    """Close a block of which ``used`` units were used, and give the rest back; its feature's meter is locked.

    Answers whether it was still open.
    """
    if _CLOSE.run(connection, used, microseconds(now), by[:200], block.id).rowcount == 0:
        return False
    rest, starts = block.size - used, microseconds(block.period_starts_at)
    if _GIVE_BACK.run(connection, rest, block.feature, starts).rowcount == 0:
        _GIVE_BACK_LATE.run(connection, rest, block.feature, starts)
    holders.take_off(connection, block.feature, block.holder, rest, block.taken_at)
    return True


_COLUMNS = [blocks.c[name] for name in Block.__struct_fields__]


def read_block(connection: Connection, block_id: int) -> Block | None:
    """Answer one block."""
    return one_of(Block, connection.execute(select(*_COLUMNS).where(blocks.c.id == block_id)))


def open_blocks(connection: Connection, feature: str | None = None, *, most: int = 10_000) -> list[Block]:
    """Answer the blocks that are open, the oldest first."""
    query = select(*_COLUMNS).where(blocks.c.closed_at.is_(None)).order_by(blocks.c.id).limit(most)
    if feature is not None:
        query = query.where(blocks.c.feature == feature)
    return all_of(Block, connection.execute(query))


def drifts(connection: Connection) -> list[Drift]:
    """Answer every meter that is not the sum of its period's consumption and blocks; there should be none."""
    counted = case((blocks.c.used.is_(None), blocks.c.size), else_=blocks.c.used).label("amount")
    amounts = union_all(
        select(consumptions.c.feature, consumptions.c.period_starts_at, consumptions.c.amount),
        select(blocks.c.feature, blocks.c.period_starts_at, counted),
    ).subquery()
    of_the_meter = (amounts.c.feature == meter_rows.c.feature) & (
        amounts.c.period_starts_at == meter_rows.c.period_starts_at
    )
    summed = func.coalesce(func.sum(amounts.c.amount), 0)
    rows = connection.execute(
        select(meter_rows.c.feature, meter_rows.c.used.label("total"), summed.label("sum"))
        .select_from(meter_rows.outerjoin(amounts, of_the_meter))
        .group_by(meter_rows.c.feature, meter_rows.c.used)
        .having(meter_rows.c.used != summed)
        .order_by(meter_rows.c.feature)
    )
    return [Drift(feature=row.feature, total=row.total, sum=int(row.sum)) for row in rows]
