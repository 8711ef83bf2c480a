"""The overview: how the license stands in one sentence, what to do about it, and how much of everything is in use."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from placet.store import audit, modules, users
from placet.store.audit import AuditEvent
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.events import event_words
from placet.web.console.license_words import STATE_WORDS, license_view, well
from placet.web.console.operations import possible
from placet.web.console.usage_words import limit_views
from placet.web.console.view import Group, View
from placet.web.console.words import moment, quantity

_MOST_NEWEST = 5
_MOST_EVENTS = 8


class Figure(msgspec.Struct, frozen=True):
    """A number at a glance, with the page that tells more; ``note`` is a second, smaller one in words."""

    title: str
    number: str
    note: str
    href: str


def _show(asking: Asking) -> Mapping[str, Any]:
    server = asking.server
    status, now = server.guard.status(), server.guard.now()
    with server.guard.database.read() as connection:
        limits = limit_views(connection, status, now, most=0)
        newest = modules.newest(connection, _MOST_NEWEST)
        published = modules.count(connection)
        people = users.counts(connection)
        events = _latest(connection) if asking.caller.is_administrator else []
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
        "license": license_view(status, now),
        "limits": limits,
        "operations": possible(status),
        "figures": figures,
        "newest": newest,
        "events": [(moment(event.at), event_words(event), event.actor, event.subject) for event in events],
    }


def _latest(connection: Connection) -> list[AuditEvent]:
    """The newest events, but those of usage, which go with the others."""
    found = audit.events(connection, most=4 * _MOST_EVENTS)
    return [event for event in found if not event.event.startswith("usage.")][:_MOST_EVENTS]


VIEW = View(
    path="/service-center",
    template="overview.html",
    access=Access.SIGNED_IN,
    title="Overview",
    group=Group.LICENSE,
    show=_show,
)
