"""Who is publishing, rolling back or deleting which module: one at a time, on whatever server.

A claim ends with its work. One whose server lives no more, or that this server left behind, is anybody's to take over;
who worked under it finds out in the transaction that was to finish the work.
"""

import uuid
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, exists, insert, select

from placet.store.dialects import now_microseconds
from placet.store.rows import all_of, one_of, storable
from placet.store.schema import front_ends, module_work


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody does to a module: ``kind`` is publish, rollback or delete; ``front_end`` is the server's id."""

    module: str
    id: str
    kind: str
    version: str | None
    actor: str
    front_end: str
    since: datetime


def begin(
    connection: Connection, module: str, *, kind: str, version: str | None, actor: str, front_end: str
) -> tuple[Work, bool]:
    """Claim a module; answers the work under way and whether it is the caller's.

    Two that claim at once: the primary key lets one of them, and the other waits for its transaction to see it.
    """
    living = exists().where(front_ends.c.id == module_work.c.front_end, front_ends.c.lives_until >= now_microseconds())
    connection.execute(delete(module_work).where(module_work.c.module == module, ~living))
    found = one_of(Work, connection.execute(select(module_work).where(module_work.c.module == module)))
    if found is not None:
        return found, False
    row = insert(module_work).values(
        module=module,
        id=str(uuid.uuid4()),
        kind=kind,
        version=version,
        actor=storable(actor),
        front_end=front_end,
        since=now_microseconds(),
    )
    work = one_of(Work, connection.execute(row.returning(*module_work.c)))
    assert work is not None  # noqa: S101 - the row was just inserted
    return work, True


def is_held(connection: Connection, work: Work) -> bool:
    """Tell whether a claim still stands, and keep it so until the end of the transaction."""
    query = select(module_work.c.id).where(module_work.c.module == work.module, module_work.c.id == work.id)
    return connection.execute(query.with_for_update()).first() is not None


def end(connection: Connection, work: Work) -> None:
    """Give a claim back."""
    connection.execute(delete(module_work).where(module_work.c.module == work.module, module_work.c.id == work.id))


def forget(connection: Connection, front_end: str) -> None:
    """Give back every claim a server has left behind."""
    connection.execute(delete(module_work).where(module_work.c.front_end == front_end))


def all_work(connection: Connection) -> list[Work]:
    """Answer the work under way, longest first."""
    return all_of(Work, connection.execute(select(module_work).order_by(module_work.c.since, module_work.c.module)))
