"""The features over HTTP: what is granted, what is used, who holds it."""

from typing import Any

from litestar import Controller, get

from placet.license.instants import rfc3339
from placet.store import usage
from placet.web.access import Access, requires
from placet.web.api.parameters import FeatureName, Server
from placet.web.problems import Problem
from placet.web.render import feature_members


class FeatureController(Controller):
    """``/api/v1/features``."""

    path = "/api/v1/features"
    tags = ("features",)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def features(self, server: Server) -> list[dict[str, Any]]:
        """Every feature as the license grants it here."""
        server.guard.refresh()
        status = server.guard.status()
        return [feature_members(status, name) for name in status.features]

    @get("/{name:str}/usage", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def usage(self, server: Server, name: FeatureName) -> dict[str, Any]:
        """One feature with who holds how many units of it, and samples of its usage over time."""
        server.guard.refresh()
        status = server.guard.status()
        if name not in status.features:
            known = ", ".join(status.features)
            detail = f"There is no feature {name!r}. There are: {known}."
            raise Problem("unknown_feature", title="No such feature", status=404, detail=detail)
        with server.guard.database.read() as connection:
            held = usage.allocations_of(connection, name)
            samples = usage.samples_of(connection, name)
        return feature_members(status, name) | {
            "allocations": [
                {"holder": item.holder, "amount": item.amount, "changed_at": rfc3339(item.changed_at)} for item in held
            ],
            "history": [{"at": rfc3339(item.sampled_at), "used": item.used, "limit": item.maximum} for item in samples],
        }
