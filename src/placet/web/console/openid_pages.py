"""Signing in with an OpenID provider: to it, and back from it; :mod:`placet.platform.openid` says how."""

import functools
import re
from typing import Any

import anyio.to_thread
from litestar import Response, get

from placet.enforcement import Refused
from placet.platform.openid import Begun, NotIdentified, OpenId
from placet.platform.openid_http import ProviderFailed
from placet.platform.passwords import UnknownUser, UserDeactivated
from placet.platform.sign_ins import IdentityTaken, SignedIn
from placet.web.access import Access, is_secure, requires
from placet.web.addresses import SIGN_IN, SIGN_IN_OPENID, origin_of
from placet.web.console import signed_in as common
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page
from placet.web.console.pages import see_other
from placet.web.console.sign_in import sign_in_form
from placet.web.problems import from_decision

RETURN = f"{SIGN_IN_OPENID}/return"
COOKIE = "placet_openid"
_LASTS_SECONDS = 600
_LONGEST = 4096
_BEGUN = re.compile(r"([\w-]{43})\.([\w-]{43})\.([\w-]{43})", re.ASCII)
_NOT_BEGUN = (
    "This browser has not begun to sign in here, or more than ten minutes ago, or it keeps no cookies. Begin again."
)


@get(SIGN_IN_OPENID, opt=requires(Access.PUBLIC), include_in_schema=False, exception_handlers={Exception: answer_page})
async def to_provider(request: AnyRequest) -> Response[Any]:
    """Send the browser to the provider, with a cookie that lets this very browser come back."""
    openid = common.server_of(request).openid
    if openid is None:
        return see_other(SIGN_IN)
    try:
        address, begun = await openid.begin(origin_of(request) + RETURN)
    except ProviderFailed as error:
        return sign_in_form(request, str(error), failed=True, status_code=502)
    answer = see_other(address, referrer_policy="no-referrer")
    _keep(request, answer, f"{begun.state}.{begun.nonce}.{begun.verifier}", lasts=_LASTS_SECONDS)
    return answer


@get(RETURN, opt=requires(Access.PUBLIC), include_in_schema=False, exception_handlers={Exception: answer_page})
async def from_provider(request: AnyRequest) -> Response[Any]:
    """Sign in whoever comes back from the provider."""
    openid = common.server_of(request).openid
    if openid is None:
        return see_other(SIGN_IN, referrer_policy="no-referrer")
    limits, visitor = common.limits_of(request), common.visitor_of(request)
    attempt, succeeded = await limits.begin(visitor), False
    try:
        who = await _identified(request, openid)
        succeeded = True
        answer = common.signed_in(request, who)
    except (NotIdentified, UnknownUser, UserDeactivated, IdentityTaken) as error:
        answer = sign_in_form(request, str(error), failed=True, status_code=403)
    except ProviderFailed as error:
        answer = sign_in_form(request, str(error), failed=True, status_code=502)
    except Refused as error:
        problem = from_decision(error.decision)
        reason = f"{problem.detail}. That is why no user was added for you. Ask your Service Center administrator."
        answer = sign_in_form(request, reason, failed=True, status_code=problem.status)
    finally:
        await limits.end(attempt, visitor, succeeded=succeeded)
    _keep(request, answer, "", lasts=0)
    return answer


async def _identified(request: AnyRequest, openid: OpenId) -> SignedIn:
    found = _BEGUN.fullmatch(request.cookies.get(_cookie(request), ""))
    if found is None:
        raise NotIdentified(_NOT_BEGUN)
    begun = Begun(state=found[1], nonce=found[2], verifier=found[3])
    answered = {name: value for name, value in request.query_params.items() if len(value) <= _LONGEST}
    who = await openid.end(answered, begun, origin_of(request) + RETURN)
    signs_in = functools.partial(
        common.server_of(request).people.sign_in_identified,
        who,
        common.visitor_of(request),
        create=openid.settings.create,
        replacing=common.session_of(request),
    )
    return await anyio.to_thread.run_sync(signs_in)


def _cookie(request: AnyRequest) -> str:
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def _keep(request: AnyRequest, answer: Response[Any], value: str, *, lasts: int) -> None:
    answer.set_cookie(
        _cookie(request), value, max_age=lasts, path="/", httponly=True, samesite="lax", secure=is_secure(request)
    )
