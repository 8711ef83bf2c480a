"""Usage over time: a row for each feature and hour, folded into one for each day once it is old.

Each sample goes into exactly one row, which holds the peak, the sum and the number of its samples; folding moves the
rows of past hours into their day's, in one transaction. So neither the order in which samples come, nor a crash, nor
another server that folds at the same time changes what is told: the peak is the highest sample, the average their mean.
A day is one of UTC.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, select

from placet.enforcement.status import FeatureStatus
from placet.store.hot import Hot
from placet.store.rows import all_of
from placet.store.schema import instant, microseconds, usage_samples

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST_HOURLY = 400 * HOUR
"""What is longer is told by the day."""

_MERGED = (
    "{1} = CASE WHEN excluded.{1} > {0}.{1} THEN excluded.{1} ELSE {0}.{1} END,"
    " total = {0}.total + excluded.total, samples = {0}.samples + excluded.samples, maximum = excluded.maximum"
)
_DAYS = (
    "SELECT days.feature, days.day, days.peak, days.total, days.samples, latest.maximum"
    " FROM (SELECT feature, sampled_at / 86400000000 * 86400000000 AS day, MAX(used) AS peak,"
    " CAST(SUM(total) AS BIGINT) AS total, CAST(SUM(samples) AS BIGINT) AS samples, MAX(sampled_at) AS latest"
    " FROM usage_samples WHERE {0} GROUP BY 1, 2) AS days"
    " JOIN usage_samples AS latest ON latest.feature = days.feature AND latest.sampled_at = days.latest WHERE 1 = 1"
)

_SAMPLE = Hot(
    "INSERT INTO usage_samples (feature, sampled_at, used, total, samples, maximum) VALUES (?, ?, ?, ?, 1, ?)"  # noqa: S608
    f" ON CONFLICT (feature, sampled_at) DO UPDATE SET {_MERGED.format('usage_samples', 'used')}"
)
_FOLD = Hot(
    f"INSERT INTO usage_days (feature, day, peak, total, samples, maximum) {_DAYS.format('sampled_at < ?')}"
    f" ON CONFLICT (feature, day) DO UPDATE SET {_MERGED.format('usage_days', 'peak')}"
)
_FORGET_HOURS = Hot("DELETE FROM usage_samples WHERE sampled_at < ?")
_FORGET_DAYS = Hot("DELETE FROM usage_days WHERE day < ?")
_IS_FOLDED = Hot("SELECT 1 FROM usage_days WHERE feature = ? AND day >= ? AND day < ? LIMIT 1")
_BETWEEN = "feature = ? AND sampled_at >= ? AND sampled_at < ?"
_READ_HOURS = Hot(f"SELECT sampled_at, used, total, samples, maximum FROM usage_samples WHERE {_BETWEEN}")  # noqa: S608
_READ_HOURS_BY_DAY = Hot(_DAYS.format(_BETWEEN))
_READ_DAYS = Hot("SELECT day, peak, total, samples, maximum FROM usage_days WHERE feature = ? AND day >= ? AND day < ?")


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long usage is kept by the hour, and then by the day; raises ``ValueError`` outside 1 day to 100 years."""

    hourly: timedelta = timedelta(days=14)
    daily: timedelta = timedelta(days=3 * 365)

    def __post_init__(self) -> None:
        for name, kept in (("by the hour", self.hourly), ("by the day", self.daily)):
            if not DAY <= kept <= 36_500 * DAY:
                raise ValueError(f"Usage is kept {name} for 1 to 36,500 days, not for {kept / DAY:,.12g}.")
        if self.daily < self.hourly:
            raise ValueError(
                f"Usage is kept by the day for {self.daily / DAY:,.12g} days, which is shorter than the "
                f"{self.hourly / DAY:,.12g} days by the hour that come first."
            )


