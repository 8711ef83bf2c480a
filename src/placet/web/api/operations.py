"""What those who operate the server need: health, readiness and metrics."""

from typing import Any

import structlog
from litestar import Response, get
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from placet import __version__
from placet.enforcement import State, Status
from placet.platform.supervisor import WorkerState
from placet.store.reach import NOT_REACHED
from placet.web.access import anonymous
from placet.web.api.parameters import Server

log = structlog.get_logger()


@get("/healthz", opt=anonymous(), tags=["operations"])
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok", "version": __version__}


@get("/readyz", opt=anonymous(), tags=["operations"], sync_to_thread=True)
def ready(server: Server) -> Response[dict[str, Any]]:
    """The server can do its work: its database answers, and the published modules have been started."""
    try:
        with server.guard.database.read() as connection:
            connection.execute(text("SELECT 1"))
    except (DatabaseError, *NOT_REACHED) as error:
        log.warning("not_ready", error=str(error))
        return Response({"status": "the database does not answer"}, status_code=503)
    states = server.supervisor.states()
    starting = [name for name, status in states.items() if status.state is WorkerState.STARTING]
    starting += server.follower.coming
    if starting:
        modules = "1 published module is" if len(starting) == 1 else f"{len(starting)} published modules are"
        return Response({"status": f"{modules} starting"}, status_code=503)
    return Response({"status": "ready"})


@get("/metrics", opt=anonymous(), tags=["operations"], sync_to_thread=True)
def metrics(server: Server) -> Response[bytes]:
    """The license and its usage in Prometheus' text format. Numbers only: no names of customers, users or modules."""
    return Response(_measured(server.guard.status()), media_type="text/plain; version=0.0.4")


def _measured(status: Status) -> bytes:
    registry = CollectorRegistry()
    state = Gauge("placet_license_state", "1 for the state the license is in", ["state"], registry=registry)
    for known in State:
        state.labels(known).set(known is status.state)
    expiry = Gauge("placet_license_expires_seconds", "When the license expires, Unix time", registry=registry)
    expiry.set(status.expires_at.timestamp() if status.expires_at else float("nan"))
    used = Gauge("placet_feature_used", "Units in use", ["feature"], registry=registry)
    limit = Gauge("placet_feature_limit", "Units the license allows", ["feature"], registry=registry)
    licensed = Gauge(
        "placet_feature_licensed", "1 where the license grants the feature", ["feature"], registry=registry
    )
    for feature in status.features.values():
        licensed.labels(feature.name).set(feature.licensed)
        if feature.used is not None:
            used.labels(feature.name).set(feature.used)
            limit.labels(feature.name).set(float("inf") if feature.limit is None else feature.limit)
    return generate_latest(registry)
