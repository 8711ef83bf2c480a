"""Notifications: where they go, by which rules, what was told last of what, and each event's delivery to each channel.

An event is entered once: its key and a channel's id are unique together. A delivery belongs to whoever claims it, by
the database's clock; one whose claim ends with nothing said about it is unknown, and is nobody's to send again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, exists, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from placet.store.dialects import now_microseconds
from placet.store.rows import all_of, one_of, the_one
from placet.store.schema import notification_channels as channels
from placet.store.schema import notification_deliveries as deliveries
from placet.store.schema import notification_marks as marks
from placet.store.schema import notification_rules as rules

KEPT_FOR = timedelta(days=400)
MOST_KEPT = 20_000
_MICROSECOND = timedelta(microseconds=1)


class ChannelNameTaken(Exception):
    """There is a channel of that name already."""


class DeliveryState(StrEnum):
    """How a delivery stands. A retired value is never reused."""

    DUE = "due"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    UNKNOWN = "unknown"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where notifications go. ``settings`` may be shown, ``secrets`` never."""

    id: int
    name: str
    kind: str
    settings: dict[str, Any]
    secrets: dict[str, Any]
    created_at: datetime
    changed_at: datetime

    def __repr__(self) -> str:
        """Without the secrets, wherever it may be printed."""
        return f"Channel(id={self.id}, name={self.name!r}, kind={self.kind!r})"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What was told last of a subject: the threshold, ``None`` for none, and how many times one was told.

    ``period_starts_at`` is the period of a metered feature it was told in.
    """

    told: int | None = None
    crossing: int = 0
    period_starts_at: datetime | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to a channel. ``next_at`` is there while it is due, ``ended_at`` once it is not."""

    id: int
    event: str
    kind: str
    message_id: str
    message: dict[str, Any]
    channel_id: int
    channel: str
    state: DeliveryState
    attempts: int
    raised_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    reason: str | None


_DELIVERY = [deliveries.c[name] for name in Delivery.__struct_fields__]

# Channels and rules


def all_channels(connection: Connection) -> list[Channel]:
    """Answer the channels in the order they were added in."""
    return all_of(Channel, connection.execute(select(channels).order_by(channels.c.id)))


def find_channel(connection: Connection, channel_id: int) -> Channel | None:
    """Answer one channel."""
    return one_of(Channel, connection.execute(select(channels).where(channels.c.id == channel_id)))


def add_channel(
    connection: Connection, *, name: str, kind: str, settings: dict[str, Any], secrets: dict[str, Any], now: datetime
) -> Channel:
    """Add a channel; raises :class:`ChannelNameTaken`."""
    values = {"name": name, "kind": kind, "settings": settings, "secrets": secrets}
    row = insert(channels).values(values | {"created_at": now, "changed_at": now}).returning(channels)
    try:
        return the_one(Channel, connection.execute(row))
    except IntegrityError:
        raise _taken(name) from None


def change_channel(
    connection: Connection,
    channel_id: int,
    *,
    name: str,
    settings: dict[str, Any],
    secrets: dict[str, Any],
    now: datetime,
) -> Channel | None:
    """Change a channel; ``None`` where there is none. Raises :class:`ChannelNameTaken`."""
    values = {"name": name, "settings": settings, "secrets": secrets, "changed_at": now}
    row = update(channels).where(channels.c.id == channel_id).values(values).returning(channels)
    try:
        return one_of(Channel, connection.execute(row))
    except IntegrityError:
        raise _taken(name) from None


def remove_channel(connection: Connection, channel_id: int, now: datetime) -> Channel | None:
    """Remove a channel; what was on its way there is given up. ``None`` where there is none."""
    row = delete(channels).where(channels.c.id == channel_id).returning(channels)
    found = one_of(Channel, connection.execute(row))
    values = {"state": DeliveryState.GIVEN_UP, "next_at": None, "ended_at": now, "reason": "The channel was removed."}
    is_due = (deliveries.c.channel_id == channel_id) & (deliveries.c.state == DeliveryState.DUE)
    connection.execute(update(deliveries).where(is_due).values(values))
    return found


def read_rules(connection: Connection) -> dict[str, Any] | None:
    """Answer the rules somebody has set, as JSON; ``None`` where nobody has."""
    found: dict[str, Any] | None = connection.execute(select(rules.c.rules)).scalar()
    return found


def write_rules(connection: Connection, wanted: dict[str, Any]) -> None:
    """Set the rules. Raises ``IntegrityError`` where somebody else sets the first ones at the same time."""
    if connection.execute(update(rules).values(rules=wanted)).rowcount == 0:
        connection.execute(insert(rules).values(id=1, rules=wanted))


# What was told


def all_marks(connection: Connection) -> dict[str, Mark]:
    """Answer what was told last, by subject."""
    rows = connection.execute(select(marks)).mappings()
    return {row["subject"]: Mark(**{name: row[name] for name in Mark.__struct_fields__}) for row in rows}


def move_mark(connection: Connection, subject: str, known: Mark | None, to: Mark) -> bool:
    """Note what is told now; answers whether nobody has noted anything since ``known`` was read.

    Raises ``IntegrityError`` where another server notes the first of this subject at the same time.
    """
    values = msgspec.structs.asdict(to)
    if known is None:
        wanted = select(literal(subject), *(literal(values[name], marks.c[name].type) for name in values))
        row = insert(marks).from_select(["subject", *values], wanted.where(~exists().where(marks.c.subject == subject)))
    else:
        same = (marks.c[name].is_not_distinct_from(value) for name, value in msgspec.structs.asdict(known).items())
        row = update(marks).where(marks.c.subject == subject, *same).values(values)  # type: ignore[assignment]
    return connection.execute(row, execution_options={"preserve_rowcount": True}).rowcount == 1


