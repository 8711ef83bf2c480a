"""The periods of metered features: calendar days and months in UTC, or the term of the license."""

from datetime import datetime, timedelta

from placet.license.instants import from_numeric_date
from placet.license.terms import Period, Terms


def period_at(
    period: Period, now: datetime, terms: Terms, evaluation_started_at: datetime | None = None
) -> tuple[datetime, datetime]:
    """Answer when the period that ``now`` (UTC) lies in starts, and the first instant after it.

    The term of a license starts when it begins to be valid, or was issued where it does not say; that of an evaluation
    with its first installation.
    """
    if period is Period.TERM:
        begins_at = evaluation_started_at or terms.starts_at() or from_numeric_date(terms.iat)
        return begins_at, terms.expires_at(evaluation_started_at)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period is Period.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)
