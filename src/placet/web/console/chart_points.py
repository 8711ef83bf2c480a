"""Usage over time, put together so that a picture of a year is as small as one of a month.

Points that come too close become one: their highest peak, the mean of their averages, their last limit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import fmean

import msgspec

from placet.store.history import DAY, HOUR, History, Point, Resolution, day_of

_STEPS = {Resolution.HOUR: (1, 2, 3, 4, 6, 12), Resolution.DAY: (1, 2, 3, 7, 14, 28)}
_LENGTHS = {Resolution.HOUR: HOUR, Resolution.DAY: DAY}


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Usage from ``starts_at`` up to ``ends_at``, in units; ``limit`` is its last, ``None`` for unlimited."""

    starts_at: datetime
    ends_at: datetime
    peak: int
    average: float
    limit: int | None


class Stretches(msgspec.Struct, frozen=True, kw_only=True):
    """Stretches of ``each`` in the order of time. Where nothing was sampled, there is none."""

    each: timedelta
    found: tuple[Stretch, ...]

    def runs(self) -> list[list[Stretch]]:
        """Those that follow one another without a gap, together."""
        runs = [[item] for item in self.found[:1]]
        for earlier, later in pairwise(self.found):
            if earlier.ends_at == later.starts_at:
                runs[-1].append(later)
            else:
                runs.append([later])
        return runs


def stretches(history: History, first: datetime, end: datetime, most: int) -> Stretches:
    """Put the points from ``first`` up to ``end`` together, in stretches of which ``most`` fill the whole time."""
    length = _LENGTHS[history.resolution]
    needed = (end - first) / length / most
    several = next((step for step in _STEPS[history.resolution] if step >= needed), -int(-needed // 1))
    each, base = several * length, day_of(first)
    points = sorted(history.points, key=lambda point: point.starts_at)
    groups = groupby(points, key=lambda point: (point.starts_at - base) // each)
    return Stretches(
        each=each, found=tuple(_together(base + number * each, each, list(group)) for number, group in groups)
    )


def _together(starts_at: datetime, each: timedelta, points: Sequence[Point]) -> Stretch:
    return Stretch(
        starts_at=starts_at,
        ends_at=starts_at + each,
        peak=max(point.peak for point in points),
        average=round(fmean(point.average for point in points), 3),
        limit=points[-1].limit,
    )
