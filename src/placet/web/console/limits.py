"""A limit as people see it: a sentence with the numbers, and a bar."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from placet.enforcement import FeatureStatus
from placet.web.console.charts import Sparkline
from placet.web.console.words import quantity


class Standing(StrEnum):
    """How usage stands to a limit. The values are the words beside the bar."""

    WITHIN = "within the limit"
    FULL = "limit reached"
    TOLERATED = "over the limit, tolerated"
    OVER = "over the limit"
    UNLIMITED = "not limited"
    UNGRANTED = "no license says how many"


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar's parts as percentages of its length, which is ``scale`` units.

    ``used`` ends at the limit; ``over`` is what is in use past it, ``tolerance`` what may be. ``limit`` is where the
    mark of the limit stands.
    """

    scale: int
    used: float
    limit: float
    over: float
    tolerance: float


class Holder(msgspec.Struct, frozen=True):
    """Somebody who holds, or waits for, ``amount`` units."""

    holder: str
    amount: int


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of the license here, of whichever ``kind``: of units, of seats, or of what is consumed in a period.

    ``holders`` hold what is in use, the largest first; ``unseen`` are more of them. ``sparkline`` is the usage of the
    last four weeks, ``trend`` where it is going.
    """

    name: str
    title: str
    kind: str
    used: int
    limit: int | None
    tolerated: int | None
    standing: Standing
    sentence: str
    note: str | None
    bar: Bar | None
    holders: tuple[Holder, ...]
    unseen: int
    sparkline: Sparkline | None = None
    trend: str | None = None


def limit_view(
    feature: FeatureStatus, *, granted: bool, holders: Sequence[Holder], most: int, count: int | None = None
) -> LimitView:
    """Tell a limit; ``granted``: there is a license whose limits count here.

    At most ``most`` holders are shown; there are ``count`` of them, where not all are given.
    """
    used, limit = feature.used or 0, feature.limit
    standing = _standing(feature) if granted else Standing.UNGRANTED
    countable = granted and limit is not None
    return LimitView(
        name=feature.name,
        title=feature.title,
        kind=feature.kind,
        used=used,
        limit=limit,
        tolerated=feature.tolerated_limit,
        standing=standing,
        sentence=_sentence(feature, used, limit if countable else None),
        note=_note(feature) if countable else None,
        bar=_bar(used, limit or 0, feature.tolerated_limit or 0) if countable else None,
        holders=tuple(holders[:most]),
        unseen=max(0, (len(holders) if count is None else count) - most),
    )


def _sentence(feature: FeatureStatus, used: int, limit: int | None) -> str:
    """A title is a plural, which does not go with one."""
    done = "consumed" if feature.kind == "metered" else "in use"
    if limit is None:
        return f"{quantity(used)} {done}"
    return f"{quantity(used)} of {quantity(limit)} {done if limit == 1 else feature.title}"


def _standing(feature: FeatureStatus) -> Standing:
    """By the numbers: ``over_limit`` and ``exceeded`` are of limits alone, as nothing else blocks other operations."""
    used, limit = feature.used or 0, feature.limit
    if limit is None:
        return Standing.UNLIMITED
    if used > (limit if feature.tolerated_limit is None else feature.tolerated_limit):
        return Standing.OVER
    if used > limit:
        return Standing.TOLERATED
    return Standing.FULL if used == limit else Standing.WITHIN


def _note(feature: FeatureStatus) -> str | None:
    used, limit, tolerated = feature.used or 0, feature.limit or 0, feature.tolerated_limit or 0
    tolerance = f", with up to {quantity(tolerated)} tolerated" if tolerated > limit else ""
    if used > limit:
        return f"{quantity(used - limit)} over the limit of {quantity(limit)}{tolerance}"
    return f"{quantity(limit - used) if used < limit else 'none'} left{tolerance}"


def _bar(used: int, limit: int, tolerated: int) -> Bar:
    scale = max(limit, tolerated, used, 1)

    def share(units: int) -> float:
        return round(100 * max(0, units) / scale, 3)

    return Bar(
        scale=scale,
        used=share(min(used, limit)),
        limit=share(limit),
        over=share(used - limit),
        tolerance=share(tolerated - limit),
    )
