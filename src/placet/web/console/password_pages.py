"""Setting a password with a one-time link, and changing one's own.

The page of a link is told to no other site ("same-origin"). It cannot be told to nobody: where there is no referrer,
browsers send forms with the origin ``null``, as those of other sites.
"""

import functools
from typing import Any

import anyio.to_thread
from litestar import Response, get, post

from placet.platform.passwords import (
    LONGEST_BYTES,
    SHORTEST_BYTES,
    PasswordRejected,
    UnknownPasswordLink,
    WrongPassword,
)
from placet.store.credentials import LONGEST_SECRET
from placet.web.access import Access, caller_of, requires
from placet.web.addresses import CHANGE_PASSWORD, CREDENTIALS, SET_PASSWORD, SIGN_IN
from placet.web.console import signed_in as common
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page
from placet.web.console.pages import page, see_other
from placet.web.console.told import Told, tell
from placet.web.problems import Problem

_LARGEST_FORM = 16 * 1024

_DIFFER = "The two new passwords differ, so nothing was changed. Type the same one twice."
_WRONG = "The old password is another, so nothing was changed."


@get(SET_PASSWORD, opt=requires(Access.PUBLIC), include_in_schema=False, exception_handlers={Exception: answer_page})
async def set_password_page(request: AnyRequest) -> Response[Any]:
    """Ask whoever follows a link for the new password. Looking does not use the link up."""
    return await _asked(request, request.query_params.get("code", ""))


@post(
    SET_PASSWORD,
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    request_max_body_size=_LARGEST_FORM,
    exception_handlers={Exception: answer_page},
)
async def set_password(request: AnyRequest) -> Response[Any]:
    """Set the password of the link's user."""
    common.from_own_site(request)
    code, new, again = [await common.field_of(request, name) for name in ("code", "new", "again")]
    name = await _whose(request, code)
    if new != again:
        return _form(request, name, code, _DIFFER)
    try:
        sets = functools.partial(common.server_of(request).people.passwords.set_by_link, code, new)
        await common.hashing_of(request).run(sets)
    except PasswordRejected as error:
        return _form(request, name, code, str(error))
    except UnknownPasswordLink:
        raise _no_link() from None
    return common.without_session(request, see_other(f"{SIGN_IN}?why=password_set", referrer_policy="no-referrer"))


@get(
    CHANGE_PASSWORD,
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def change_password_page(request: AnyRequest) -> Response[Any]:
    """Ask for the old password and the new one."""
    return await _change_form(request)


@post(
    CHANGE_PASSWORD,
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    request_max_body_size=_LARGEST_FORM,
    exception_handlers={Exception: answer_page},
)
async def change_password(request: AnyRequest) -> Response[Any]:
    """Change the caller's own password, and end the other sessions."""
    name, session = caller_of(request).name, common.session_of(request)
    old, new, again = [await common.field_of(request, field) for field in ("old", "new", "again")]
    if new != again:
        return await _change_form(request, _DIFFER)
    if len(old.encode(errors="surrogatepass")) > LONGEST_BYTES:
        return await _change_form(request, _WRONG)
    limits, visitor = common.limits_of(request), common.visitor_of(request)
    attempt, is_wrong = await limits.begin(visitor, name), False
    changes = functools.partial(
        common.server_of(request).people.passwords.change,
        name,
        old,
        new,
        spared=None if session is None else session.id,
    )
    try:
        ended = await common.hashing_of(request).run(changes)
    except PasswordRejected as error:
        return await _change_form(request, str(error))
    except WrongPassword:
        is_wrong = True
        return await _change_form(request, _WRONG)
    finally:
        await limits.end(attempt, visitor, succeeded=not is_wrong)
    told = f"Your password is changed. {ended} other {'session has' if ended == 1 else 'sessions have'} ended."
    answer = see_other(CREDENTIALS)
    tell(request, answer, Told(text=told))
    return answer


async def _asked(request: AnyRequest, code: str) -> Response[Any]:
    return _form(request, await _whose(request, code), code, None)


async def _whose(request: AnyRequest, code: str) -> str:
    """Answer whose password a code sets. Raises :class:`Problem` where it is none, and where too many were tried."""
    limits, visitor = common.limits_of(request), common.visitor_of(request)
    attempt, name = await limits.begin(visitor), None
    try:
        if 0 < len(code) <= LONGEST_SECRET:
            name = await anyio.to_thread.run_sync(common.server_of(request).people.passwords.of_link, code)
    except UnknownPasswordLink:
        pass
    finally:
        await limits.end(attempt, visitor, succeeded=name is not None)
    if name is None:
        raise _no_link()
    return name


def _no_link() -> Problem:
    return Problem(
        "unknown_password_link",
        title="This link sets no password any more",
        status=404,
        detail="The link was used already, since each works once, is older than a day, was replaced by a newer one, or "
        "is not complete. Nothing was changed. Ask your Service Center administrator for a new one.",
    )


def _form(request: AnyRequest, name: str, code: str, reason: str | None) -> Response[Any]:
    return page(
        request,
        "set_password.html",
        here=SIGN_IN,
        status_code=200 if reason is None else 422,
        name=name,
        code=code,
        reason=reason,
        shortest=SHORTEST_BYTES,
    )


async def _change_form(request: AnyRequest, reason: str | None = None) -> Response[Any]:
    name = caller_of(request).name
    has_one = await anyio.to_thread.run_sync(common.server_of(request).people.passwords.has_password, name)
    return page(
        request,
        "password.html",
        here=CREDENTIALS,
        status_code=200 if reason is None else 422,
        name=name,
        has_one=has_one,
        reason=reason,
        shortest=SHORTEST_BYTES,
    )
