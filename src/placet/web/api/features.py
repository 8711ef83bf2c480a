"""The features over HTTP: what is granted, what is used, who holds it."""

from typing import Any

from litestar import Controller, get

from placet.enforcement import Status
from placet.guard import trends
from placet.license.instants import rfc3339
from placet.platform.server import PlatformServer
from placet.store import history, holders, usage
from placet.web.access import Access, requires
from placet.web.api.parameters import FeatureName, Server
from placet.web.api.usage_history import HolderName, Since, Until, history_members, holder_members, period
from placet.web.problems import Problem
from placet.web.render import feature_members
from placet.web.trends import trend_members


class FeatureController(Controller):
    """``/api/v1/features``."""

    path = "/api/v1/features"
    tags = ("features",)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def features(self, server: Server) -> list[dict[str, Any]]:
        """Every feature as the license grants it here."""
        server.notice()
        status = server.guard.status()
        return [feature_members(status, name) for name in status.features]

    @get("/{name:str}/usage", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def usage(self, server: Server, name: FeatureName, since: Since = None, until: Until = None) -> dict[str, Any]:
        """One feature with who holds how many units of it (of a metered one, in open blocks), and its usage over time.

        ``points`` are hours or days, as ``resolution`` says; ``history`` is the highest usage of each of the newest
        hours; ``trend`` says when the limit is reached if it goes on like that.
        """
        status = known_feature(server, name)
        now = server.guard.now()
        first, end = period(since, until, now)
        with server.guard.database.read() as connection:
            held = usage.allocations_of(connection, name)
            samples = history.samples_of(connection, name)
            found = history.history(connection, name, first, end)
            trend = trends.trend_of(status.features[name], trends.recent(connection, name, now), now)
        by_holder = [(item.holder, item.amount, item.changed_at) for item in held]
        if status.features[name].kind == "seats":
            by_holder = [(item.holder, item.amount, item.acquired_at) for item in server.guard.leases(name)]
        elif status.features[name].kind == "metered":
            by_holder = [(item.holder, item.size, item.taken_at) for item in server.guard.open_blocks(name)]
        allocations = [
            {"holder": holder, "amount": amount, "changed_at": rfc3339(since)} for holder, amount, since in by_holder
        ]
        hours = [{"at": rfc3339(item.sampled_at), "used": item.used, "limit": item.maximum} for item in samples]
        members = {"allocations": allocations, "history": hours}
        members |= {"trend": trend_members(status.features[name], trend, now)}
        return feature_members(status, name) | members | history_members(found, first, end)

    @get("/{name:str}/usage/holders/{holder:str}", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def holder_usage(
        self, server: Server, name: FeatureName, holder: HolderName, since: Since = None, until: Until = None
    ) -> dict[str, Any]:
        """What one holder used on each day, from the first of which anything is known.

        ``measure`` says what: ``held`` of a limit at the end of the day, ``most_held`` of seats, ``consumed`` of a
        metered feature.
        """
        return _of_holder(server, name, holder, since, until)

    @get("/{name:str}/usage/holder", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def named_holder_usage(
        self, server: Server, name: FeatureName, holder: HolderName, since: Since = None, until: Until = None
    ) -> dict[str, Any]:
        """The same for a holder whose name has a slash, which is no part of a path."""
        return _of_holder(server, name, holder, since, until)


_MEASURES = {"seats": "most_held", "metered": "consumed"}


def _of_holder(server: PlatformServer, name: str, holder: str, since: str | None, until: str | None) -> dict[str, Any]:
    kind = known_feature(server, name).features[name].kind
    first, end = period(since, until, server.guard.now())
    ask = holders.day_history if kind in _MEASURES else holders.holder_history
    with server.guard.database.read() as connection:
        days = ask(connection, name, holder, first, end)
    members = {"name": name, "holder": holder, "measure": _MEASURES.get(kind, "held")}
    return members | holder_members(days, first, end)


def known_feature(server: PlatformServer, feature: str) -> Status:
    """Answer the license as it stands, for a feature there is; raises :class:`Problem` (404) for another."""
    server.notice()
    status = server.guard.status()
    if feature not in status.features:
        known = ", ".join(status.features)
        detail = f"There is no feature {feature[:80]!r}. There are: {known}."
        raise Problem("unknown_feature", title="No such feature", status=404, detail=detail)
    return status