# Deliveries


def enter(
    connection: Connection,
    where: Iterable[Channel],
    *,
    event: str,
    kind: str,
    message_id: str,
    message: dict[str, Any],
    now: datetime,
) -> list[Delivery]:
    """Enter an event, due now, for each channel. Raises ``IntegrityError`` where it was entered before."""
    values = {"event": event, "kind": kind, "message_id": message_id, "message": message, "raised_at": now}
    values |= {"state": DeliveryState.DUE, "attempts": 0, "next_at": now_microseconds()}
    entered = []
    for channel in where:
        row = insert(deliveries).values(values | {"channel_id": channel.id, "channel": channel.name})
        entered.append(the_one(Delivery, connection.execute(row.returning(*_DELIVERY))))
    return entered


def due(connection: Connection, *, but: Iterable[int] = (), most: int = 20) -> list[Delivery]:
    """Answer the deliveries that are due, the longest first, to other channels than ``but``."""
    is_due = (deliveries.c.state == DeliveryState.DUE) & (deliveries.c.next_at <= now_microseconds())
    query = select(*_DELIVERY).where(is_due, deliveries.c.channel_id.not_in(list(but)))
    return all_of(Delivery, connection.execute(query.order_by(deliveries.c.next_at, deliveries.c.id).limit(most)))


def claim(connection: Connection, delivery_id: int, claim_id: str, lasting: timedelta) -> bool:
    """Claim a delivery that is due, for one attempt; answers whether the caller is the one who has it."""
    is_due = (deliveries.c.state == DeliveryState.DUE) & (deliveries.c.next_at <= now_microseconds())
    values = {"state": DeliveryState.SENDING, "claim": claim_id, "held_until": _from_now(lasting), "next_at": None}
    row = update(deliveries).where(deliveries.c.id == delivery_id, is_due)
    return connection.execute(row.values(**values, attempts=deliveries.c.attempts + 1)).rowcount == 1


def settle(connection: Connection, claim_id: str, state: DeliveryState, *, reason: str | None, now: datetime) -> None:
    """Say how an attempt ended. It is true however late: also of one that was taken for unknown meanwhile."""
    values = {"state": state, "reason": reason, "ended_at": now, "next_at": None}
    _give_back(connection, claim_id, values)


def put_off(connection: Connection, claim_id: str, period: timedelta, *, reason: str) -> None:
    """Let a delivery be due again after a period: the attempt has failed, and nothing of it has arrived."""
    values = {"state": DeliveryState.DUE, "reason": reason, "ended_at": None, "next_at": _from_now(period)}
    _give_back(connection, claim_id, values)


def end_claims(connection: Connection, reason: str, now: datetime) -> int:
    """End the claims that are over with nothing said about them; answers how many. The claim stays readable."""
    is_over = (deliveries.c.state == DeliveryState.SENDING) & (deliveries.c.held_until <= now_microseconds())
    values = {"state": DeliveryState.UNKNOWN, "reason": reason, "ended_at": now}
    return connection.execute(update(deliveries).where(is_over).values(values)).rowcount


def is_anything_to_do(connection: Connection) -> bool:
    """Tell whether a delivery is due, or a claim over."""
    now = now_microseconds()
    is_due = (deliveries.c.state == DeliveryState.DUE) & (deliveries.c.next_at <= now)
    is_over = (deliveries.c.state == DeliveryState.SENDING) & (deliveries.c.held_until <= now)
    return connection.execute(select(deliveries.c.id).where(is_due | is_over).limit(1)).first() is not None


def find_delivery(connection: Connection, delivery_id: int) -> Delivery | None:
    """Answer one delivery."""
    return one_of(Delivery, connection.execute(select(*_DELIVERY).where(deliveries.c.id == delivery_id)))


def newest(connection: Connection, *, most: int = 200, before: int | None = None) -> list[Delivery]:
    """Answer the newest deliveries, newest first; ``before`` is a delivery's id to page on from."""
    query = select(*_DELIVERY).order_by(deliveries.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return all_of(Delivery, connection.execute(query))


def prune(connection: Connection, now: datetime) -> None:
    """Forget the deliveries that are over and too old or too many."""
    last = connection.execute(select(func.max(deliveries.c.id))).scalar() or 0
    is_over = deliveries.c.state.in_([DeliveryState.DELIVERED, DeliveryState.GIVEN_UP, DeliveryState.UNKNOWN])
    too_many = (deliveries.c.raised_at < now - KEPT_FOR) | (deliveries.c.id <= last - MOST_KEPT)
    connection.execute(delete(deliveries).where(is_over, too_many))


def _give_back(connection: Connection, claim_id: str, values: Mapping[str, Any]) -> None:
    row = update(deliveries).where(deliveries.c.claim == claim_id)
    connection.execute(row.values(**values, claim=None, held_until=None))


def _taken(name: str) -> ChannelNameTaken:
    return ChannelNameTaken(f"There is a channel named {name!r} already. Give this one another name.")


def _from_now(lasting: timedelta) -> Any:
    return now_microseconds() + lasting // _MICROSECOND
