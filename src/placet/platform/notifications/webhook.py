"""Webhooks, signed as Standard Webhooks 1.0 has it: a POST of JSON with an id, a time and an HMAC-SHA256 of all three.

Redirects are not followed, and of the answer nothing is read but its status. Whatever was sent and got no answer may
have been taken: that is unknown, and a receiver that is sent an id twice (which this server never does by itself) can
tell by it.
"""

import base64
import hashlib
import hmac
import re
import ssl
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from placet.license.instants import rfc3339
from placet.platform.notifications.channels import signing_key
from placet.platform.notifications.message import Outgoing
from placet.platform.notifications.outcome import Outcome, delivered, failed, unknown

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0


def send(settings: Mapping[str, Any], secrets: Mapping[str, Any], message: Outgoing) -> Outcome:
    """Post one message."""
    import httpx2  # noqa: PLC0415 (takes time)

    where, content = settings["origin"], body(message)
    told = headers(str(secrets["secret"]), message.id, int(time.time()), content)
    timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        with (
            httpx2.Client(timeout=timeout, trust_env=False, verify=ssl.create_default_context()) as client,
            client.stream("POST", str(secrets["url"]), content=content, headers=told) as answer,
        ):
            status, is_taken = answer.status_code, answer.is_success
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.InvalidURL, UnicodeError) as error:
        return failed(f"{where} cannot be reached: {_told(error)}.")
    except httpx2.HTTPError as error:
        return unknown(f"{where} was sent it and has not answered: {_told(error)}.")
    if is_taken:
        return delivered()
    more = " Redirects are not followed: write the address itself." if 300 <= status < 400 else ""
    return failed(f"{where} answered {status} and has not taken it.{more}")


def _told(error: Exception) -> str:
    return re.sub(r"^\[[^]]*\] ", "", str(error)) or type(error).__name__


def body(message: Outgoing) -> bytes:
    """The JSON that is posted."""
    data = {"title": message.title, "text": message.text, "link": message.link} | message.data
    return msgspec.json.encode({"type": message.kind, "timestamp": rfc3339(message.raised_at), "data": data})


def headers(secret: str, message_id: str, timestamp: int, content: bytes) -> dict[str, str]:
    """The headers of a webhook; ``timestamp`` is seconds since the epoch."""
    signed = f"{message_id}.{timestamp}.".encode() + content
    signature = base64.b64encode(hmac.digest(signing_key(secret), signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "placet",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
