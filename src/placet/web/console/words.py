"""Times and amounts in words for people. The exact value always stands beside the words."""

from datetime import UTC, datetime, time, timedelta

import msgspec

from placet.enforcement.messages import DEFAULT_LOCALE, period_text
from placet.license.instants import rfc3339


class Moment(msgspec.Struct, frozen=True):
    """An instant: ``exact`` in RFC 3339 with its zone, ``words`` as people say it, in UTC."""

    exact: str
    words: str


def moment(when: datetime) -> Moment:
    """Tell an instant, to the second."""
    whole = when.astimezone(UTC).replace(microsecond=0)
    return Moment(rfc3339(whole), f"{whole:%Y-%m-%d %H:%M:%S} UTC")


def ending(when: datetime) -> Moment:
    """Tell the first instant after a period: midnight is the end of the day before it."""
    told, utc = moment(when), when.astimezone(UTC).replace(microsecond=0)
    if utc.time() != time():
        return told
    return Moment(told.exact, f"the end of {utc - timedelta(days=1):%Y-%m-%d} (UTC)")


def distance(when: datetime, now: datetime, locale: str = DEFAULT_LOCALE) -> str:
    """Tell how far an instant is from ``now``: ``30 days left``, ``3 days ago``."""
    if when > now:
        return f"{period_text(when - now, locale)} left"
    return f"{period_text(now - when, locale)} ago"


_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
    (timedelta.resolution, "microsecond"),
)


def period(lasting: timedelta) -> str:
    """Tell how long something lasts, exactly: ``2 hours``, ``90 minutes``."""
    unit, name = next((unit, name) for unit, name in _UNITS if lasting % unit == timedelta(0))
    count = lasting // unit
    return f"{count} {name}{'' if count == 1 else 's'}"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_of(agent: str | None) -> str:
    """Tell a browser by what it says of itself (RFC 9110 section 10.1.5): ``Firefox on Linux``."""
    if not agent:
        return "not known"
    browser = next((name for sign, name in _BROWSERS if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    if browser is None:
        return agent[:60]
    return browser if system is None else f"{browser} on {system}"


def quantity(units: int) -> str:
    """Write a number of units with separators."""
    return f"{units:,}"
