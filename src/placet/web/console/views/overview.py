"""The overview: how the license stands in one sentence, what to do about it, and how much of everything is in use."""

from collections.abc import Mapping
from typing import Any

import msgspec

from placet.store import modules, users
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.license_words import STATE_WORDS, license_view, well
from placet.web.console.operations import possible
from placet.web.console.usage_words import limit_views
from placet.web.console.view import Group, View
from placet.web.console.words import quantity

_MOST_NEWEST = 5


class Figure(msgspec.Struct, frozen=True):
    """A number at a glance, with the page that tells more; ``note`` is a second, smaller one in words."""

    title: str
    number: str
    note: str
    href: str


def _show(asking: Asking) -> Mapping[str, Any]:
    server = asking.server
    status = server.guard.status()
    with server.guard.database.read() as connection:
        limits = limit_views(connection, status, most=0)
        newest = modules.newest(connection, _MOST_NEWEST)
        published = modules.count(connection)
        people = users.counts(connection)
    front_ends = server.front_ends()
    registered = sum(item.registered for item in front_ends)
    figures = (
        Figure("Modules", quantity(published), "published", "/service-center/modules"),
        Figure(
            "Users",
            quantity(people.active),
            f"active, {quantity(people.inactive)} deactivated",
            "/service-center/usage",
        ),
        Figure(
            "Front-ends",
            quantity(len(front_ends)),
            f"{quantity(registered)} with a place",
            "/service-center/front-ends",
        ),
    )
    return {
        "status": status,
        "state": STATE_WORDS[status.state],
        "well": well(status, limits),
        "license": license_view(status, server.guard.now()),
        "limits": limits,
        "operations": possible(status),
        "figures": figures,
        "newest": newest,
    }


VIEW = View(
    path="/service-center",
    template="overview.html",
    access=Access.SIGNED_IN,
    title="Overview",
    group=Group.LICENSE,
    show=_show,
)
