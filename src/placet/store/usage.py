"""Usage as a ledger: one row for each holder of each feature, and a total that is always their sum.

Setting a holder's amount is absolute, so that a retry changes nothing. The total is changed by one guarded
statement in the caller's transaction, and locked before it is read, so that no two transactions pass a limit
together. Features are always taken in the order of their names: no deadlocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, union_all

from placet.store import dialects
from placet.store.hot import Call, Hot, together
from placet.store.rows import all_of
from placet.store.schema import allocations, leases, microseconds, totals

NO_LIMIT = 2**62
"""More than any total can be, for the guard of the statement where nothing limits it."""

_LOCK = Hot("SELECT used FROM totals WHERE feature = ? FOR UPDATE")
_HELD = Hot("SELECT amount FROM allocations WHERE feature = ? AND holder = ?")
_ADD = Hot("UPDATE totals SET used = used + ? WHERE feature = ? AND used + ? <= ?")
_SET = Hot(
    "INSERT INTO allocations (feature, holder, amount, changed_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (feature, holder) DO UPDATE SET amount = excluded.amount, changed_at = excluded.changed_at"
)
_FORGET = Hot("DELETE FROM allocations WHERE feature = ? AND holder = ?")


class LimitPassed(Exception):
    """The guarded statement found the limit passed; nothing was changed."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"The limit of {feature!r} would be passed.")
        self.feature = feature


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder holds of one feature, in units."""

    feature: str
    holder: str
    amount: int
    changed_at: datetime


class Change(NamedTuple):
    """Units to add to a total (or to take off), and the most that it may be then; ``None`` does not limit it."""

    units: int
    most: int | None


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A total that is not the sum of its allocations and leases."""

    feature: str
    total: int
    sum: int


def usage(connection: Connection) -> dict[str, int]:
    """Answer the units in use by feature."""
    return {row.feature: row.used for row in connection.execute(select(totals.c.feature, totals.c.used))}


def ensure_totals(connection: Connection, features: Iterable[str]) -> None:
    """Make the totals of ``features`` that are missing."""
    wanted = set(features)
    if wanted <= usage(connection).keys():
        return
    dialects.set_up_alone(connection)
    for feature in sorted(wanted - usage(connection).keys()):
        connection.execute(insert(totals).values(feature=feature, used=0))


def locks(connection: Connection, pairs: Iterable[tuple[str, str]]) -> list[Call]:
    """Answer the statements that lock the totals of some features (of pairs with holders), in everybody's order."""
    if not dialects.locks_rows(connection):
        return []
    return [(_LOCK, (feature,)) for feature in sorted({feature for feature, _ in pairs})]


def holding(feature: str, holder: str) -> Call:
    """Answer the statement that reads what ``holder`` holds of ``feature``: one row with the amount, or none."""
    return (_HELD, (feature, holder))


def change(
    connection: Connection,
    changes: Mapping[str, Change],
    amounts: Mapping[tuple[str, str], int],
    now: datetime,
    then: Sequence[Call],
) -> None:
    """Change locked totals, set what holders hold (by feature and holder), and execute ``then``, all in one go.

    Raises :class:`LimitPassed`.
    """
    adds = [feature for feature in sorted(changes) if changes[feature].units]
    calls: list[Call] = []
    for feature in adds:
        units, most = changes[feature]
        calls.append((_ADD, (units, feature, units, NO_LIMIT if most is None else most)))
    at = microseconds(now)
    calls.extend((_SET, (*pair, amounts[pair], at)) for pair in sorted(amounts))
    for feature, cursor in zip(adds, together(connection, [*calls, *then]), strict=False):
        if cursor.rowcount == 0:
            raise LimitPassed(feature)


def lock(connection: Connection, features: Iterable[str]) -> None:
    """Lock the totals of ``features`` until the transaction ends. SQLite's writing transactions are alone anyway."""
    if dialects.locks_rows(connection):
        for feature in sorted(features):
            _LOCK.run(connection, feature)


