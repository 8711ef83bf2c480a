"""The usage of one feature: over time, where it is going, who holds what, and clean-up right there."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from placet.enforcement import FeatureStatus
from placet.platform.inactive_users import Inactivity
from placet.platform.obsolete_modules import MOST_AT_ONCE, Disuse
from placet.platform.product import SOFTWARE_UNITS, USERS
from placet.store import history, holders, modules, usage
from placet.store.history import History, Point, Resolution, day_of
from placet.store.holders import HolderDay
from placet.web.access import Access
from placet.web.api.features import known_feature
from placet.web.console.asking import Asking
from placet.web.console.charts import Chart, Range, chart
from placet.web.console.holders import holder_table
from placet.web.console.told import Told
from placet.web.console.usage_words import one_limit_view
from placet.web.console.view import Change, View
from placet.web.console.words import Moment, moment, quantity

PATH = "/service-center/usage"
USUAL_DAYS = 90
MOST_DAYS = 3660
MOST_USERS = 200
MOST_ELEMENTS = 500
_MEASURES = {
    "limit": "What it held at the end of each day",
    "seats": "The most it was seen with on each day",
    "metered": "What it consumed on each day",
}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What a clean-up would take: ``units`` it would give back; ``used`` is when it was last used or seen."""

    name: str
    units: int
    used: Moment | None
    note: str


class CleanUp(msgspec.Struct, frozen=True, kw_only=True):
    """A clean-up that is offered: ``candidates`` are those for so many ``days`` (``None``: not asked yet)."""

    kind: str
    days: int
    also: bool
    candidates: tuple[Candidate, ...] | None
    more: bool


class OneHolder(msgspec.Struct, frozen=True, kw_only=True):
    """One holder: what it held over time, and of a module each element that counts, the first of them."""

    name: str
    chart: Chart
    elements: tuple[Mapping[str, Any], ...]
    more: int


def _show(asking: Asking) -> Mapping[str, Any]:
    server, name = asking.server, asking.part("name")
    status, now = known_feature(server, name), server.guard.now()
    feature = status.features[name]
    within, chosen = _range(asking), asking.query("holder", most=1000)
    first, end = now - within.lasting, now + timedelta(microseconds=1)
    containing = asking.query("find")
    with server.guard.database.read() as connection:
        limit = None if feature.kind == "switch" else one_limit_view(connection, status, feature, now, most=0)
        known = history.history(connection, name, first, end)
        table = None
        if limit is not None:
            table = holder_table(connection, feature, asking, containing=containing)
    return {
        "feature": feature,
        "limit": limit,
        "chart": chart(f"{feature.title}, the last {within.words}", known, first, end),
        "ranges": [(item, item.words, item is within) for item in Range],
        "within": within,
        "since": f"{first:%Y-%m-%d}",
        "find": containing,
        "table": table,
        "address": lambda **more: _address(name, within, containing, more),
        "chosen": _one_holder(asking, feature, chosen, first, end) if chosen and limit is not None else None,
        "clean_up": _offered(asking, name) if asking.caller.is_administrator else None,
    }


def _address(name: str, within: Range, containing: str, more: Mapping[str, Any]) -> str:
    """The address of this page with something else asked for."""
    asked = {"range": within, "find": containing, **more}
    return f"{PATH}/{quote(name)}?{urlencode({key: value for key, value in asked.items() if value})}"


def _range(asking: Asking) -> Range:
    wanted = asking.query("range")
    return Range(wanted) if wanted in set(Range) else Range.MONTH


