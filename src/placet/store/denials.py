"""Denials: who was refused a seat, when and why. Kept for a time and up to a number, whichever is reached first."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from placet.store.rows import all_of
from placet.store.schema import denials

KEPT_FOR = timedelta(days=90)
MOST_KEPT = 10_000


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """One refusal: ``reason`` is the decision's code, ``used`` and ``maximum`` the seats taken and licensed then.

    ``maximum`` is ``None`` where no license says how many, ``requested`` what the holder was to have.
    """

    id: int
    feature: str
    holder: str
    reason: str
    requested: int
    used: int | None
    maximum: int | None
    at: datetime


def record(
    connection: Connection,
    *,
    feature: str,
    holder: str,
    reason: str,
    requested: int,
    used: int | None,
    maximum: int | None,
    at: datetime,
) -> None:
    """Record a refusal. Now and then, those before it that are too many are forgotten."""
    values: dict[str, object] = {"feature": feature, "holder": holder, "reason": reason, "requested": requested}
    values |= {"used": used, "maximum": maximum, "at": at}
    number = connection.execute(insert(denials).values(values).returning(denials.c.id)).scalar_one()
    if number % (MOST_KEPT // 10) == 0:
        prune(connection, at)


def prune(connection: Connection, now: datetime) -> None:
    """Forget the denials that are too old or too many."""
    newest = connection.execute(select(func.max(denials.c.id))).scalar() or 0
    connection.execute(delete(denials).where((denials.c.at < now - KEPT_FOR) | (denials.c.id <= newest - MOST_KEPT)))


def all_denials(
    connection: Connection, *, feature: str | None = None, most: int = 200, before: int | None = None
) -> list[Denial]:
    """Answer the newest denials, newest first; ``before`` is a denial's id to page on from."""
    query = select(denials).order_by(denials.c.id.desc()).limit(most)
    if feature is not None:
        query = query.where(denials.c.feature == feature)
    if before is not None:
        query = query.where(denials.c.id < before)
    return all_of(Denial, connection.execute(query))
