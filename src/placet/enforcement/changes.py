"""What installing a license changes: before and after, feature by feature, and what it would block."""

from enum import StrEnum

import msgspec

from placet.enforcement.codes import Code
from placet.enforcement.decision import Decision, decide
from placet.enforcement.status import FeatureStatus, Status


class Effect(StrEnum):
    """What a change means to the server."""

    GAINED = "gained"
    LOST = "lost"
    RAISED = "raised"
    LOWERED = "lowered"


class FeatureChange(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that differs. ``before`` and ``after`` are ``on``, ``off``, ``unlimited`` or a number of units."""

    feature: str
    title: str
    effect: Effect
    before: str
    after: str
    used: int | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two statuses. ``blocked`` are decisions for operations allowed before and refused after."""

    features: tuple[FeatureChange, ...]
    blocked: tuple[Decision, ...]
    unknown_features: tuple[str, ...]

    @property
    def needs_acknowledgement(self) -> bool:
        """Something that is allowed now would be refused, and not merely because a feature is no longer licensed."""
        return bool(self.blocked)


def compare(before: Status, after: Status) -> Changes:
    """Compare the server's status with the one it would have."""
    product = after.product
    pairs = [(before.features[feature.name], after.features[feature.name]) for feature in product.features]
    granted = after.license.terms.features if after.license is not None else {}
    return Changes(
        features=tuple(change for old, new in pairs if (change := _change(old, new)) is not None),
        blocked=tuple(
            refusal
            for operation in product.tasks
            if decide(before, operation.name).allowed
            and not (refusal := decide(after, operation.name)).allowed
            and refusal.code is not Code.FEATURE_NOT_LICENSED
        ),
        unknown_features=tuple(name for name in granted if name not in product.by_name),
    )


def _change(old: FeatureStatus, new: FeatureStatus) -> FeatureChange | None:
    if (old.licensed, old.limit, old.tolerated_limit) == (new.licensed, new.limit, new.tolerated_limit):
        return None
    if old.licensed != new.licensed:
        effect = Effect.GAINED if new.licensed else Effect.LOST
    else:
        effect = Effect.RAISED if _size(new) > _size(old) else Effect.LOWERED
    return FeatureChange(
        feature=new.name, title=new.title, effect=effect, before=_extent(old), after=_extent(new), used=new.used
    )


def _size(feature: FeatureStatus) -> tuple[float, float]:
    unlimited = float("inf")
    return (
        unlimited if feature.limit is None else feature.limit,
        unlimited if feature.tolerated_limit is None else feature.tolerated_limit,
    )


def _extent(feature: FeatureStatus) -> str:
    if feature.kind == "switch":
        return "on" if feature.licensed else "off"
    if feature.limit is None:
        return "unlimited"
    tolerance = (feature.tolerated_limit or 0) - feature.limit
    return f"{feature.limit} + {tolerance} tolerated" if tolerance else str(feature.limit)