def _number(text: str, usual: int, most: int) -> int:
    """A number of the address: what is none, or out of reach, is the usual one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most else usual


def _one_holder(asking: Asking, feature: FeatureStatus, holder: str, first: datetime, end: datetime) -> OneHolder:
    ask = holders.holder_history if feature.kind == "limit" else holders.day_history
    with asking.server.guard.database.read() as connection:
        days = ask(connection, feature.name, holder, first, end)
        today, held = day_of(end), usage.held(connection, feature.name, holder) if feature.kind == "limit" else 0
        version = modules.active_version(connection, holder) if feature.name == SOFTWARE_UNITS else None
    if held:  # what is noted once an hour may be behind
        days = [*(day for day in days if day.day < today), HolderDay(day=today, amount=held)]
    points = [Point(starts_at=day.day, peak=day.amount, average=day.amount, limit=None) for day in days]
    elements = [] if version is None else version.elements
    return OneHolder(
        name=holder,
        chart=chart(_MEASURES[feature.kind], History(resolution=Resolution.DAY, points=points), first, end),
        elements=tuple(elements[:MOST_ELEMENTS]),
        more=max(0, len(elements) - MOST_ELEMENTS),
    )


# Clean-up


def _offered(asking: Asking, name: str) -> CleanUp | None:
    asked = asking.query("unused")
    days, also = _number(asked, USUAL_DAYS, MOST_DAYS), bool(asking.query("also"))
    lasting = timedelta(days=days)
    if name == SOFTWARE_UNITS:
        found = asking.server.obsolete.find(Disuse(lasting=lasting, timers=also)) if asked else []
        rows = [
            Candidate(
                name=use.module,
                units=use.units,
                used=moment(use.last_used_at),
                note="has timers" if use.has_timers else "",
            )
            for use in found[:MOST_AT_ONCE]
        ]
        return CleanUp(
            kind="modules",
            days=days,
            also=also,
            candidates=tuple(rows) if asked else None,
            more=len(found) > MOST_AT_ONCE,
        )
    if name == USERS:
        inactivity = Inactivity(lasting=lasting, administrators=also, excluded=frozenset({asking.caller.name}))
        away = asking.server.people.inactive.find(inactivity, most=MOST_USERS + 1) if asked else []
        people = [
            Candidate(
                name=user.name,
                units=1,
                used=None if user.last_seen_at is None else moment(user.last_seen_at),
                note=str(user.role),
            )
            for user in away[:MOST_USERS]
        ]
        return CleanUp(
            kind="users",
            days=days,
            also=also,
            candidates=tuple(people) if asked else None,
            more=len(away) > MOST_USERS,
        )
    return None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen of those that were not used for so many days."""

    days: Annotated[int, Meta(title="Days", ge=1, le=MOST_DAYS)]
    names: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(title="Names")] = []


def _delete_modules(asking: Asking, form: Chosen) -> Told:
    wanted = frozenset(form.names[:MOST_AT_ONCE])
    disuse = Disuse(lasting=timedelta(days=form.days), timers=True, only=wanted)
    done = asking.server.obsolete.clean_up(disuse, actor=asking.caller.name)
    units = sum(use.units for use in done)
    return _told(len(done), len(wanted), "module", f"deleted; {quantity(units)} Software Units given back", "used")


def _deactivate_users(asking: Asking, form: Chosen) -> Told:
    wanted = frozenset(form.names[:MOST_USERS])
    inactivity = Inactivity(lasting=timedelta(days=form.days), administrators=True, only=wanted)
    done = asking.server.people.clean_up(inactivity, actor=asking.caller.name)
    return _told(len(done), len(wanted), "user", "deactivated, and as many seats freed", "seen")


def _told(done: int, wanted: int, what: str, did: str, again: str) -> Told:
    if not wanted:
        return Told(text=f"No {what} was chosen. Nothing was changed.", severity="warning")
    said = f"{quantity(done)} {what}{'' if done == 1 else 's'} {did}."
    if done < wanted:
        left = wanted - done
        return Told(
            text=f"{said} {quantity(left)} left as {'it is' if left == 1 else 'they are'}: {again} or worked on again.",
            severity="warning",
        )
    return Told(text=said)


VIEW = View(
    path=f"{PATH}/{{name:str}}",
    template="feature.html",
    access=Access.SIGNED_IN,
    title="Usage",
    below=PATH,
    show=_show,
    changes=(
        Change(path="modules-clean-up", form=Chosen, do=_delete_modules, largest=64 * 1024),
        Change(path="users-clean-up", form=Chosen, do=_deactivate_users, largest=256 * 1024),
    ),
)
