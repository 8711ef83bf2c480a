"""Where notifications go, as administrators write it, and as it is stored and shown.

What is secret (passwords, a webhook's signing key, addresses that are keys themselves) is written and never shown: what
is left of it is a mask.
"""

import base64
import binascii
import secrets
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from placet.store.notifications import Channel

MASK = "****"
SIGNING_PREFIX = "whsec_"
LONGEST_URL = 2000

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
Host = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+$")]
Address = Annotated[str, Meta(max_length=254, pattern=r'^[^\s@<>(),;:"\\\x00-\x1f\x7f-\U0010ffff]+@[0-9A-Za-z.-]+$')]
Secret = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^[^\x00\r\n]+$")]
Url = Annotated[str, Meta(min_length=1, max_length=LONGEST_URL, pattern=r"^[!-~]+$")]


class ChannelUnusable(ValueError):
    """A channel that cannot be used as it was written; the message says why and what to write."""


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="mail"):
    """Mail by SMTP. ``security`` is ``tls`` (from the first byte), ``starttls`` or ``none``."""

    name: Name
    host: Host
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Annotated[str, Meta(pattern="^(tls|starttls|none)$")] = "starttls"
    sender: Address
    recipients: Annotated[list[Address], Meta(min_length=1, max_length=50)]
    user: Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[^\x00\r\n]+$")] | None = None
    password: Secret | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"):
    """JSON by POST, signed as Standard Webhooks has it. Without a ``secret``, one is made and told once."""

    name: Name
    url: Url | None = None
    secret: Secret | None = None


class AppriseUrl(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="apprise"
):
    """One of Apprise's services, by its URL."""

    name: Name
    url: Url | None = None


Written = Mail | Webhook | AppriseUrl


class Stored(msgspec.Struct, frozen=True):
    """What of a channel is stored to be shown, what is stored and never shown, and what is told once."""

    settings: dict[str, Any]
    secrets: dict[str, Any]
    told_once: dict[str, str] = {}


def to_store(written: Written, known: Channel | None = None) -> Stored:
    """Answer what to store of a channel; a secret that is left out stays as it is. Raises :class:`ChannelUnusable`."""
    if known is not None and known.kind != kind_of(written):
        raise ChannelUnusable(f"The channel is of the kind {known.kind}, which stays. Remove it and add another.")
    held = known.secrets if known is not None else {}
    match written:
        case Mail():
            return _mail(written, held)
        case Webhook():
            return _webhook(written, held)
        case AppriseUrl():
            from placet.platform.notifications.apprise_urls import check  # noqa: PLC0415 (takes time)

            url = _of(written.url, held, "url")
            return Stored({"service": check(url)}, {"url": url})


def kind_of(written: Written) -> str:
    """Answer the kind of a channel."""
    return str(type(written).__struct_config__.tag)


def shown(channel: Channel) -> dict[str, Any]:
    """Answer what may be shown of a channel: of each secret, that it is there."""
    masked = dict.fromkeys(channel.secrets, MASK)
    return {"id": channel.id, "name": channel.name, "kind": channel.kind} | channel.settings | masked


def _mail(written: Mail, held: dict[str, Any]) -> Stored:
    password = written.password if written.password is not None else held.get("password")
    if written.user is None:
        if written.password is not None:
            raise ChannelUnusable("There is a password and no user. Write both, or neither.")
        password = None
    elif password is None:
        raise ChannelUnusable("There is a user and no password. Write both, or neither.")
    elif written.security == "none":
        raise ChannelUnusable("A password is only sent over TLS. Write tls or starttls for the security.")
    port = written.port or {"tls": 465, "starttls": 587}.get(written.security, 25)
    settings = {"host": written.host, "port": port, "security": written.security, "user": written.user}
    settings |= {"sender": written.sender, "recipients": list(dict.fromkeys(written.recipients))}
    return Stored(settings, {} if password is None else {"password": password})


def _webhook(written: Webhook, held: dict[str, Any]) -> Stored:
    url = _of(written.url, held, "url")
    origin = check_webhook(url)
    told_once = {}
    secret = written.secret or held.get("secret")
    if secret is None:
        secret = SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        told_once = {"secret": secret}
    signing_key(secret)
    return Stored({"origin": origin}, {"url": url, "secret": secret}, told_once)


def check_webhook(url: str) -> str:
    """Answer the origin of a webhook's URL, which may be shown; raises :class:`ChannelUnusable`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ChannelUnusable("A webhook has a URL of http or https, such as https://hooks.example/placet.")
    if parts.username is not None or parts.password is not None:
        raise ChannelUnusable("The URL names a user or a password. Leave them out: what is sent is signed instead.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def signing_key(secret: str) -> bytes:
    """Answer the key of a Standard Webhooks secret: 24 to 64 bytes; raises :class:`ChannelUnusable`."""
    try:
        key = base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SIGNING_PREFIX) or not 24 <= len(key) <= 64:
        raise ChannelUnusable(
            f"A webhook's secret is {SIGNING_PREFIX} and 24 to 64 bytes in base64. Leave it out, and one is made."
        )
    return key


def _of(written: str | None, held: dict[str, Any], name: str) -> str:
    found = written if written is not None else held.get(name)
    if not isinstance(found, str):
        raise ChannelUnusable(f"The {name} is missing. Write where the notifications are to go.")
    return found
