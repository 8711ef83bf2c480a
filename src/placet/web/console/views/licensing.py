"""Licensing: the license in words, what it switches on, and how to get another and install it."""

from collections.abc import Mapping
from typing import Any

from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.license_words import STATE_WORDS, license_view
from placet.web.console.view import Group, View


def _show(asking: Asking) -> Mapping[str, Any]:
    status = asking.server.guard.status()
    url = asking.request.url
    return {
        "status": status,
        "state": STATE_WORDS[status.state],
        "license": license_view(status, asking.server.guard.now()),
        "switches": [feature for feature in status.features.values() if feature.kind == "switch"],
        "address": f"{url.scheme}://{url.netloc}"[:300],
        "result": None,
    }


VIEW = View(
    path="/service-center/licensing",
    template="licensing.html",
    access=Access.SIGNED_IN,
    title="Licensing",
    group=Group.LICENSE,
    show=_show,
)
