"""Usage to take along, as CSV or JSON: every feature, one over time, and who holds what."""

from collections.abc import Iterator
from typing import Annotated, Any

from litestar import Controller, get
from litestar.params import QueryParameter
from litestar.response import Stream

from placet.guard import trends
from placet.license.instants import rfc3339
from placet.platform.server import PlatformServer
from placet.store import history, usage
from placet.store.usage import Allocation
from placet.web.access import Access, requires
from placet.web.api.features import known_feature
from placet.web.api.parameters import FeatureName, Server
from placet.web.api.usage_history import Since, Until, period
from placet.web.exports import Form, exported
from placet.web.problems import Problem
from placet.web.render import rfc3339_or_none
from placet.web.trends import trend_words

MOST_HOLDERS = 1_000_000
_AT_ONCE = 1000

Format = Annotated[Form, QueryParameter(name="format", description="`csv` or `json`")]

_FEATURES = ("feature", "title", "kind", "limit", "used", "tolerated_limit", "trend", "reached_at")
_POINTS = ("at", "peak", "average", "limit")
_HOLDERS = ("holder", "amount", "since")


class ExportController(Controller):
    """``/api/v1/exports``."""

    path = "/api/v1/exports"
    tags = ("exports",)

    @get("/usage", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def usage(self, server: Server, form: Format = Form.CSV) -> Stream:
        """Every feature that is counted: its limit, its usage and its trend."""
        server.notice()
        status, now = server.guard.status(), server.guard.now()
        rows: list[tuple[Any, ...]] = []
        with server.guard.database.read() as connection:
            for feature in status.features.values():
                found = trends.trend_of(feature, trends.recent(connection, feature.name, now), now)
                if found is not None:
                    counted = (feature.limit, feature.used, feature.tolerated_limit)
                    where_to = (trend_words(feature, found, now), rfc3339_or_none(found.reached_at))
                    rows.append((feature.name, feature.title, feature.kind, *counted, *where_to))
        return exported("usage", form, _FEATURES, rows)

    @get("/features/{name:str}/history", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def history(
        self, server: Server, name: FeatureName, since: Since = None, until: Until = None, form: Format = Form.CSV
    ) -> Stream:
        """One feature over time, by the hour or by the day; of a year, where no period is said."""
        known_feature(server, name)
        first, end = period(since, until, server.guard.now())
        with server.guard.database.read() as connection:
            points = history.history(connection, name, first, end).points
        rows = [(rfc3339(point.starts_at), point.peak, point.average, point.limit) for point in points]
        return exported(f"{name}-history", form, _POINTS, rows)

    @get("/features/{name:str}/holders", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def holders(self, server: Server, name: FeatureName, form: Format = Form.CSV) -> Stream:
        """Who holds how many units of a feature now: of a limit, of seats, and of a metered one in open blocks."""
        kind = known_feature(server, name).features[name].kind
        if kind == "seats":
            held = [(item.holder, item.amount, item.acquired_at) for item in server.guard.leases(name)]
        elif kind == "metered":
            held = [(item.holder, item.size, item.taken_at) for item in server.guard.open_blocks(name)]
        else:
            _check_number(server, name)
            return exported(f"{name}-holders", form, _HOLDERS, _allocated(server, name))
        return exported(f"{name}-holders", form, _HOLDERS, [(who, units, rfc3339(at)) for who, units, at in held])


def _check_number(server: PlatformServer, feature: str) -> None:
    with server.guard.database.read() as connection:
        found = usage.holders_of(connection, feature)
    if found > MOST_HOLDERS:
        raise Problem(
            "bad_request",
            title="Bad Request",
            status=400,
            detail=f"There are {found:,} holders, and one file has at most {MOST_HOLDERS:,}. Ask the database itself.",
        )


def _allocated(server: PlatformServer, feature: str) -> Iterator[tuple[str, int, str]]:
    """By name, so that what changes while it is read leaves nobody out who was there all the time."""
    after: str | None = ""
    while after is not None:
        with server.guard.database.read() as connection:
            found: list[Allocation] = usage.allocations_after(connection, feature, after, most=_AT_ONCE)
        yield from ((item.holder, item.amount, rfc3339(item.changed_at)) for item in found)
        after = found[-1].holder if len(found) == _AT_ONCE else None
