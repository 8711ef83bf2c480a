"""What every way to sign in has in common: who visits, the limits, and the answer that carries the new session."""

from typing import Any

from litestar import Response

from placet.platform.server import PlatformServer
from placet.platform.sign_ins import SignedIn
from placet.store.credentials import Credential, Kind, Visitor
from placet.web.access import SECURE_SESSION_COOKIE, SESSION_COOKIE, is_from_own_site, is_secure, session_cookie
from placet.web.console.asking import AnyRequest
from placet.web.console.hashing import Hashing
from placet.web.console.pages import known_caller, see_other
from placet.web.console.sign_in_limits import SignInLimits
from placet.web.problems import Problem

OVERVIEW = "/service-center/"
LONGEST_BROWSER = 200


def server_of(request: AnyRequest) -> PlatformServer:
    """Answer the server that is asked."""
    server: PlatformServer = request.app.state.server
    return server


def visitor_of(request: AnyRequest) -> Visitor:
    """Answer where a request comes from."""
    address = request.client.host if request.client else ""
    return Visitor(address=address, browser=request.headers.get("user-agent", "")[:LONGEST_BROWSER])


def limits_of(request: AnyRequest) -> SignInLimits:
    """Answer what counts the attempts to sign in."""
    state = request.app.state
    limits: SignInLimits = state.setdefault("sign_in_limits", SignInLimits(server_of(request).people.sign_ins))
    return limits


def hashing_of(request: AnyRequest) -> Hashing:
    """Answer what bounds the hashing of passwords."""
    hashing: Hashing = request.app.state.setdefault("hashing", Hashing())
    return hashing


def session_of(request: AnyRequest) -> Credential | None:
    """Answer the session that the browser has, if it is in force."""
    caller = known_caller(request)
    return caller.credential if caller is not None and caller.credential.kind is Kind.SESSION else None


def from_own_site(request: AnyRequest) -> None:
    """See that a form comes from this site's own page; raises :class:`Problem` (403) where it does not."""
    if not is_from_own_site(request):
        raise Problem(
            "cross_site_request",
            title="Not from this site",
            status=403,
            detail="A page of another site asked to sign you in here, and you were not. "
            "Sign in on this site's own page.",
        )


async def field_of(request: AnyRequest, name: str) -> str:
    """Answer a field of the form as it was typed, empty where there is none."""
    value = (await request.form()).get(name)
    return value if isinstance(value, str) else ""


def signed_in(request: AnyRequest, who: SignedIn) -> Response[Any]:
    """Answer with the new session, on the way to the overview."""
    answer = see_other(OVERVIEW, referrer_policy="no-referrer")
    lasts = int(server_of(request).people.sessions.lifetimes.lasting.total_seconds())
    _set(answer, session_cookie(request), who.session, lasts=lasts, secure=is_secure(request))
    return answer


def without_session(request: AnyRequest, answer: Response[Any]) -> Response[Any]:
    """Take the session's cookie back with an answer."""
    _set(answer, SESSION_COOKIE, "", lasts=0, secure=is_secure(request))
    if is_secure(request):
        _set(answer, SECURE_SESSION_COOKIE, "", lasts=0, secure=True)
    return answer


def _set(answer: Response[Any], name: str, secret: str, *, lasts: int, secure: bool) -> None:
    answer.set_cookie(name, secret, max_age=lasts, path="/", httponly=True, samesite="lax", secure=secure)
