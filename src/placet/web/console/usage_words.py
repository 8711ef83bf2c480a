"""The limits of the license as people see them, read from the facts."""

from sqlalchemy import Connection

from placet.enforcement import FeatureStatus, State, Status
from placet.store import usage
from placet.web.console.leased import seat_holders
from placet.web.console.limits import Holder, LimitView, limit_view

_NOT_GRANTING = frozenset({State.NO_LICENSE, State.UNREADABLE, State.REVOKED, State.WRONG_SERVER})


def limit_views(connection: Connection, status: Status, *, most: int) -> tuple[LimitView, ...]:
    """Tell every limit of a status, in the product's order, each with ``most`` of its holders at most."""
    granted = status.state not in _NOT_GRANTING
    return tuple(
        limit_view(feature, granted=granted, holders=_holders(connection, feature) if most else (), most=most)
        for feature in status.features.values()
        if feature.kind != "switch"
    )


def _holders(connection: Connection, feature: FeatureStatus) -> list[Holder]:
    """Who holds units. What is metered is consumed; who has blocks of it is told with them."""
    if feature.kind == "seats":
        return seat_holders(connection, feature.name)
    if feature.kind == "metered":
        return []
    return [Holder(held.holder, held.amount) for held in usage.allocations_of(connection, feature.name)]
