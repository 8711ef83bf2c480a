"""Where usage is going: the trend of the days behind, and when a limit will be reached if it goes on.

1. The trend is the median of the slopes between every two days (Theil and Sen): a single jump, a clean-up or a few odd
   days do not bend it, as they would a least-squares line. Days without a sample are left out.
2. It takes seven days with a sample, over at least seven days. Less is told as too little, and nothing is guessed.
3. From the level of today, the limit is reached where that slope leads there. What lies further ahead than a year is
   told as not within it: a few weeks say nothing about later.
4. What is metered counts from zero in each period: there, the trend is what was consumed so far over the time it took.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import NamedTuple

import msgspec

DAY = timedelta(days=1)
WINDOW = 28 * DAY
"""How many days the trend looks back."""
FEWEST_DAYS = 7
HORIZON = 365 * DAY
SHORTEST_SHARE = 1 / 20
"""How much of a period has to be over before its consumption says anything."""


class Day(NamedTuple):
    """The highest usage of the day that starts at ``starts_at``, in units."""

    starts_at: datetime
    peak: int


class Outlook(StrEnum):
    """What the trend says about a limit."""

    UNLIMITED = "unlimited"
    REACHED = "reached"
    EXPECTED = "expected"
    NOT_WITHIN_A_YEAR = "not_within_a_year"
    NOT_IN_THIS_PERIOD = "not_in_this_period"
    NOT_RISING = "not_rising"
    TOO_LITTLE_HISTORY = "too_little_history"


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """When a limit is reached at the trend, and what that rests on.

    ``reached_at`` is there where it is expected. ``per_day`` are units a day (``None``: too little history), told by
    the ``days`` days with a sample since ``since``.
    """

    outlook: Outlook
    per_day: float | None = None
    days: int = 0
    since: datetime | None = None
    reached_at: datetime | None = None


def trend(days: Sequence[Day], level: int, limit: int | None, now: datetime) -> Trend:
    """Answer when a limit is reached that ``level`` units count against now.

    ``days`` are each in the order of time; those before the :data:`WINDOW` are left out.
    """
    seen = [day for day in days if now - WINDOW < day.starts_at <= now]
    if len(seen) < FEWEST_DAYS or seen[-1].starts_at - seen[0].starts_at < (FEWEST_DAYS - 1) * DAY:
        per_day = None
    else:
        per_day = _slope(seen)
    known = Trend(
        outlook=Outlook.TOO_LITTLE_HISTORY,
        per_day=per_day,
        days=len(seen),
        since=seen[0].starts_at if seen else None,
    )
    return _towards(known, level, limit, now)


def period_trend(used: int, limit: int | None, starts_at: datetime, ends_at: datetime, now: datetime) -> Trend:
    """Answer when a metered feature's limit is reached in the period of ``now``, at its consumption so far."""
    over = now - starts_at
    enough = over > timedelta() and over >= SHORTEST_SHARE * (ends_at - starts_at)
    known = Trend(
        outlook=Outlook.TOO_LITTLE_HISTORY,
        per_day=used / (over / DAY) if enough else None,
        days=over // DAY,
        since=starts_at,
    )
    found = _towards(known, used, limit, now)
    late = found.reached_at is not None and found.reached_at >= ends_at
    if found.outlook is Outlook.NOT_WITHIN_A_YEAR or late:
        return msgspec.structs.replace(found, outlook=Outlook.NOT_IN_THIS_PERIOD, reached_at=None)
    return found


def _towards(known: Trend, level: int, limit: int | None, now: datetime) -> Trend:
    if limit is None:
        return msgspec.structs.replace(known, outlook=Outlook.UNLIMITED)
    if level >= limit:
        return msgspec.structs.replace(known, outlook=Outlook.REACHED)
    if known.per_day is None:
        return known
    if known.per_day <= 0:
        return msgspec.structs.replace(known, outlook=Outlook.NOT_RISING)
    ahead = (limit - level) / known.per_day  # days, as a number: a timedelta could not hold what is far off
    if ahead > HORIZON / DAY:
        return msgspec.structs.replace(known, outlook=Outlook.NOT_WITHIN_A_YEAR)
    return msgspec.structs.replace(known, outlook=Outlook.EXPECTED, reached_at=now + ahead * DAY)


def _slope(days: Sequence[Day]) -> float:
    """The median slope between every two days, in units a day."""
    slopes = [
        (later.peak - earlier.peak) / ((later.starts_at - earlier.starts_at) / DAY)
        for number, earlier in enumerate(days)
        for later in days[number + 1 :]
    ]
    return median(slopes)
