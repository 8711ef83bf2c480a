"""The overview: the license in words, usage against its limits, and how to get a new license and install it."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import anyio.to_thread
import msgspec
from litestar import Response, get
from sqlalchemy import Connection

from placet.enforcement import Decision, FeatureStatus, State, Status
from placet.license.document import License
from placet.platform.product import SOFTWARE_UNITS
from placet.platform.server import PlatformServer
from placet.store import modules, usage
from placet.store.front_ends import FrontEnd
from placet.store.modules import ModuleVersion
from placet.web.access import Access, caller_of, requires
from placet.web.console.errors import answer_page
from placet.web.console.leased import MeterView, SeatsView, meter_view, seat_holders, seats_view
from placet.web.console.limits import Holder, LimitView, Standing, limit_view
from placet.web.console.operations import possible
from placet.web.console.pages import AnyRequest, page, see_other
from placet.web.console.words import Moment, distance, ending, moment

_MOST_HOLDERS = 20
_MOST_MODULES = 500
_MOST_DENIALS = 10
_NOT_GRANTING = frozenset({State.NO_LICENSE, State.UNREADABLE, State.REVOKED, State.WRONG_SERVER})

STATE_WORDS = {
    State.NO_LICENSE: "No license",
    State.UNREADABLE: "License not readable",
    State.REVOKED: "License revoked",
    State.WRONG_SERVER: "License of another server",
    State.CLOCK_SET_BACK: "Clock set back",
    State.NOT_YET_VALID: "License not valid yet",
    State.EXPIRED: "License expired",
    State.GRACE: "In grace",
    State.ACTIVE: "License active",
}


class LicenseView(msgspec.Struct, frozen=True, kw_only=True):
    """The installed license in words. ``since`` and ``left`` are how far the instants are from now."""

    license: License
    starts: Moment | None
    issued: Moment
    expires: Moment
    left: str
    grace: Moment | None
    grace_left: str | None
    evaluation_days: float | None
    other_server: str | None


class ModuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A holder of Software Units: a published module, or (no ``version``) one that holds units without being one."""

    name: str
    units: int
    share: float
    version: str | None = None
    published: Moment | None = None
    published_by: str | None = None


class FrontEndRow(msgspec.Struct, frozen=True, kw_only=True):
    """A server on this database. ``answers``: it made this page. ``registered``: it holds a place of the license."""

    id: str
    name: str
    address: str
    license_digest: str | None
    beaten: Moment
    registered: bool
    answers: bool


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All the overview shows of one moment; ``seats`` and ``meters`` by the names of their features."""

    status: Status
    state: str
    well: str | None
    license: LicenseView | None
    limits: tuple[LimitView, ...]
    seats: Mapping[str, SeatsView]
    meters: Mapping[str, MeterView]
    switches: tuple[FeatureStatus, ...]
    operations: tuple[Decision, ...]
    modules: tuple[ModuleRow, ...]
    unseen_modules: int
    units: int
    front_ends: tuple[FrontEndRow, ...]


@get(
    "/service-center",
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def overview_page(request: AnyRequest) -> Response[str]:
    """Answer the overview."""
    return await answer_overview(request)


@get("/", opt=requires(Access.PUBLIC), include_in_schema=False, sync_to_thread=False)
def root() -> Response[str]:
    """Lead whoever opens the server's address to the Service Center."""
    return see_other("/service-center/")


async def answer_overview(request: AnyRequest, *, status_code: int = 200, result: object = None) -> Response[str]:
    """Answer the overview, below the ``result`` of an upload where there is one."""
    server: PlatformServer = request.app.state.server
    administrator = caller_of(request).is_administrator
    found = await anyio.to_thread.run_sync(partial(read_overview, server, administrator=administrator))
    return page(
        request,
        "overview.html",
        status_code=status_code,
        overview=found,
        status=found.status,
        result=result,
        address=f"{request.url.scheme}://{request.url.netloc}"[:300],
        administrator=administrator,
    )


