"""Licensing: the license in words, what it grants, those before it, and how to get another and install it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from placet.enforcement import FeatureStatus
from placet.store.licenses import InstalledLicense
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.license_words import STATE_WORDS, license_view
from placet.web.console.limits import LimitView
from placet.web.console.usage_words import limit_views
from placet.web.console.view import Group, View
from placet.web.console.words import Moment, ending, moment, quantity

_MOST_ENTRIES = 50
_KINDS = {"switch": "switch", "limit": "limit", "seats": "at the same time", "metered": "per period"}


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True):
    """A feature of the product: what the license grants of it, what is in use, and how that stands, in words."""

    name: str
    title: str
    kind: str
    granted: str
    used: str
    standing: str
    mark: str


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A license that was installed here."""

    entry: InstalledLicense
    expires: Moment
    installed: Moment
    in_force: bool


def _show(asking: Asking) -> Mapping[str, Any]:
    guard = asking.server.guard
    status, current, history = guard.status(), guard.license_id, guard.history()
    with guard.database.read() as connection:
        limits = {limit.name: limit for limit in limit_views(connection, status, guard.now(), most=0)}
    url = asking.request.url
    return {
        "status": status,
        "state": STATE_WORDS[status.state],
        "license": license_view(status, guard.now()),
        "features": [_feature(feature, limits.get(feature.name)) for feature in status.features.values()],
        "history": [_entry(entry, current) for entry in history[:_MOST_ENTRIES]],
        "unseen": max(0, len(history) - _MOST_ENTRIES),
        "address": f"{url.scheme}://{url.netloc}"[:300],
        "result": None,
    }


def _feature(feature: FeatureStatus, limit: LimitView | None) -> FeatureRow:
    if limit is None:
        word = "on" if feature.licensed else "off"
        granted, used, standing, mark = word, "", "" if feature.licensed else "not licensed", word
    else:
        granted = "unlimited" if limit.limit is None else quantity(limit.limit)
        tolerance = (limit.tolerated or 0) - (limit.limit or 0)
        granted += f" + {quantity(tolerance)} tolerated" if limit.limit is not None and tolerance > 0 else ""
        used, standing, mark = quantity(limit.used), str(limit.standing), limit.standing.name.lower()
    return FeatureRow(
        name=feature.name,
        title=feature.title,
        kind=_KINDS[feature.kind],
        granted=granted,
        used=used,
        standing=standing,
        mark=mark,
    )


def _entry(entry: InstalledLicense, current: int | None) -> HistoryRow:
    return HistoryRow(
        entry=entry,
        expires=ending(entry.expires_at),
        installed=moment(entry.installed_at),
        in_force=entry.id == current,
    )


VIEW = View(
    path="/service-center/licensing",
    template="licensing.html",
    access=Access.SIGNED_IN,
    title="Licensing",
    group=Group.LICENSE,
    show=_show,
)
