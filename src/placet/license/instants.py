"""Instants and durations as people write them, and as documents hold them.

Documents hold instants as whole seconds since 1970-01-01T00:00:00Z (NumericDate, RFC 7519 section 2). People write
a date (``2027-12-31``: the end of that day, UTC), an RFC 3339 instant, or a duration (``30d``, ``12h``, ``90s``).
"""

import re
from datetime import UTC, date, datetime, timedelta

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_duration(text: str) -> timedelta:
    """Read ``30d``, ``12h``, ``15m``, ``90s`` or ``2w``; raises ``ValueError`` with a sentence for people."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a duration. Write a number and a unit: 30d, 12h, 15m or 90s.")
    try:
        duration = timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
    except OverflowError:
        duration = timedelta.max
    if duration > LATEST - EARLIEST:
        raise ValueError(f"{text[:40]!r} is longer than the calendar.")
    return duration


def parse_when(text: str, now: datetime) -> datetime:
    """Read a date (its end, UTC), an RFC 3339 instant with its zone, or a duration counted from ``now``.

    A date means the whole of that day: the answer is the first instant of the next one, the way RFC 7519 counts
    ``exp``. Fractions of a second are dropped. Raises ``ValueError`` with a sentence for people.
    """
    text = text.strip()
    if _DURATION.fullmatch(text.lower()):
        when = _later(now, parse_duration(text))
    elif _DATE.fullmatch(text):
        when = _end_of_day(text)
    else:
        when = _instant(text)
    if not EARLIEST <= when <= LATEST:
        raise ValueError(f"{text[:40]!r} is outside the years 2000 to 9999.")
    return when.replace(microsecond=0)


def _later(now: datetime, duration: timedelta) -> datetime:
    try:
        return now + duration
    except OverflowError:
        raise ValueError("That is past the year 9999.") from None


def _end_of_day(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar.") from None
    return _later(datetime(day.year, day.month, day.day, tzinfo=UTC), timedelta(days=1))


def _instant(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is not a time. Write 2027-12-31, 2027-12-31T18:00:00Z or a duration such as 30d."
        ) from None
    if when.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no time zone. Write {text[:19]}Z for UTC, or an offset such as +02:00.")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is outside the years 2000 to 9999.") from None


def from_numeric_date(seconds: int) -> datetime:
    """Answer the instant of a NumericDate (RFC 7519 section 2)."""
    return datetime.fromtimestamp(seconds, UTC)


def to_numeric_date(when: datetime) -> int:
    """Answer the NumericDate of an instant, fractions of a second dropped."""
    return (when - _EPOCH) // timedelta(seconds=1)


def rfc3339(when: datetime) -> str:
    """Write an instant exactly and with its zone: ``2028-01-01T00:00:00Z``."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