def read_overview(server: PlatformServer, *, administrator: bool) -> Overview:
    """Read what the overview shows; who was refused a seat, to administrators alone."""
    status = server.guard.status()
    with server.guard.database.read() as connection:
        versions = modules.active_versions(connection)
        limits = tuple(
            _limit(connection, status, feature) for feature in status.features.values() if feature.kind != "switch"
        )
        seats = _seats(connection, status, denied=_MOST_DENIALS if administrator else 0)
        meters = _meters(connection, status)
        units = usage.allocations_of(connection, SOFTWARE_UNITS)
    rows = _module_rows(versions, {held.holder: held.amount for held in units})
    return Overview(
        status=status,
        state=STATE_WORDS[status.state],
        well=_well(status, limits),
        license=None if status.license is None else _license(status, status.license, server.guard.now()),
        limits=limits,
        seats=seats,
        meters=meters,
        switches=tuple(feature for feature in status.features.values() if feature.kind == "switch"),
        operations=possible(status),
        modules=tuple(rows[:_MOST_MODULES]),
        unseen_modules=max(0, len(rows) - _MOST_MODULES),
        units=sum(row.units for row in rows),
        front_ends=tuple(_front_end(server, item) for item in server.front_ends()),
    )


def _front_end(server: PlatformServer, item: FrontEnd) -> FrontEndRow:
    return FrontEndRow(
        id=item.id,
        name=item.name,
        address=item.address,
        license_digest=item.license_digest,
        beaten=moment(item.beaten_at),
        registered=item.registered,
        answers=item.id == server.front_end.id,
    )


def _well(status: Status, limits: tuple[LimitView, ...]) -> str | None:
    if status.errors or status.warnings or status.expires_at is None:
        return None
    until = ending(status.expires_at).words
    over = any(limit.standing in {Standing.OVER, Standing.TOLERATED} for limit in limits)  # seats, or a meter
    return f"All is well: the license is in force until {until}{'' if over else ', and usage is within its limits'}."


def _limit(connection: Connection, status: Status, feature: FeatureStatus) -> LimitView:
    granted = status.state not in _NOT_GRANTING
    return limit_view(feature, granted=granted, holders=_holders(connection, feature), most=_MOST_HOLDERS)


def _holders(connection: Connection, feature: FeatureStatus) -> list[Holder]:
    """Who holds units. What is metered is consumed; who has blocks of it is told with them."""
    if feature.kind == "seats":
        return seat_holders(connection, feature.name)
    if feature.kind == "metered":
        return []
    return [Holder(held.holder, held.amount) for held in usage.allocations_of(connection, feature.name)]


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


def _license(status: Status, license_: License, now: datetime) -> LicenseView:
    terms = license_.terms
    expires_at, grace_ends_at = status.expires_at or terms.expires_at(), status.grace_ends_at or terms.grace_ends_at()
    graced = grace_ends_at > expires_at
    starts_at, locale, own = terms.starts_at(), status.policy.locale, status.serial_number
    return LicenseView(
        license=license_,
        starts=None if starts_at is None else moment(starts_at),
        issued=moment(datetime.fromtimestamp(terms.iat, now.tzinfo)),
        expires=ending(expires_at),
        left=distance(expires_at, now, locale),
        grace=ending(grace_ends_at) if graced else None,
        grace_left=distance(grace_ends_at, now, locale) if graced else None,
        evaluation_days=None if terms.evaluation_seconds is None else terms.evaluation_seconds / 86_400,
        other_server=None if terms.serial_number == own else terms.serial_number,
    )


def _module_rows(versions: list[ModuleVersion], held: dict[str, int]) -> list[ModuleRow]:
    """The published modules and whoever else holds Software Units, the largest holder first."""
    largest = max(held.values(), default=0) or 1
    published = {version.module: version for version in versions}
    rows = []
    for name in published.keys() | held.keys():
        units, version = held.get(name, 0), published.get(name)
        row = ModuleRow(name=name, units=units, share=round(100 * units / largest, 3))
        if version is not None:
            row = msgspec.structs.replace(
                row,
                version=version.version,
                published=moment(version.published_at),
                published_by=version.published_by,
            )
        rows.append(row)
    return sorted(rows, key=lambda row: (-row.units, row.name))
