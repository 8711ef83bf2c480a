"""What came of a change, told once by the page that follows it.

It travels in a cookie, so that every server of a farm can tell it, and so that addresses say nothing. Only whoever has
the session can have written it: it is authenticated with the session's secret (HMAC, RFC 2104), as other sites of the
same domain may set cookies too.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Literal

import msgspec
from litestar import Response

from placet.web.access import is_secure, session_cookie
from placet.web.console.asking import AnyRequest

COOKIE = "placet_told"
LONGEST = 1000
_PATH = "/service-center"
_LASTS_SECONDS = 60
_TAG_BYTES = 32


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a change. Never a secret; past 1,000 characters it is cut.

    ``at`` is the path of the view that tells it, where it is not the one whose form was sent.
    """

    text: str
    severity: Literal["well", "warning", "error"] = "well"
    at: str | None = None


def tell(request: AnyRequest, answer: Response[str], told: Told | None) -> None:
    """Let the next page tell something; ``None``: it has been told."""
    if told is None:
        answer.set_cookie(COOKIE, "", max_age=0, path=_PATH, httponly=True, samesite="lax")
        return
    text = told.text if len(told.text) <= LONGEST else f"{told.text[: LONGEST - 1]}…"
    content = msgspec.json.encode([told.severity, text])
    sealed = base64.urlsafe_b64encode(_tag(request, content) + content).decode().rstrip("=")
    secure = is_secure(request)
    answer.set_cookie(COOKIE, sealed, max_age=_LASTS_SECONDS, path=_PATH, httponly=True, samesite="lax", secure=secure)


def hear(request: AnyRequest) -> Told | None:
    """Answer what the page is to tell, if this very session has been told something."""
    sealed = request.cookies.get(COOKIE, "")
    if not sealed or len(sealed) > 8 * LONGEST:
        return None
    try:
        both = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    except (binascii.Error, ValueError):
        return None
    tag, content = both[:_TAG_BYTES], both[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(request, content)):
        return None
    severity, text = msgspec.json.decode(content, type=tuple[Literal["well", "warning", "error"], str])
    return Told(severity=severity, text=text)


def _tag(request: AnyRequest, content: bytes) -> bytes:
    secret = request.headers.get("authorization") or request.cookies.get(session_cookie(request), "")
    return hmac.digest(secret.encode(), b"told\0" + content, hashlib.sha256)
