"""Usage over time as a picture: numbers become paths here, on the server, and a template draws them as SVG.

Lengths across are parts of the picture's width, lengths down are pixels: the picture is as wide as its page, and its
text as large as the page's. What others wrote is in no path; the same numbers stand in a table beside the picture.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean

import msgspec

from placet.license.instants import rfc3339
from placet.store.history import DAY, HOUR, History
from placet.web.console.chart_axes import Tick, compact, time_marks, unit_marks
from placet.web.console.chart_points import Stretch, Stretches, stretches
from placet.web.console.words import Moment, quantity

MOST_POINTS = 130
MOST_IN_SPARKLINE = 60
FAR = 8
"""A limit so many times the highest peak is told, not drawn: it would press the usage flat."""


class Range(StrEnum):
    """How far back a chart looks."""

    WEEK = "7d"
    MONTH = "30d"
    YEAR = "1y"

    @property
    def words(self) -> str:
        """Its name for people."""
        return {Range.WEEK: "7 days", Range.MONTH: "30 days", Range.YEAR: "1 year"}[self]

    @property
    def lasting(self) -> timedelta:
        """How long it is."""
        return {Range.WEEK: 7 * DAY, Range.MONTH: 30 * DAY, Range.YEAR: 365 * DAY}[self]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one stretch, for those who read them."""

    at: Moment
    peak: str
    average: str
    limit: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Usage over time. Its paths are in a box of 1,000 by 200, its marks in per cent across and in pixels down.

    ``summary`` is the picture in words, ``note`` what it leaves out. ``rows`` are the same numbers, the newest first,
    one for ``each``.
    """

    title: str
    summary: str
    peak: str
    ground: str
    average: str
    limit: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    each: str
    rows: tuple[Row, ...]
    note: str | None


class Sparkline(msgspec.Struct, frozen=True, kw_only=True):
    """Usage as small as a word: its paths are in a box of 100 by 24; ``label`` is the picture in words."""

    label: str
    peak: str
    ground: str
    limit: str


class _Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Where instants and units are in a picture."""

    first: datetime
    end: datetime
    most: int
    width: int
    top: int
    bottom: int

    def x(self, when: datetime) -> str:
        share = (min(max(when, self.first), self.end) - self.first) / (self.end - self.first)
        return f"{share * self.width:.1f}".removesuffix(".0")

    def y(self, units: float) -> str:
        share = min(units, self.most) / self.most
        return f"{self.bottom - (self.bottom - self.top) * share:.1f}".removesuffix(".0")


def chart(title: str, history: History, first: datetime, end: datetime, *, most: int = MOST_POINTS) -> Chart:
    """Draw the usage from ``first`` up to ``end``, in at most ``most`` points or one more, where the first is cut."""
    usage = stretches(history, first, end, most)
    limit, is_far = _limit(usage)
    marks = unit_marks(_highest(usage, with_limit=not is_far))
    frame = _Frame(first=first, end=end, most=marks[-1], width=1000, top=8, bottom=198)
    return Chart(
        title=title,
        summary=_summary(usage),
        peak=_steps(frame, usage, _peak),
        ground=_ground(frame, usage),
        average=_line(frame, usage),
        limit="" if is_far else _steps(frame, usage, _limit_of),
        across=time_marks(first, end),
        up=tuple(Tick(place=float(frame.y(units)), label=compact(units)) for units in marks),
        each=_lasting(usage.each),
        rows=tuple(_row(item, usage.each) for item in reversed(usage.found)),
        note=f"The limit of {quantity(limit)} lies far above this picture." if is_far else None,
    )


def sparkline(history: History, first: datetime, end: datetime) -> Sparkline | None:
    """Draw the usage from ``first`` up to ``end`` small; ``None`` where fewer than two points are known."""
    usage = stretches(history, first, end, MOST_IN_SPARKLINE)
    if len(usage.found) < 2:
        return None
    is_far = _limit(usage)[1]
    most = _highest(usage, with_limit=not is_far)
    frame = _Frame(first=first, end=end, most=most, width=100, top=2, bottom=23)
    return Sparkline(
        label=_summary(usage),
        peak=_steps(frame, usage, _peak),
        ground=_ground(frame, usage),
        limit="" if is_far else _steps(frame, usage, _limit_of),
    )


# What is drawn


def _limit(usage: Stretches) -> tuple[int, bool]:
    """The highest limit, and whether it is too far above the usage to be drawn."""
    highest = max((item.limit for item in usage.found if item.limit is not None), default=0)
    return highest, highest > FAR * max((item.peak for item in usage.found), default=highest)


def _highest(usage: Stretches, *, with_limit: bool) -> int:
    limits = [item.limit or 0 for item in usage.found] if with_limit else []
    return max([item.peak for item in usage.found] + limits, default=0) or 1


def _peak(item: Stretch) -> int:
    return item.peak


def _limit_of(item: Stretch) -> int | None:
    return item.limit


def _steps(frame: _Frame, usage: Stretches, value: Callable[[Stretch], int | None]) -> str:
    """A line that is level for each stretch; it is broken where there is a gap, or no value."""
    path: list[str] = []
    for run in usage.runs():
        drawn, at = False, ""
        for item in run:
            units = value(item)
            if units is None:
                drawn = False
                continue
            y, end = frame.y(units), frame.x(item.ends_at)
            if not drawn:
                path.append(f"M{frame.x(item.starts_at)} {y}H{end}")
            elif y == at:
                path.append(f"H{end}")
            else:
                path.append(f"V{y}H{end}")
            drawn, at = True, y
    return "".join(path)


def _ground(frame: _Frame, usage: Stretches) -> str:
    """All that is below the peaks."""
    path: list[str] = []
    for run in usage.runs():
        path.append(f"M{frame.x(run[0].starts_at)} {frame.bottom}")
        path.extend(f"V{frame.y(item.peak)}H{frame.x(item.ends_at)}" for item in run)
        path.append(f"V{frame.bottom}Z")
    return "".join(path)


def _line(frame: _Frame, usage: Stretches) -> str:
    """A line through the averages, at the middle of each stretch."""

    def points(run: Iterable[Stretch]) -> str:
        return "L".join(f"{frame.x(item.starts_at + usage.each / 2)} {frame.y(item.average)}" for item in run)

    return "".join(f"M{points(run)}" for run in usage.runs())


# What is told


def _summary(usage: Stretches) -> str:
    if not usage.found:
        return "Nothing is known of usage in this time."
    average = fmean(item.average for item in usage.found)
    newest = usage.found[-1]
    limit = "with no limit" if newest.limit is None else f"of {quantity(newest.limit)} allowed"
    peak = max(item.peak for item in usage.found)
    known = f"since {usage.found[0].starts_at:%Y-%m-%d}, at most {quantity(peak)} and on average {_decimal(average)}"
    return f"{known}; lately {quantity(newest.peak)}, {limit}"


def _row(item: Stretch, each: timedelta) -> Row:
    form = "%Y-%m-%d" if each >= DAY else "%Y-%m-%d %H:%M"
    return Row(
        at=Moment(rfc3339(item.starts_at), f"{item.starts_at:{form}}"),
        peak=quantity(item.peak),
        average=_decimal(item.average),
        limit="none" if item.limit is None else quantity(item.limit),
    )


def _decimal(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _lasting(each: timedelta) -> str:
    unit, name = (DAY, "day") if each >= DAY else (HOUR, "hour")
    several = each // unit
    return name if several == 1 else f"{several} {name}s"
