"""Notifying, in the background of a server: what there is to tell is entered, what is due is sent."""

import threading
import time
import uuid
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from placet.enforcement import Decision
from placet.guard import Guard
from placet.platform.notifications import events, sending
from placet.platform.notifications import texts_en_us as texts
from placet.platform.notifications.events import Step
from placet.platform.notifications.message import Kind, Message
from placet.platform.notifications.outcome import Ending, Outcome, failed
from placet.platform.notifications.rules import read_rules
from placet.store import notifications as store
from placet.store.notifications import Channel, Delivery, DeliveryState

LOOK_SECONDS = 1.0
PRUNE_SECONDS = 3600.0
HELD = timedelta(seconds=90)
"""How long one attempt is the server's that makes it: longer than the longest may take."""

BACK_OFF = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
"""How long it waits after each attempt that has failed; there is one attempt more than these."""

LOST = (
    "The server that was sending it stopped before it noted what came of it. It may have arrived; it is not sent again."
)

_STATES = {
    Ending.DELIVERED: DeliveryState.DELIVERED,
    Ending.FAILED: DeliveryState.GIVEN_UP,
    Ending.UNKNOWN: DeliveryState.UNKNOWN,
}

log = structlog.get_logger()


def enter(connection: Connection, message: Message, *, event: str, now: datetime) -> list[Delivery]:
    """Enter an event for every channel there is."""
    where = store.all_channels(connection)
    return enter_for(connection, where, message, event=event, now=now)


def enter_for(
    connection: Connection, where: list[Channel], message: Message, *, event: str, now: datetime
) -> list[Delivery]:
    """Enter an event for some channels. Raises ``IntegrityError`` where one of them has it already."""
    told = {"title": message.title, "text": message.text, "path": message.path, "data": message.data}
    message_id = f"msg_{uuid.uuid4().hex}"
    return store.enter(connection, where, event=event, kind=message.kind, message_id=message_id, message=told, now=now)


def note_refusal(connection: Connection, decision: Decision, actor: str, now: datetime) -> None:
    """Enter that a license upload was refused, in the transaction that records it: each refusal is an event."""
    enter(connection, texts.upload_refused(decision, actor), event=f"{Kind.UPLOAD_REFUSED}:{uuid.uuid4()}", now=now)


class _Attempt(msgspec.Struct, frozen=True):
    """What came of an attempt at a delivery, as it was before; ``is_last``: no other is made."""

    delivery: Delivery
    outcome: Outcome
    is_last: bool


class Notifier:
    """Tells administrators. ``look`` is meant for once a second, on every server of a farm.

    ``back_off`` is how long it waits after each attempt that has failed, ``held`` how long an attempt is this server's.
    Nothing more is sent once ``stopping`` is set. ``public_url`` is where people reach the server, for links.
    """

    def __init__(
        self,
        guard: Guard,
        stopping: threading.Event,
        *,
        public_url: str | None = None,
        back_off: tuple[timedelta, ...] = BACK_OFF,
        held: timedelta = HELD,
    ) -> None:
        self._guard = guard
        self._database = guard.database
        self._stopping = stopping
        self._public_url = public_url
        self._back_off = back_off
        self._held = held
        self._unsettled: dict[str, _Attempt] = {}
        self._pruned_at = time.monotonic()

    def look(self) -> None:
        """Enter what there is to tell, then send what is due, to each channel until one attempt fails."""
        self._settle()
        self._observe()
        with self._database.read() as connection:
            anything = store.is_anything_to_do(connection)
        if anything:
            self._end_claims()
            self._deliver()
        if time.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = time.monotonic()
            with self._database.write() as connection:
                store.prune(connection, self._guard.now())

    def test(self, channel: Channel, *, actor: str) -> Delivery:
        """Send a test to a channel now, by one attempt; answers the delivery as it ended."""
        now, message = self._guard.now(), texts.test(channel.name, actor)
        claim = str(uuid.uuid4())
        with self._database.write() as connection:
            (delivery,) = enter_for(connection, [channel], message, event=f"{Kind.TEST}:{uuid.uuid4()}", now=now)
            store.claim(connection, delivery.id, claim, self._held)
        self._send(delivery, channel, claim, is_last=True)
        with self._database.read() as connection:
            return store.find_delivery(connection, delivery.id) or delivery

    def _observe(self) -> None:
        """Enter what there is to tell. Without a channel nothing counts as told: the first hears all."""
        status = self._guard.status()
        with self._database.read() as connection:
            if not store.all_channels(connection):
                return
            found = list(events.steps(status, read_rules(connection), store.all_marks(connection)))
        for step in found:
            with suppress(IntegrityError), self._database.write() as connection:  # another server does the same
                self._take(connection, step)

    def _take(self, connection: Connection, step: Step) -> None:
        if not store.move_mark(connection, step.subject, step.known, step.to):
            return
        if step.message is not None and step.event is not None:
            enter(connection, step.message, event=step.event, now=self._guard.now())

    def _end_claims(self) -> None:
        with self._database.write() as connection:
            lost = store.end_claims(connection, LOST, self._guard.now())
        if lost:
            log.warning("notifications_unknown", deliveries=lost)

    def _deliver(self) -> None:
        failing: set[int] = set()
        while not self._stopping.is_set():
            with self._database.read() as connection:
                found = store.due(connection, but=failing, most=1)
                channel = store.find_channel(connection, found[0].channel_id) if found else None
            if not found:
                return
            delivery, claim = found[0], str(uuid.uuid4())
            with self._database.write() as connection:
                is_mine = store.claim(connection, delivery.id, claim, self._held)
            if is_mine and self._send(delivery, channel, claim).ending is not Ending.DELIVERED:
                failing.add(delivery.channel_id)

    def _send(self, delivery: Delivery, channel: Channel | None, claim: str, *, is_last: bool = False) -> Outcome:
        if channel is None:
            outcome, is_last = failed("The channel was removed."), True
        else:
            outcome = sending.send(channel, sending.outgoing(delivery, self._public_url), stopping=self._stopping)
        self._unsettled[claim] = _Attempt(delivery, outcome, is_last or delivery.attempts >= len(self._back_off))
        self._settle()
        return outcome

    def _settle(self) -> None:
        """Note what came of attempts, those included that could not be noted when they ended."""
        for claim, attempt in list(self._unsettled.items()):
            with self._database.write() as connection:
                self._note(connection, claim, attempt)
            self._unsettled.pop(claim, None)

    def _note(self, connection: Connection, claim: str, attempt: _Attempt) -> None:
        delivery, outcome = attempt.delivery, attempt.outcome
        if outcome.ending is Ending.FAILED and not attempt.is_last:
            store.put_off(connection, claim, self._back_off[delivery.attempts], reason=outcome.reason or "")
            return
        store.settle(connection, claim, _STATES[outcome.ending], reason=outcome.reason, now=self._guard.now())
        if outcome.ending is not Ending.DELIVERED:
            log.warning("notification_not_delivered", channel=delivery.channel, reason=outcome.reason)
