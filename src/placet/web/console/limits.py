"""A limit as people see it: a sentence with the numbers, and a bar."""

from enum import StrEnum

import msgspec

from placet.enforcement import FeatureStatus
from placet.store.usage import Allocation
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


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of the license here. ``holders`` hold what is in use, the largest first; ``unseen`` are more of them."""

    name: str
    title: str
    used: int
    limit: int | None
    tolerated: int | None
    standing: Standing
    sentence: str
    note: str | None
    bar: Bar | None
    holders: tuple[Allocation, ...]
    unseen: int


def limit_view(feature: FeatureStatus, *, granted: bool, holders: list[Allocation], most: int) -> LimitView:
    """Tell a limit; ``granted``: there is a license whose limits count here. At most ``most`` holders are shown."""
    used, limit = feature.used or 0, feature.limit
    standing = _standing(feature) if granted else Standing.UNGRANTED
    countable = granted and limit is not None
    return LimitView(
        name=feature.name,
        title=feature.title,
        used=used,
        limit=limit,
        tolerated=feature.tolerated_limit,
        standing=standing,
        sentence=_sentence(used, limit or 0, feature.title) if countable else f"{quantity(used)} in use",
        note=_note(feature) if countable else None,
        bar=_bar(used, limit or 0, feature.tolerated_limit or 0) if countable else None,
        holders=tuple(holders[:most]),
        unseen=max(0, len(holders) - most),
    )


def _sentence(used: int, limit: int, title: str) -> str:
    """A title is a plural, which does not go with one."""
    return f"{quantity(used)} of {quantity(limit)} {'in use' if limit == 1 else title}"


def _standing(feature: FeatureStatus) -> Standing:
    if feature.limit is None:
        return Standing.UNLIMITED
    if feature.exceeded:
        return Standing.OVER
    if feature.over_limit:
        return Standing.TOLERATED
    return Standing.FULL if feature.used == feature.limit else Standing.WITHIN


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
