"""Which headers pass between clients and modules, and under which path.

Hop-by-hop headers (RFC 9110 section 7.6.1) end at each hop. The server's own credentials end here.
"""

import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

Headers = list[tuple[bytes, bytes]]

PERSONAL_COOKIE = b"placet_personal"
SESSION_COOKIES = frozenset(
    (
        *(b"placet_session", b"__Host-placet_session", b"__Secure-placet_session", PERSONAL_COOKIE),
        *(b"placet_openid", b"__Host-placet_openid"),
    )
)
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
    )
)
# What a client may not say about itself: the server says it.
_CLAIMED = frozenset((b"forwarded", b"x-real-ip"))
_CLAIMED_PREFIX = b"x-forwarded-"
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADDED_BY_THE_SERVER = frozenset((b"date", b"server"))


def any_token(_token: str) -> bool:
    """Take every bearer token for one of the server's."""
    return True


def for_module(scope: MutableMapping[str, Any], root_path: str, is_own_token: Callable[[str], bool]) -> Headers:
    """Return the headers of a request as the module may see them."""
    received: Headers = [(name.lower(), value) for name, value in scope["headers"]]
    dropped = _HOP_BY_HOP | _CLAIMED | _named_by_connection(received)
    passed: Headers = []
    for name, value in received:
        if name in dropped or name.startswith(_CLAIMED_PREFIX):
            continue
        if name == b"authorization" and _is_own(value, is_own_token):
            continue
        kept = _without_session(value) if name == b"cookie" else value
        if kept or name != b"cookie":
            passed.append((name, kept))
    if any(name == b"transfer-encoding" for name, _ in received):
        # A body of unknown length stays one; a length beside it would be a lie (RFC 9112 section 6.3).
        passed = [(name, value) for name, value in passed if name != b"content-length"]
        passed.append((b"transfer-encoding", b"chunked"))
    return [*passed, *_forwarded(scope, root_path, dict(received).get(b"host", b""))]


def for_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of a module's answer as they go to the client, repeated ones repeated."""
    received: Headers = [(name.lower(), value) for name, value in headers]
    dropped = _HOP_BY_HOP | _ADDED_BY_THE_SERVER | _named_by_connection(received)
    return [
        (name, value)
        for name, value in received
        if name not in dropped and not (name == b"set-cookie" and _cookie_name(value) in SESSION_COOKIES)
    ]


def target(scope: MutableMapping[str, Any], root_path: str) -> bytes | None:
    """Return path and query for the module, percent-encoded as the client sent them; None outside `root_path`."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    rest = raw.partition(b"?")[0]
    for part in (part for part in root_path.encode().split(b"/") if part):
        first, slash, after = rest.lstrip(b"/").partition(b"/")
        if unquote_to_bytes(first) != part:
            return None
        rest = slash + after
    query = scope.get("query_string", b"")
    return (rest or b"/") + (b"?" + query if query else b"")


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))


def _is_own(authorization: bytes, is_own_token: Callable[[str], bool]) -> bool:
    scheme, _, token = authorization.strip().partition(b" ")
    return scheme.lower() == b"bearer" and is_own_token(token.strip().decode("latin-1"))


def _without_session(value: bytes) -> bytes:
    pairs = value.split(b";")
    if not any(_cookie_name(pair) in SESSION_COOKIES for pair in pairs):
        return value
    return b";".join(pair for pair in pairs if _cookie_name(pair) not in SESSION_COOKIES).strip()


def _cookie_name(pair: bytes) -> bytes:
    return pair.partition(b";")[0].partition(b"=")[0].strip()


def _forwarded(scope: MutableMapping[str, Any], root_path: str, host: bytes) -> Headers:
    client, scheme = scope.get("client"), str(scope.get("scheme", "http"))
    headers: Headers = [
        # Of a WebSocket, too, the header tells the scheme of the page: http, not ws.
        (b"x-forwarded-proto", {"ws": "http", "wss": "https"}.get(scheme, scheme).encode("latin-1")),
        (b"x-forwarded-host", host),
        (b"x-forwarded-prefix", quote(root_path).encode()),
    ]
    if client:
        headers.append((b"x-forwarded-for", str(client[0]).encode("latin-1")))
    proto = headers[0][1]
    said = [b"for=" + _node(str(client[0]) if client else "unknown"), b"proto=" + proto]
    headers.append((b"forwarded", b";".join([*said, *([b"host=" + _quoted(host)] if host else [])])))
    return headers


def _node(address: str) -> bytes:
    """Write whom a request is from; an IPv6 address has brackets and quotes (RFC 7239 section 6)."""
    return b'"[' + address.encode("latin-1") + b']"' if ":" in address else address.encode("latin-1")


def _quoted(value: bytes) -> bytes:
    """Write a value as it is where it is a token, else in quotes (RFC 9110 section 5.6.4)."""
    if _TOKEN.fullmatch(value):
        return value
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