class Resolution(StrEnum):
    """What one point of a history is of."""

    HOUR = "hour"
    DAY = "day"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Usage in the hour or day that starts at ``starts_at``, in units; ``limit`` is its last, ``None`` for unlimited.

    The present hour and day are told as far as they have come.
    """

    starts_at: datetime
    peak: int
    average: float
    limit: int | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Usage over time in the order of time. An hour or day in which nothing was sampled has no point."""

    resolution: Resolution
    points: list[Point]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The highest usage of one hour, in units; ``maximum`` is the limit then, ``None`` for unlimited."""

    sampled_at: datetime
    used: int
    maximum: int | None


def hour_of(when: datetime) -> datetime:
    """Answer when the hour of an instant starts."""
    return instant(microseconds(when) // _us(HOUR) * _us(HOUR))


def day_of(when: datetime) -> datetime:
    """Answer when the day of an instant starts, in UTC."""
    return instant(microseconds(when) // _us(DAY) * _us(DAY))


def sample(connection: Connection, features: Iterable[FeatureStatus], now: datetime) -> None:
    """Add the usage of each feature that has one to this hour's row: limits, seats, and metered ones so far.

    The installation is locked.
    """
    hour = microseconds(hour_of(now))
    for feature in features:
        if feature.used is not None:
            _SAMPLE.run(connection, feature.name, hour, feature.used, feature.used, feature.limit)


def fold(connection: Connection, now: datetime, retention: Retention) -> None:
    """Fold whole days that are past the hourly retention, and forget those past the daily one.

    The installation is locked, so that what is folded is not sampled meanwhile.
    """
    kept_hourly = microseconds(day_of(now - retention.hourly))
    _FOLD.run(connection, kept_hourly)
    _FORGET_HOURS.run(connection, kept_hourly)
    _FORGET_DAYS.run(connection, microseconds(day_of(now - retention.daily)))


def history(connection: Connection, feature: str, since: datetime, until: datetime) -> History:
    """Answer the usage of a feature from the hour or day of ``since`` on, up to ``until`` (excluded).

    Told by the hour where that is kept and makes at most 400 points; else by the day, 366 points for a year.
    """
    first, end = microseconds(day_of(since)), microseconds(until)
    if until - since <= LONGEST_HOURLY and _IS_FOLDED.run(connection, feature, first, end).fetchone() is None:
        rows = _READ_HOURS.run(connection, feature, microseconds(hour_of(since)), end).fetchall()
        return History(resolution=Resolution.HOUR, points=_points(rows))
    days = _READ_DAYS.run(connection, feature, first, end).fetchall()
    hours = [row[1:] for row in _READ_HOURS_BY_DAY.run(connection, feature, first, end).fetchall()]
    return History(resolution=Resolution.DAY, points=_points([*days, *hours]))


def samples_of(connection: Connection, feature: str, *, most: int = 2000) -> list[Sample]:
    """Answer the newest hours of a feature, in the order of time."""
    columns = [usage_samples.c[name] for name in Sample.__struct_fields__]
    query = select(*columns).where(usage_samples.c.feature == feature)
    query = query.order_by(usage_samples.c.sampled_at.desc()).limit(most)
    return all_of(Sample, connection.execute(query))[::-1]


_Row = tuple[int, int, int, int, int | None]


def _points(rows: Iterable[_Row]) -> list[Point]:
    """Make points of rows; of a day both folded and sampled again since, one."""
    found: dict[int, _Row] = {}
    for row in rows:
        starts, peak, total, samples, maximum = row
        _, earlier_peak, earlier_total, earlier_samples, _ = found.get(starts, (starts, peak, 0, 0, None))
        found[starts] = (starts, max(peak, earlier_peak), total + earlier_total, samples + earlier_samples, maximum)
    return [
        Point(starts_at=instant(starts), peak=peak, average=round(total / samples, 3), limit=maximum)
        for starts, peak, total, samples, maximum in (found[key] for key in sorted(found))
    ]


def _us(period: timedelta) -> int:
    return period // timedelta(microseconds=1)
