"""A view of the console: its route, template, title, place, who may see it and what it changes, all in one place.

1. A view answers ``GET`` at its path: ``show`` reads, in a thread, what the template is given.
2. A change answers ``POST`` below its view's path. It takes one form, capped and typed (:mod:`.forms`); with a session,
   from this site's own pages alone (:mod:`placet.web.access`); and it says for itself who may make it.
3. What asks first is answered with what would happen and a form that does it. No script is needed for that.
4. A change that was made leads back to a view (303), which tells what came of it once (:mod:`.told`).
5. A change that was refused is answered by its view, under the refusal and with the refusal's own status.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.told import Told

LARGEST_FORM = 16 * 1024


class Group(StrEnum):
    """A part of the navigation, in its order."""

    LICENSE = "License"
    WORK = "Work"
    PEOPLE = "People"
    SERVER = "Server"


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked before something is done: ``sentences`` say what will happen, ``button`` is the verb for it."""

    title: str
    sentences: tuple[str, ...]
    button: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A change's own answer, for what is to be seen once (a new token) or is no change yet (a preview).

    ``template`` is the view's own where it is ``None``; ``context`` is added to what the view shows.
    """

    context: Mapping[str, Any]
    template: str | None = None
    status_code: int = 200


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a view's form does, at ``<the view's path>/<path>``.

    ``do`` is called in a thread, with a value of the type ``form``; what it raises is shown by the view. ``confirm``
    answers what to ask first, or ``None`` where nothing needs asking. ``largest`` is the cap of the body in bytes.
    """

    path: str
    form: type[msgspec.Struct]
    do: Callable[[Asking, Any], Told | Shown]
    access: Access = Access.ADMINISTRATOR
    confirm: Callable[[Asking, Any], Confirmation | None] | None = None
    largest: int = LARGEST_FORM


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the console.

    ``group``: where it stands in the navigation (``None``: not there; ``below`` is then the path of the view it belongs
    to). ``show`` answers what the template is given. Names it may use already: ``view``, ``reader``, ``asking``,
    ``told``, ``refused``, ``sent``.
    """

    path: str
    template: str
    access: Access
    title: str
    show: Callable[[Asking], Mapping[str, Any]]
    group: Group | None = None
    below: str | None = None
    changes: tuple[Change, ...] = ()
