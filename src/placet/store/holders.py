"""Who held how much on which day, and who consumed how much.

Of a limit there is a row for a holder and a day only where its amount had changed.
Amounts are noted from the allocations changed since they were last noted. Given back are those that are missing: only
where what is noted is not the sum of the allocations, holder by holder is compared. The reading side fills the gaps.

Of seats a row has the most that the holder was seen with on that day, of a metered feature what it consumed, blocks by
what counts as used of them. Where there is no row, that is nothing. Seats are sampled; consumption is noted in the
transaction that counts it, one row for all that one holder consumes in it, so that the days are exact.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache

import msgspec
from sqlalchemy import Connection

from placet.store import dialects
from placet.store.history import DAY, Retention, day_of
from placet.store.hot import Call, Hot
from placet.store.schema import instant, microseconds

OVERLAP = timedelta(hours=1)
"""How much later than its time a change may be committed, or be told by another server's clock, and not be missed."""

_LATEST = "(SELECT MAX(day) FROM holder_days WHERE feature = {0}.feature AND holder = {0}.holder)"
_MARK = Hot("SELECT noted_at, total FROM holder_marks WHERE feature = ?")
_CHANGED = Hot(
    "SELECT held.holder, held.amount, held.changed_at, noted.amount, noted.day FROM allocations AS held"  # noqa: S608
    " LEFT JOIN holder_days AS noted ON noted.feature = held.feature AND noted.holder = held.holder"
    f" AND noted.day = {_LATEST.format('held')}"
    " WHERE held.feature = ? AND held.changed_at >= ?"
)
_SUM = Hot("SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM allocations WHERE feature = ?")
_GONE = Hot(
    "SELECT noted.holder, noted.amount, noted.day FROM holder_days AS noted"  # noqa: S608 (constants)
    f" WHERE noted.feature = ? AND noted.amount > 0 AND noted.day = {_LATEST.format('noted')}"
    " AND NOT EXISTS (SELECT 1 FROM allocations WHERE feature = noted.feature AND holder = noted.holder)"
)
_NOTE = Hot(
    "INSERT INTO holder_days (feature, holder, day, amount) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (feature, holder, day) DO UPDATE SET amount = excluded.amount"
)
_SET_MARK = Hot(
    "INSERT INTO holder_marks (feature, noted_at, total) VALUES (?, ?, ?)"
    " ON CONFLICT (feature) DO UPDATE SET noted_at = excluded.noted_at, total = excluded.total"
)
_FORGET = Hot(
    "DELETE FROM holder_days WHERE day < ? AND (amount = 0 OR EXISTS (SELECT 1 FROM holder_days AS later"
    " WHERE later.feature = holder_days.feature AND later.holder = holder_days.holder"
    " AND later.day > holder_days.day AND later.day <= ?))"
)
_SEATS = Hot(
    "INSERT INTO holder_days (feature, holder, day, amount)"
    " SELECT feature, holder, CAST(? AS BIGINT), amount FROM leases WHERE feature = ? AND expires_at > ?"
    " ON CONFLICT (feature, holder, day) DO UPDATE SET amount = excluded.amount"
    " WHERE excluded.amount > holder_days.amount"
)
_TAKE_OFF = Hot(
    "UPDATE holder_days SET amount = amount - ? WHERE feature = ? AND holder = ? AND day = ? AND amount >= ?"
)
_FORGET_DAYS = Hot("DELETE FROM holder_days WHERE feature = ? AND day < ?")
_FIRST = Hot("SELECT MIN(day) FROM holder_days WHERE feature = ? AND holder = ?")
_BEFORE = Hot("SELECT amount FROM holder_days WHERE feature = ? AND holder = ? AND day < ? ORDER BY day DESC LIMIT 1")
_BETWEEN = Hot("SELECT day, amount FROM holder_days WHERE feature = ? AND holder = ? AND day >= ? AND day < ?")

_ALL = -(2**62)


