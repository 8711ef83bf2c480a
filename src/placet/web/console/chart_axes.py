"""The axes of a chart: where its marks stand, and what they say. Days, weeks, months and years begin in UTC."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec

from placet.store.history import DAY, day_of

_LINES = 4
_SUFFIXES = ("", "k", "M", "G", "T", "P", "E")
_RIGHT_EDGE = 92.0
"""Where a label in the middle of its mark might be cut off; on the left there is room."""


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A mark on an axis, at ``place``; a ``minor`` one is left out where there is little room.

    ``anchor`` is the part of its label that stands at the mark, so that none is cut off at the end.
    """

    place: float
    label: str
    minor: bool = False
    anchor: str = "middle"


def unit_marks(most: int) -> list[int]:
    """Answer round numbers from 0 to at least ``most``, at most six of them."""
    at_least = -(-most // _LINES)
    power: int = 10 ** (len(str(at_least)) - 1)
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= at_least)
    return list(range(0, most + step, step))


def compact(units: int) -> str:
    """Write a round number short: 1,500,000 is ``1.5M``."""
    thousands = min((len(str(units)) - 1) // 3, len(_SUFFIXES) - 1)
    return f"{units / 1000**thousands:.4g}{_SUFFIXES[thousands]}"


def time_marks(first: datetime, end: datetime) -> tuple[Tick, ...]:
    """Answer the marks of the time from ``first`` up to ``end``, their places in per cent of it.

    Days up to ten of them, then weeks, months and years. Every other day or week, and months that begin no quarter,
    are minor.
    """
    lasting, midnight = end - first, day_of(first - timedelta(microseconds=1)) + DAY
    if lasting <= 10 * DAY:
        found = _every(midnight, DAY)
        told = [(when, _day(when), number % 2 == 1) for number, when in enumerate(_within(found, first, end))]
    elif lasting <= 70 * DAY:
        found = _every(midnight, 7 * DAY)
        told = [(when, _day(when), number % 2 == 1) for number, when in enumerate(_within(found, first, end))]
    elif lasting <= 800 * DAY:
        found = _months(first)
        told = [(when, _month(when), when.month % 3 != 1) for when in _within(found, first, end)]
    else:
        found = (month for month in _months(first) if month.month == 1)
        told = [(when, f"{when:%Y}", False) for when in _within(found, first, end)]
    return tuple(_tick(100 * ((when - first) / lasting), label, minor=minor) for when, label, minor in told)


def _tick(place: float, label: str, *, minor: bool) -> Tick:
    return Tick(place=round(place, 2), label=label, minor=minor, anchor="end" if place > _RIGHT_EDGE else "middle")


def _within(found: Iterator[datetime], first: datetime, end: datetime) -> list[datetime]:
    return [when for when in takewhile(lambda when: when < end, found) if when >= first]


def _every(when: datetime, step: timedelta) -> Iterator[datetime]:
    while True:
        yield when
        when += step


def _months(when: datetime) -> Iterator[datetime]:
    month = day_of(when).replace(day=1)
    while True:
        yield month
        month = (month + 31 * DAY).replace(day=1)


def _day(when: datetime) -> str:
    return f"{when:%b} {when.day}"


def _month(when: datetime) -> str:
    return f"{when:%Y}" if when.month == 1 else f"{when:%b}"
