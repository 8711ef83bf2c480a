"""Sending one message to one channel, within a time: whoever does not answer keeps nobody else waiting."""

import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import structlog

from placet.platform.notifications import apprise_urls, mail, webhook
from placet.platform.notifications.message import Outgoing
from placet.platform.notifications.outcome import Outcome, unknown, without
from placet.store.notifications import Channel, Delivery

DEADLINE_SECONDS = 30.0
_STOPPING_SECONDS = 3.0
_STOP_LOOK_SECONDS = 0.25

_SEND: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Outgoing], Outcome]] = MappingProxyType(
    {"mail": mail.send, "webhook": webhook.send, "apprise": apprise_urls.send}
)

log = structlog.get_logger()


def outgoing(delivery: Delivery, public_url: str | None) -> Outgoing:
    """Answer a delivery's message as it goes out, with a link where it is known at which address people come in."""
    message = delivery.message
    link = None if public_url is None else public_url.rstrip("/") + str(message["path"])
    return Outgoing(
        id=delivery.message_id,
        kind=delivery.kind,
        title=str(message["title"]),
        text=str(message["text"]),
        data=dict(message["data"]),
        link=link,
        raised_at=delivery.raised_at.replace(microsecond=0),
    )


def send(
    channel: Channel, message: Outgoing, *, stopping: threading.Event, seconds: float = DEADLINE_SECONDS
) -> Outcome:
    """Send a message, and answer what came of it within so many seconds, or few once the server is ``stopping``."""
    ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    threading.Thread(target=_send, args=(channel, message, ended), name="send", daemon=True).start()
    found = _wait(ended, stopping, seconds)
    if found is None:
        return unknown(f"It was not over after {seconds:.0f} seconds, or the server stopped before it was.")
    if found.reason is None:
        return found
    secrets = [str(secret) for secret in channel.secrets.values()]
    return Outcome(found.ending, without(found.reason, secrets))


def _wait(ended: "queue.SimpleQueue[Outcome]", stopping: threading.Event, seconds: float) -> Outcome | None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        with suppress(queue.Empty):
            return ended.get(timeout=min(left, _STOP_LOOK_SECONDS))
        if stopping.is_set():
            until = min(until, time.monotonic() + _STOPPING_SECONDS)
            stopping = threading.Event()
    return None


def _send(channel: Channel, message: Outgoing, ended: "queue.SimpleQueue[Outcome]") -> None:
    try:
        ended.put(_SEND[channel.kind](channel.settings, channel.secrets, message))
    except Exception as error:  # noqa: BLE001 - so that the delivery has an end, whatever it is
        at = traceback.extract_tb(error.__traceback__)[-1]  # no more of it: an address or a password may be in it
        log.warning(
            "notification_failed", channel=channel.name, error=type(error).__name__, at=f"{at.filename}:{at.lineno}"
        )
        ended.put(unknown(f"The server failed at it, and wrote why to its log ({type(error).__name__})."))
