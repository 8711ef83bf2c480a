"""Signing in to the console, and out of it.

A one-time code, by link or by form, or a token turns into a session. The code of a link stays neither in the address
nor in what is told to other sites. A sign-in form is taken from this site's own pages alone, so that no other site
can sign somebody in as somebody else.
"""

import time
from typing import Any

import anyio.to_thread
from litestar import Response, get, post

from placet.platform.people import SESSION_LASTS
from placet.platform.server import PlatformServer
from placet.store.credentials import LONGEST_SECRET, Kind
from placet.web.access import SESSION_COOKIE, Access, caller_of, is_from_own_site, requires
from placet.web.console.asking import AnyRequest
from placet.web.console.attempts import Attempts
from placet.web.console.errors import answer_page
from placet.web.console.pages import page, see_other
from placet.web.problems import Problem

OVERVIEW = "/service-center/"
SIGN_IN = "/service-center/sign-in"
_LARGEST_FORM = 4096

_REASONS = {
    "needed": "Sign in first. The page you asked for is for people who are signed in, and you are not, or your session "
    "has ended. Nothing was changed.",
    "code": "This one-time link does not work any more. It may have been used already, since each works once, or be "
    "older than a day, or not be complete.",
    "token": "This was a token, not a one-time code. A token does not belong in an address; paste it below instead.",
    "signed_out": "You are signed out.",
}


@get(
    SIGN_IN,
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def sign_in_page(request: AnyRequest) -> Response[Any]:
    """Explain how to sign in; with the ``code`` of a one-time link, do it."""
    code, why = request.query_params.get("code"), request.query_params.get("why")
    if code is None:
        return page(
            request, "sign_in.html", here=SIGN_IN, reason=_REASONS.get(why or ""), failed=why in {"code", "token"}
        )
    if await anyio.to_thread.run_sync(_server(request).people.find, Kind.TOKEN, code):
        return see_other(f"{SIGN_IN}?why=token", referrer_policy="no-referrer")
    session = await _new_session(request, code)
    if session is None:
        return see_other(f"{SIGN_IN}?why=code", referrer_policy="no-referrer")
    return _signed_in(request, session)


@post(
    SIGN_IN,
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    request_max_body_size=_LARGEST_FORM,
    exception_handlers={Exception: answer_page},
)
async def sign_in(request: AnyRequest) -> Response[Any]:
    """Sign in with the one-time code or token of the form."""
    if not is_from_own_site(request):
        raise Problem(
            "cross_site_request",
            title="Not from this site",
            status=403,
            detail="A page of another site asked to sign you in here, and you were not. "
            "Sign in on this site's own page.",
        )
    form = await request.form()
    secret = form.get("secret")
    session = await _new_session(request, secret.strip() if isinstance(secret, str) else "")
    if session is not None:
        return _signed_in(request, session)
    reason = (
        "That is no code or token in force. A one-time code works once, within a day; a token works until it is "
        "revoked. See that it was copied as a whole."
    )
    headers = {"WWW-Authenticate": 'Bearer realm="placet"'}
    return page(request, "sign_in.html", here=SIGN_IN, status_code=401, headers=headers, reason=reason, failed=True)


@post(
    "/service-center/sign-out",
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def sign_out(request: AnyRequest) -> Response[Any]:
    """End the session."""
    credential = caller_of(request).credential
    if credential.kind is Kind.SESSION:
        await anyio.to_thread.run_sync(_server(request).people.sign_out, credential)
    answer = see_other(f"{SIGN_IN}?why=signed_out")
    _set_session(request, answer, "", lasts=0)
    return answer


def _server(request: AnyRequest) -> PlatformServer:
    server: PlatformServer = request.app.state.server
    return server


async def _new_session(request: AnyRequest, secret: str) -> str | None:
    """Turn a secret into a session's; ``None`` where it is none in force. Raises :class:`Problem` (429)."""
    attempts: Attempts = request.app.state.setdefault("sign_in_attempts", Attempts())
    address = request.client.host if request.client else ""
    began = time.monotonic()
    wait = attempts.begin(address, began)
    if wait:
        raise Problem(
            "too_many_sign_ins",
            title="Too many attempts to sign in",
            status=429,
            detail=f"Too many attempts to sign in from your address have failed. Wait {wait} "
            f"{'second' if wait == 1 else 'seconds'}, then try again.",
            headers={"Retry-After": str(wait), "Referrer-Policy": "no-referrer"},
        )
    found = None
    if 0 < len(secret) <= LONGEST_SECRET:
        found = await anyio.to_thread.run_sync(_server(request).people.sign_in, secret)
    if found is None:
        return None
    attempts.succeeded(address, began)
    return found[1]


def _signed_in(request: AnyRequest, session: str) -> Response[Any]:
    answer = see_other(OVERVIEW, referrer_policy="no-referrer")
    _set_session(request, answer, session, lasts=int(SESSION_LASTS.total_seconds()))
    return answer


def _set_session(request: AnyRequest, answer: Response[Any], secret: str, *, lasts: int) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(SESSION_COOKIE, secret, max_age=lasts, path="/", httponly=True, samesite="lax", secure=secure)
