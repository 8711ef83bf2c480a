"""Usage over time, as members of JSON answers, and the period that is asked for."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from litestar.params import Parameter

from placet.license.instants import parse_when, rfc3339
from placet.store.history import DAY, History
from placet.store.holders import HolderDay
from placet.web.problems import Problem

Since = Annotated[str | None, Parameter(max_length=60, description="A date or an RFC 3339 instant; else a year before")]
Until = Annotated[str | None, Parameter(max_length=60, description="A date (its end) or an RFC 3339 instant; else now")]
HolderName = Annotated[
    str, Parameter(min_length=1, max_length=1000, pattern=r"^[^\x00]+$", description="Who holds units of it")
]

LONGEST = 3_660 * DAY
_YEAR = 365 * DAY
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*")


def period(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Answer the first instant of the period asked for, and the first after it; a date means the whole of that day."""
    end = now + timedelta(microseconds=1) if until is None else _instant("until", until, now)
    first = end - _YEAR if since is None else _instant("since", since, now)
    if since is not None and _DATE.fullmatch(since):
        first -= DAY
    if first >= end:
        raise _bad_request(f"'since' is {rfc3339(first)}, which is not before 'until', {rfc3339(end)}.")
    if end - first > LONGEST:
        raise _bad_request(f"From 'since' to 'until' may be at most {LONGEST.days:,} days. Ask for less at a time.")
    return first, end


def history_members(history: History, first: datetime, end: datetime) -> dict[str, Any]:
    """The points of a chart: ``resolution`` is what each is of, ``limit`` is null where there was none."""
    points = [
        {"at": rfc3339(point.starts_at), "peak": point.peak, "average": point.average, "limit": point.limit}
        for point in history.points
    ]
    return _period(first, end) | {"resolution": history.resolution, "points": points}


def holder_members(days: list[HolderDay], first: datetime, end: datetime) -> dict[str, Any]:
    """What one holder used on each day."""
    return _period(first, end) | {"points": [{"at": rfc3339(day.day), "amount": day.amount} for day in days]}


def _period(first: datetime, end: datetime) -> dict[str, Any]:
    return {"since": rfc3339(first.replace(microsecond=0)), "until": rfc3339(end.replace(microsecond=0))}


def _instant(name: str, text: str, now: datetime) -> datetime:
    try:
        return parse_when(text, now)
    except ValueError as error:
        raise _bad_request(f"The parameter '{name}': {error}") from None


def _bad_request(detail: str) -> Problem:
    return Problem("bad_request", title="Bad Request", status=400, detail=detail)
