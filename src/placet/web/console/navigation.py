"""The navigation: the views that somebody may see, by their groups."""

from collections.abc import Sequence

import msgspec

from placet.web.access import Access, Caller
from placet.web.console.view import Group, View

MESSAGES = "/problems/"


class Link(msgspec.Struct, frozen=True):
    """A link of the navigation; ``here``: the page that is shown is it, or belongs to it."""

    href: str
    title: str
    here: bool


class Part(msgspec.Struct, frozen=True):
    """A group of links under its title."""

    title: str
    links: tuple[Link, ...]


def navigation(views: Sequence[View], reader: Caller | None, here: str) -> tuple[Part, ...]:
    """Answer what ``reader`` (``None``: not signed in) may go to; ``here`` is the path of the page that is shown."""
    parts = []
    for group in Group:
        links = tuple(
            Link(view.path, view.title, view.path == here)
            for view in views
            if view.group is group and _may_see(view, reader)
        )
        if group is Group.SERVER:
            links += (Link(MESSAGES, "Messages", here == MESSAGES),)
        if links:
            parts.append(Part(str(group), links))
    return tuple(parts)


def _may_see(view: View, reader: Caller | None) -> bool:
    if view.access is Access.PUBLIC or reader is None:
        return view.access is Access.PUBLIC
    return view.access is Access.SIGNED_IN or reader.is_administrator
