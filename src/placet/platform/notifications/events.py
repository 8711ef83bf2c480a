"""What there is to tell, from the status, the rules and what was told before. Pure: no clock, no database.

1. *Expiry*: at so many days before it. Each threshold is told once for each license (by its digest), the closest that
   was reached alone: a license installed ten days before its end is told at 14 days, not at 90, 30 and 14.
2. *Limits*: at so many percent in use, the highest that was reached alone. A threshold can be told again once usage has
   fallen :data:`HYSTERESIS` points below it: that is another crossing, and has another key. A metered feature starts
   anew with its period.
3. A limit of one unit is always empty or full: it is told only where more is in use than that.
4. Where the license is not usable, its limits say nothing, and what was told of them stays.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from placet.enforcement.status import FeatureStatus, State, Status
from placet.platform.notifications import texts_en_us as texts
from placet.platform.notifications.message import Message
from placet.platform.notifications.rules import Rules
from placet.store.notifications import Mark

HYSTERESIS = 5
"""How many points of a percentage usage has to fall below a threshold before that can be told again."""

_IN_TIME_OR_PAST_IT = frozenset({State.ACTIVE, State.GRACE, State.EXPIRED})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a subject goes from ``known`` to ``to``; ``event`` and ``message`` are there where it is told."""

    subject: str
    known: Mark | None
    to: Mark
    event: str | None = None
    message: Message | None = None


def steps(status: Status, rules: Rules, marks: Mapping[str, Mark]) -> Iterator[Step]:
    """Answer what there is to tell, and to note."""
    yield from _expiry(status, rules.expiry_days, marks)
    if status.usable:
        for feature in status.features.values():
            if feature.used is not None:
                yield from _limit(status, feature, rules.limit_percents, marks)


def _expiry(status: Status, thresholds: tuple[int, ...], marks: Mapping[str, Mark]) -> Iterator[Step]:
    if status.license is None or status.expires_at is None or status.state not in _IN_TIME_OR_PAST_IT:
        return
    left = status.expires_at - status.evaluated_at
    closest = min((days for days in thresholds if left <= timedelta(days=days)), default=None)
    subject = f"expiry:{status.license.digest}"
    known = marks.get(subject)
    if closest is None or (known is not None and known.told is not None and known.told <= closest):
        return
    message = texts.expiring(status, status.license.terms, left, closest)
    yield Step(subject=subject, known=known, to=Mark(told=closest), event=f"{subject}:{closest}", message=message)


def _limit(
    status: Status, feature: FeatureStatus, thresholds: tuple[int, ...], marks: Mapping[str, Mark]
) -> Iterator[Step]:
    subject = f"limit:{feature.name}"
    known = marks.get(subject)
    before = known or Mark()
    told = _still_told(before, feature, thresholds)
    highest = max((percent for percent in thresholds if _is_in_use(feature, percent)), default=0)
    if highest > (told or 0):
        to = _mark(highest, before.crossing + 1, feature.period_starts_at)
        message, event = texts.reached(status, feature, highest), f"{subject}:{highest}:{to.crossing}"
        yield Step(subject=subject, known=known, to=to, event=event, message=message)
    elif known is not None and told != known.told:
        yield Step(subject=subject, known=known, to=_mark(told, known.crossing, known.period_starts_at))


def _mark(told: int | None, crossing: int, period_starts_at: datetime | None) -> Mark:
    return Mark(told=told, crossing=crossing, period_starts_at=period_starts_at)


def _is_in_use(feature: FeatureStatus, percent: int) -> bool:
    """Whether so much of the limit is in use; of one unit, or none, only more than all of it counts."""
    used, limit = feature.used or 0, feature.limit
    if limit is None or (limit <= 1 and used <= limit):
        return False
    return used * 100 >= percent * limit


def _still_told(mark: Mark, feature: FeatureStatus, thresholds: tuple[int, ...]) -> int | None:
    """What of that which was told holds on: usage has not fallen clearly below it, in the same period."""
    if mark.told is None or mark.period_starts_at != feature.period_starts_at:
        return None
    told = {mark.told, *(percent for percent in thresholds if percent < mark.told)}
    return max((percent for percent in told if _is_in_use(feature, percent - HYSTERESIS)), default=None)