def held(connection: Connection, feature: str, holder: str) -> int:
    """Answer what ``holder`` holds of ``feature``, in units."""
    row = _HELD.run(connection, feature, holder).fetchone()
    return row[0] if row else 0


def set_amount(
    connection: Connection, feature: str, holder: str, amount: int, *, limit: int | None, now: datetime
) -> None:
    """Set what ``holder`` holds of a feature whose total is locked; raises :class:`LimitPassed`.

    ``limit`` guards the total in the statement itself, unless the holder takes no more than it holds already.
    """
    row = _HELD.run(connection, feature, holder).fetchone()
    change = amount - (row[0] if row else 0)
    if change:
        add(connection, feature, change, limit=limit)
    if change or row is None:
        _SET.run(connection, feature, holder, amount, microseconds(now))


def add(connection: Connection, feature: str, change: int, *, limit: int | None) -> None:
    """Change a locked total by ``change`` units, as what it is the sum of changes; raises :class:`LimitPassed`."""
    guard = NO_LIMIT if limit is None or change < 0 else limit
    if _ADD.run(connection, change, feature, change, guard).rowcount == 0:
        raise LimitPassed(feature)


def release(connection: Connection, feature: str, holder: str) -> int:
    """Give back all that ``holder`` holds of ``feature``; answers how many units that was."""
    lock(connection, [feature])
    freed = held(connection, feature, holder)
    _FORGET.run(connection, feature, holder)
    _ADD.run(connection, -freed, feature, -freed, NO_LIMIT)  # of a feature without a total, nothing
    return freed


def amounts_of(connection: Connection, feature: str) -> dict[str, int]:
    """Answer what each holder holds of a feature."""
    query = select(allocations.c.holder, allocations.c.amount).where(allocations.c.feature == feature)
    return {row.holder: row.amount for row in connection.execute(query)}


def allocations_of(
    connection: Connection, feature: str, *, most: int = 10_000, after: int = 0, containing: str = ""
) -> list[Allocation]:
    """Answer who holds what of a feature, the largest first, ``after`` so many of them.

    ``containing``: whose name contains that, in whatever case.
    """
    query = select(allocations).where(_named(feature, containing))
    query = query.order_by(allocations.c.amount.desc(), dialects.ByCodePoint(allocations.c.holder))
    return all_of(Allocation, connection.execute(query.limit(most).offset(after)))


def allocations_after(connection: Connection, feature: str, holder: str, *, most: int) -> list[Allocation]:
    """Answer who holds what of a feature, in the order of the names' index, beginning after one."""
    found = and_(allocations.c.feature == feature, allocations.c.holder > holder)
    query = select(allocations).where(found).order_by(allocations.c.holder)
    return all_of(Allocation, connection.execute(query.limit(most)))


def holders_of(connection: Connection, feature: str, *, containing: str = "") -> int:
    """Answer how many hold something of a feature."""
    query = select(func.count()).select_from(allocations).where(_named(feature, containing))
    return int(connection.execute(query).scalar_one())


def _named(feature: str, containing: str) -> ColumnElement[bool]:
    found = allocations.c.feature == feature
    return and_(found, allocations.c.holder.icontains(containing, autoescape=True)) if containing else found


def drifts(connection: Connection) -> list[Drift]:
    """Answer every total that is not the sum of its allocations and leases; there should be none."""
    amounts = union_all(*(select(table.c.feature, table.c.amount) for table in (allocations, leases))).subquery()
    summed = func.coalesce(func.sum(amounts.c.amount), 0)
    rows = connection.execute(
        select(totals.c.feature, totals.c.used.label("total"), summed.label("sum"))
        .select_from(totals.outerjoin(amounts, amounts.c.feature == totals.c.feature))
        .group_by(totals.c.feature, totals.c.used)
        .having(totals.c.used != summed)
    )
    return [Drift(feature=row.feature, total=row.total, sum=int(row.sum)) for row in rows]
