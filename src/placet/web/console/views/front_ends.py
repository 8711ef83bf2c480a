"""Front-ends: the servers on this database, and the license that each goes by."""

from collections.abc import Mapping
from typing import Any

import msgspec

from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.view import Group, View
from placet.web.console.words import Moment, moment


class FrontEndRow(msgspec.Struct, frozen=True, kw_only=True):
    """A server on this database. ``answers``: it made this page. ``registered``: it holds a place of the license."""

    id: str
    name: str
    address: str
    version: str
    license_digest: str | None
    started: Moment
    beaten: Moment
    registered: bool
    answers: bool


def _show(asking: Asking) -> Mapping[str, Any]:
    own = asking.server.front_end.id
    rows = [
        FrontEndRow(
            id=item.id,
            name=item.name,
            address=item.address,
            version=item.version,
            license_digest=item.license_digest,
            started=moment(item.started_at),
            beaten=moment(item.beaten_at),
            registered=item.registered,
            answers=item.id == own,
        )
        for item in asking.server.front_ends()
    ]
    return {"front_ends": rows}


VIEW = View(
    path="/service-center/front-ends",
    template="front_ends.html",
    access=Access.SIGNED_IN,
    title="Front-ends",
    group=Group.SERVER,
    show=_show,
)
