"""Signing in to the console, and out of it.

A password, a one-time code, by link or by form, or a token turns into a session. The code of a link stays neither in
the address nor in what is told to other sites. A sign-in form is taken from this site's own pages alone, so that no
other site can sign somebody in as somebody else.
"""

import functools
from typing import Any

import anyio.to_thread
from litestar import Response, get, post

from placet.platform.passwords import LONGEST_BYTES, UserDeactivated
from placet.platform.sign_ins import SignedIn
from placet.store.credentials import LONGEST_SECRET, Kind
from placet.store.rows import LONGEST_NAME
from placet.web.access import Access, caller_of, requires
from placet.web.addresses import SIGN_IN
from placet.web.console import signed_in as common
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page
from placet.web.console.pages import page, see_other

_LARGEST_FORM = 8192

_REASONS = {
    "needed": "Sign in first. The page you asked for is for people who are signed in, and you are not, or your session "
    "has ended. Nothing was changed.",
    "code": "This one-time link does not work any more. It may have been used already, since each works once, or be "
    "older than a day, or not be complete.",
    "token": "This was a token, not a one-time code. A token does not belong in an address; paste it below instead.",
    "signed_out": "You are signed out.",
    "password_set": "Your password is set, and your sessions have ended. Sign in with it.",
}
_FAILED = frozenset({"code", "token"})
_NOT_IN_FORCE = (
    "That is no code or token in force. A one-time code works once, within a day; a token works until it is "
    "revoked. See that it was copied as a whole."
)
_DO_NOT_FIT = (
    "That name and password do not fit together, or that user has no password on this server. Capital and small "
    "letters differ in both. An administrator can send you a link to set a new password."
)


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
        return sign_in_form(request, _REASONS.get(why or ""), failed=why in _FAILED, by_secret=why in _FAILED)
    if await anyio.to_thread.run_sync(common.server_of(request).people.find, Kind.TOKEN, code):
        return see_other(f"{SIGN_IN}?why=token", referrer_policy="no-referrer")
    who = await _with_secret(request, code)
    if who is None:
        return see_other(f"{SIGN_IN}?why=code", referrer_policy="no-referrer")
    return common.signed_in(request, who)


@post(
    SIGN_IN,
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    request_max_body_size=_LARGEST_FORM,
    exception_handlers={Exception: answer_page},
)
async def sign_in(request: AnyRequest) -> Response[Any]:
    """Sign in with the name and password of the form, or with its one-time code or token."""
    common.from_own_site(request)
    if "secret" in await request.form():
        who, reason, by_secret = (
            await _with_secret(request, (await common.field_of(request, "secret")).strip()),
            _NOT_IN_FORCE,
            True,
        )
    else:
        by_secret = False
        try:
            who, reason = await _with_password(request), _DO_NOT_FIT
        except UserDeactivated as error:
            who, reason = None, str(error)
    if who is not None:
        return common.signed_in(request, who)
    name = await common.field_of(request, "name")
    headers = {"WWW-Authenticate": 'Bearer realm="placet"'}
    return sign_in_form(
        request, reason, failed=True, by_secret=by_secret, status_code=401, headers=headers, name=name[:LONGEST_NAME]
    )


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
        await anyio.to_thread.run_sync(common.server_of(request).people.sessions.sign_out, credential)
    return common.without_session(request, see_other(f"{SIGN_IN}?why=signed_out"))


def sign_in_form(
    request: AnyRequest, reason: str | None, *, failed: bool, by_secret: bool = False, name: str = "", **options: Any
) -> Response[Any]:
    """Answer the page to sign in; ``by_secret``: with the form for codes and tokens unfolded."""
    server = common.server_of(request)
    return page(
        request,
        "sign_in.html",
        here=SIGN_IN,
        reason=reason,
        failed=failed,
        by_secret=by_secret,
        name=name,
        lifetimes=server.people.sessions.lifetimes,
        provider=None if server.openid is None else server.openid.settings.provider,
        **options,
    )


async def _with_secret(request: AnyRequest, secret: str) -> SignedIn | None:
    """Turn a secret into a session; ``None`` where it is none in force. Raises :class:`Problem` (429)."""
    limits, visitor = common.limits_of(request), common.visitor_of(request)
    attempt = await limits.begin(visitor)
    who = None
    if 0 < len(secret) <= LONGEST_SECRET:
        signs_in = functools.partial(
            common.server_of(request).people.sign_ins.with_secret,
            replacing=common.session_of(request),
            failed=attempt.failed_before,
        )
        who = await anyio.to_thread.run_sync(signs_in, secret, visitor)
    await limits.end(attempt, visitor, succeeded=who is not None)
    return who


async def _with_password(request: AnyRequest) -> SignedIn | None:
    """Turn a name and a password into a session, or ``None``. Raises :class:`Problem` and :class:`UserDeactivated`."""
    name, password = await common.field_of(request, "name"), await common.field_of(request, "password")
    name = name.strip()
    limits, visitor = common.limits_of(request), common.visitor_of(request)
    attempt = await limits.begin(visitor, name)
    who, succeeded = None, False
    try:
        if 0 < len(name) <= LONGEST_NAME and 0 < len(password.encode(errors="surrogatepass")) <= LONGEST_BYTES:
            signs_in = functools.partial(
                common.server_of(request).people.sign_ins.with_password,
                name,
                password,
                visitor,
                replacing=common.session_of(request),
                failed=attempt.failed_before,
            )
            who = await common.hashing_of(request).run(signs_in)
            succeeded = who is not None
    except UserDeactivated:
        succeeded = True  # who knows the password does not guess
        raise
    finally:
        await limits.end(attempt, visitor, succeeded=succeeded)
    return who