class HolderDay(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder held at the end of the day that starts at ``day``, in units."""

    day: datetime
    amount: int


def note(connection: Connection, features: Iterable[str], now: datetime) -> None:
    """Note what holders of ``features`` hold where it has changed. The installation is locked."""
    for feature in sorted(features):
        _note_feature(connection, feature, now)


def _note_feature(connection: Connection, feature: str, now: datetime) -> None:
    mark = _MARK.run(connection, feature).fetchone()
    since, total = (_ALL, 0) if mark is None else (mark[0] - OVERLAP // timedelta(microseconds=1), mark[1])
    total += _note_changed(connection, feature, since, now)
    sum_ = _SUM.run(connection, feature).fetchone()[0]
    if total != sum_:
        total += _note_gone(connection, feature, now) + _note_changed(connection, feature, _ALL, now)
    _SET_MARK.run(connection, feature, microseconds(now), total)


def _note_changed(connection: Connection, feature: str, since: int, now: datetime) -> int:
    """Note the amounts changed since; answers by how much the sum of what is noted has grown."""
    grown, rows = 0, []
    for holder, amount, changed_at, noted, noted_on in _CHANGED.run(connection, feature, since).fetchall():
        if amount != (noted or 0):
            day = microseconds(day_of(min(instant(changed_at), now)))
            rows.append((feature, holder, day if noted_on is None else max(day, noted_on), amount))
            grown += amount - (noted or 0)
    _NOTE.run_many(connection, rows)
    return grown


def _note_gone(connection: Connection, feature: str, now: datetime) -> int:
    """Note the holders that hold nothing any more; answers by how much the sum of what is noted has grown."""
    gone, day = _GONE.run(connection, feature).fetchall(), microseconds(day_of(now))
    _NOTE.run_many(connection, [(feature, holder, max(day, noted_on), 0) for holder, _, noted_on in gone])
    return -sum(int(amount) for _, amount, _ in gone)


def forget(connection: Connection, now: datetime, retention: Retention) -> None:
    """Forget what is past the daily retention; what was held as it ended stays known."""
    kept = microseconds(day_of(now - retention.daily))
    _FORGET.run(connection, kept, kept)


def sample_seats(connection: Connection, feature: str, now: datetime, moment: int) -> None:
    """Note who has seats now, where that is more than was seen of it today; ``moment`` is by the database's clock."""
    _SEATS.run(connection, microseconds(day_of(now)), feature, moment)


def consuming(connection: Connection, feature: str, amounts: Mapping[str, int], now: datetime) -> list[Call]:
    """Answer the statements that add what holders consume to their day. The feature's meter is locked."""
    day, rows = microseconds(day_of(now)), sorted(amounts.items())
    most = dialects.parameters_at_once(connection) // 4
    some = [rows[first : first + most] for first in range(0, len(rows), most)]
    return [
        (_adding(len(each)), tuple(value for holder, amount in each for value in (feature, holder, day, amount)))
        for each in some
    ]


@cache
def _adding(rows: int) -> Hot:
    marks = ", ".join(["(?, ?, ?, ?)"] * rows)
    return Hot(
        f"INSERT INTO holder_days (feature, holder, day, amount) VALUES {marks}"  # noqa: S608 (only question marks)
        " ON CONFLICT (feature, holder, day) DO UPDATE SET amount = holder_days.amount + excluded.amount"
    )


def take_off(connection: Connection, feature: str, holder: str, units: int, taken_at: datetime) -> None:
    """Take units that were leased and not used off the day they were leased on, if that is still known."""
    if units:
        _TAKE_OFF.run(connection, units, feature, holder, microseconds(day_of(taken_at)), units)


def forget_days(connection: Connection, features: Iterable[str], now: datetime, retention: Retention) -> None:
    """Forget the days of seats and of metered features that are past the daily retention."""
    for feature in features:
        _FORGET_DAYS.run(connection, feature, microseconds(day_of(now - retention.daily)))


def day_history(connection: Connection, feature: str, holder: str, since: datetime, until: datetime) -> list[HolderDay]:
    """Answer the most seats a holder was seen with, or what it consumed, on each day, up to ``until`` (excluded).

    Begins with the first day of which anything is known.
    """
    known_from = _FIRST.run(connection, feature, holder).fetchone()[0]
    if known_from is None:
        return []
    first = max(day_of(since), instant(known_from))
    noted = dict(_BETWEEN.run(connection, feature, holder, microseconds(first), microseconds(until)).fetchall())
    days = [first + number * DAY for number in range(-((first - until) // DAY))]
    return [HolderDay(day=day, amount=noted.get(microseconds(day), 0)) for day in days]


def holder_history(
    connection: Connection, feature: str, holder: str, since: datetime, until: datetime
) -> list[HolderDay]:
    """Answer what a holder held on each day from that of ``since`` on, up to ``until`` (excluded).

    Begins with the first day of which anything is known.
    """
    first = day_of(since)
    before = _BEFORE.run(connection, feature, holder, microseconds(first)).fetchone()
    noted = _BETWEEN.run(connection, feature, holder, microseconds(first), microseconds(until)).fetchall()
    known = {instant(day): amount for day, amount in noted}
    if before is None:
        if not known:
            return []
        first = min(known)
    days, amount = [], 0 if before is None else before[0]
    for number in range(-((first - until) // DAY)):
        day = first + number * DAY
        amount = known.get(day, amount)
        days.append(HolderDay(day=day, amount=amount))
    return days
