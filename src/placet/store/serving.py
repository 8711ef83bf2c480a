"""Which server serves which version of which module."""

from enum import StrEnum

import msgspec
from sqlalchemy import Connection, and_, delete, insert, select, update

from placet.store.dialects import ByCodePoint, now_microseconds
from placet.store.schema import front_ends, module_serving

LONGEST_DETAIL = 2000


class ServingState(StrEnum):
    """How far a server is with the version it is to serve."""

    COMING = "coming"
    SERVING = "serving"
    FAILED = "failed"


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What one living server does about one version; ``detail`` says why it failed."""

    front_end: str
    name: str
    address: str
    state: ServingState
    detail: str | None


def note(
    connection: Connection,
    front_end: str,
    module: str,
    version_id: str,
    state: ServingState,
    *,
    detail: str | None = None,
) -> None:
    """Note what a server does about a version, in place of what it did before."""
    values = {
        "version_id": version_id,
        "state": str(state),
        "detail": None if detail is None else detail[:LONGEST_DETAIL].replace("\0", "\ufffd"),
        "noted_at": now_microseconds(),
    }
    row = update(module_serving).where(module_serving.c.front_end == front_end, module_serving.c.module == module)
    if connection.execute(row.values(values)).rowcount == 0:
        connection.execute(insert(module_serving).values(front_end=front_end, module=module, **values))


def forget(connection: Connection, front_end: str, module: str | None = None) -> None:
    """Forget what a server did about a module, or about all of them."""
    mine = module_serving.c.front_end == front_end
    both = mine if module is None else and_(mine, module_serving.c.module == module)
    connection.execute(delete(module_serving).where(both))


def of_version(connection: Connection, module: str, version_id: str) -> list[Serving]:
    """Answer how far each living server is with a version, by the servers' names."""
    found = and_(
        module_serving.c.front_end == front_ends.c.id,
        module_serving.c.module == module,
        module_serving.c.version_id == version_id,
    )
    query = (
        select(
            front_ends.c.id.label("front_end"),
            front_ends.c.name,
            front_ends.c.address,
            module_serving.c.state,
            module_serving.c.detail,
        )
        .join_from(front_ends, module_serving, found, isouter=True)
        .where(front_ends.c.lives_until >= now_microseconds())
        .order_by(ByCodePoint(front_ends.c.name), front_ends.c.id)
    )
    return [
        Serving(**{**row, "state": ServingState(row["state"] or ServingState.COMING)})
        for row in connection.execute(query).mappings()
    ]
