"""Where the usage of a feature is going, from what is stored of it."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection

from placet.enforcement.status import FeatureStatus
from placet.enforcement.trend import WINDOW, Day, Trend, period_trend, trend
from placet.store.history import DAY, History, day_of, history


def recent(connection: Connection, feature: str, now: datetime) -> History:
    """Answer the usage that a trend looks back on, with this very moment."""
    return history(connection, feature, day_of(now - WINDOW + DAY), now + DAY)


def trend_of(feature: FeatureStatus, known: History, now: datetime) -> Trend | None:
    """Answer the trend of a feature by its :func:`recent` usage; ``None`` for a switch, which has none.

    What is held until it is given back counts from what is in use now. Seats come and go within a day: their level is
    the highest peak of today and yesterday. What is metered has the trend of its period, where a license says one.
    """
    if feature.used is None:
        return None
    starts_at, ends_at = feature.period_starts_at, feature.period_ends_at
    if feature.kind == "metered" and starts_at is not None and ends_at is not None:
        return period_trend(feature.used, feature.limit, starts_at, ends_at, now)
    peaks: dict[datetime, int] = defaultdict(int)
    for point in known.points:
        peaks[day_of(point.starts_at)] = max(peaks[day_of(point.starts_at)], point.peak)
    days = [Day(day, peak) for day, peak in sorted(peaks.items())]
    lately = [day.peak for day in days if day.starts_at > now - 2 * DAY] if feature.kind == "seats" else []
    return trend(days, max([feature.used, *lately]), feature.limit, now)
