"""Who may call what. Every route says so in its ``opt``; one guard enforces it, and fails closed where none is said.

Programs send a bearer token (RFC 6750); the console has a session cookie. A change made with a cookie must come from
this site's own pages (``Origin``, or ``Sec-Fetch-Site`` where the browser sends no origin).
"""

import functools
from enum import StrEnum
from typing import Any

import anyio.to_thread
import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from placet.platform.server import PlatformServer
from placet.store.credentials import LONGEST_SECRET, Credential, Kind, Role
from placet.store.reach import NOT_REACHED
from placet.web.problems import Problem

SESSION_COOKIE = "placet_session"
SECURE_SESSION_COOKIE = "__Host-placet_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Access(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    ADMINISTRATOR = "administrator"


class Caller(msgspec.Struct, frozen=True):
    """Who is calling, and with what."""

    credential: Credential

    @property
    def name(self) -> str:
        """The name that the audit trail records."""
        return self.credential.name

    @property
    def is_administrator(self) -> bool:
        """Whether the caller looks after the license."""
        return self.credential.role is Role.ADMINISTRATOR


def requires(access: Access) -> dict[str, Any]:
    """Answer the ``opt`` of a route that ``access`` may call."""
    return {"access": access}


def anonymous() -> dict[str, Any]:
    """Answer the ``opt`` of a public route that answers everybody the same: no database is asked who is calling."""
    return requires(Access.PUBLIC) | {"anonymous": True}


async def guard_access(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request through, or raise :class:`Problem` (401 or 403)."""
    access = handler.opt.get("access")
    if access is Access.PUBLIC and handler.opt.get("anonymous"):
        connection.scope["state"]["caller"] = None
        return
    try:
        caller = await find_caller(connection)
    except NOT_REACHED:
        if access is not Access.PUBLIC:
            raise
        caller = None  # what needs nobody to be known needs no database either
    connection.scope["state"]["caller"] = caller
    if access is Access.PUBLIC:
        return
    if caller is None:
        raise sign_in_required()
    if access is Access.SIGNED_IN or (access is Access.ADMINISTRATOR and caller.is_administrator):
        return
    raise Problem(
        "role_required",
        title="An administrator's task",
        status=403,
        detail=f"Only an administrator may do this, and {caller.name!r} is a {caller.credential.role}. "
        "Ask your Service Center administrator.",
    )


def sign_in_required() -> "Problem":
    """The problem of a request without a credential in force."""
    return Problem(
        "sign_in_required",
        title="Sign in first",
        status=401,
        detail="This needs a token or a session in force. Send 'Authorization: Bearer <token>'; an administrator of "
        "the machine makes one with 'placet admin token'.",
        headers={"WWW-Authenticate": 'Bearer realm="placet"'},
    )


async def find_caller(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
    """Answer who is calling, by bearer token first, then by session; ``None`` where neither is in force."""
    server: PlatformServer = connection.app.state.server
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        kind, secret = Kind.TOKEN, token.strip()
    else:
        kind, secret = Kind.SESSION, connection.cookies.get(session_cookie(connection), "")
    if not secret or len(secret) > LONGEST_SECRET:
        return None
    is_safe = connection.scope.get("method", "GET") in _SAFE_METHODS
    look = functools.partial(server.people.find, kind, secret, for_reading=is_safe)
    found = await anyio.to_thread.run_sync(look)
    if found is None:
        return None
    if kind is Kind.TOKEN or is_safe or is_from_own_site(connection):
        return Caller(found)
    raise Problem(
        "cross_site_request",
        title="Not from this site",
        status=403,
        detail="The change was asked for by a page of another site, and was not made. Do it in the Service Center.",
    )


def is_secure(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Tell whether the browser reaches this site over https, as far as the server is told."""
    public: str = connection.app.state.server.public_url or ""
    scheme, _, host = public.partition("://")
    is_public = scheme == "https" and connection.headers.get("host", "").lower() == host.lower()
    return is_public or connection.url.scheme == "https"


def session_cookie(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Answer the name of the session's cookie: over https one that no other host can set (RFC 6265bis, 4.1.3.2)."""
    return SECURE_SESSION_COOKIE if is_secure(connection) else SESSION_COOKIE


def is_from_own_site(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Tell whether a page of this site makes the request, as the browser says it (RFC 6454 section 7.3, Fetch).

    Hosts only are compared: behind a proxy that ends TLS, the page's scheme is not the one the request arrives with.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site") == "same-origin"
    scheme, _, page_host = origin.lower().partition("://")
    return scheme in {"http", "https"} and page_host != "" and page_host == connection.headers.get("host", "").lower()


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Answer who is calling a route that requires somebody to be signed in."""
    caller = connection.scope["state"]["caller"]
    if not isinstance(caller, Caller):
        raise sign_in_required()
    return caller
