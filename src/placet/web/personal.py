"""Who is let into a private instance: its owner, and nobody else.

1. A browser is let in by a cookie for that instance's path alone. It gets it from the link that only the owner is told
   (``?placet_key=…``), and is sent on at once to the same address without the key.
2. A program sends the owner's bearer token.
3. To everybody else, administrators included, there is no such instance.

The module sees neither key nor cookie nor token.
"""

import functools
import secrets
from typing import Any
from urllib.parse import quote

import anyio.to_thread

from placet.platform.instances import Instance
from placet.platform.people import People
from placet.platform.proxy import Scope, Send
from placet.platform.proxy_headers import PERSONAL_COOKIE
from placet.store.credentials import LONGEST_SECRET, Kind

KEY_PARAMETER = "placet_key"
_KEY = f"{KEY_PARAMETER}=".encode()


def link_of(instance: Instance) -> str:
    """The path that lets whoever follows it into the instance."""
    return f"{instance.root_path}/?{KEY_PARAMETER}={instance.key}"


async def is_admitted(scope: Scope, instance: Instance, people: People) -> bool:
    """Whether a request shows the instance's cookie or the token of its owner."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if any(_same(value, instance.admission) for value in _cookies(headers)):
        return True
    token = _bearer(headers)
    if not token or len(token) > LONGEST_SECRET:
        return False
    found = await anyio.to_thread.run_sync(functools.partial(people.find, Kind.TOKEN, token, for_reading=True))
    return found is not None and found.name == instance.started_by


def without_key(scope: Scope) -> Scope:
    """The same request without keys in its query: the module is not to see them."""
    return {**scope, "query_string": _split(scope.get("query_string", b""))[1]}


def follows_link(scope: Scope, instance: Instance) -> bool:
    """Whether a browser follows the instance's link. Who sends a credential of another kind is judged by that."""
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or _bearer(scope["headers"]):
        return False
    return any(_same(key, instance.key) for key in _split(scope.get("query_string", b""))[0])


async def let_in(scope: Scope, send: Send, instance: Instance) -> None:
    """Give a browser that followed the link its cookie, and send it on to the address without the key."""
    _, query = _split(scope.get("query_string", b""))
    location = quote(scope["path"]).encode() + (b"?" + query if query else b"")
    lasts = int((instance.expires_at - instance.started_at).total_seconds())
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    cookie = (
        f"{PERSONAL_COOKIE.decode()}={instance.admission}; Path={instance.root_path}/; Max-Age={lasts}; HttpOnly; "
        f"SameSite=Lax{secure}"
    )
    headers = [
        (b"location", location),
        (b"set-cookie", cookie.encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _split(query: bytes) -> tuple[list[bytes], bytes]:
    """Answer the keys in a query, and the query without them, otherwise as it was sent."""
    parts = query.split(b"&")
    keys = [part.removeprefix(_KEY) for part in parts if part.startswith(_KEY)]
    return keys, b"&".join(part for part in parts if not part.startswith(_KEY)) if keys else query


def _cookies(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    pairs = [pair.partition(b"=") for name, value in headers if name == b"cookie" for pair in value.split(b";")]
    return [value.strip() for name, _, value in pairs if name.strip() == PERSONAL_COOKIE]


def _bearer(headers: list[tuple[bytes, bytes]]) -> str:
    value: Any = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, token = value.strip().partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _same(shown: bytes, secret: str) -> bool:
    return secrets.compare_digest(shown, secret.encode())
