"""The limits of the license as people see them, read from the facts."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection

from placet.enforcement import FeatureStatus, State, Status
from placet.enforcement.trend import WINDOW
from placet.guard import trends
from placet.store import usage
from placet.store.history import DAY, day_of
from placet.web.console.charts import sparkline
from placet.web.console.leased import seat_holders
from placet.web.console.limits import Holder, LimitView, limit_view
from placet.web.trends import trend_words

_NOT_GRANTING = frozenset({State.NO_LICENSE, State.UNREADABLE, State.REVOKED, State.WRONG_SERVER})


def limit_views(connection: Connection, status: Status, now: datetime, *, most: int) -> tuple[LimitView, ...]:
    """Tell every limit of a status, in the product's order, each with ``most`` of its holders at most."""
    return tuple(
        one_limit_view(connection, status, feature, now, most=most)
        for feature in status.features.values()
        if feature.kind != "switch"
    )


def one_limit_view(
    connection: Connection, status: Status, feature: FeatureStatus, now: datetime, *, most: int
) -> LimitView:
    """Tell one limit of a status, with its usage of the last four weeks and where that is going."""
    granted = status.state not in _NOT_GRANTING
    holders, count = _holders(connection, feature, most) if most else ([], 0)
    view = limit_view(feature, granted=granted, holders=holders, most=most, count=count)
    known = trends.recent(connection, feature.name, now)
    found = trends.trend_of(feature, known, now) if granted else None
    return msgspec.structs.replace(
        view,
        sparkline=sparkline(known, day_of(now - WINDOW + DAY), now),
        trend=None if found is None else trend_words(feature, found, now),
    )


def _holders(connection: Connection, feature: FeatureStatus, most: int) -> tuple[list[Holder], int]:
    """Who holds units, and how many they are. What is metered is consumed; who has blocks of it is told with them."""
    if feature.kind == "seats":
        found = seat_holders(connection, feature.name)
        return found, len(found)
    if feature.kind == "metered":
        return [], 0
    held = usage.allocations_of(connection, feature.name, most=most)
    return [Holder(item.holder, item.amount) for item in held], usage.holders_of(connection, feature.name)
