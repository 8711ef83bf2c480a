"""Usage: every limit with who holds what, seats with who waits, and what is metered with its open blocks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from placet.enforcement import Status
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.leased import MeterView, SeatsView, meter_view, seats_view
from placet.web.console.usage_words import limit_views
from placet.web.console.view import Group, View

_MOST_HOLDERS = 20
_MOST_DENIALS = 10


def _show(asking: Asking) -> Mapping[str, Any]:
    """Who was refused a seat is for administrators alone."""
    status = asking.server.guard.status()
    with asking.server.guard.database.read() as connection:
        return {
            "status": status,
            "limits": limit_views(connection, status, asking.server.guard.now(), most=_MOST_HOLDERS),
            "seats": _seats(connection, status, denied=_MOST_DENIALS if asking.caller.is_administrator else 0),
            "meters": _meters(connection, status),
        }


def _seats(connection: Connection, status: Status, *, denied: int) -> dict[str, SeatsView]:
    return {
        name: seats_view(connection, name, most=_MOST_HOLDERS, denied=denied, locale=status.policy.locale)
        for name, feature in status.features.items()
        if feature.kind == "seats"
    }


def _meters(connection: Connection, status: Status) -> dict[str, MeterView]:
    return {
        name: meter_view(connection, feature, most=_MOST_HOLDERS)
        for name, feature in status.features.items()
        if feature.kind == "metered"
    }


VIEW = View(
    path="/service-center/usage",
    template="usage.html",
    access=Access.SIGNED_IN,
    title="Usage",
    group=Group.LICENSE,
    show=_show,
)
