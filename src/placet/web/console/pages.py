"""Pages: templates rendered on the server, with the headers that every page of the console has.

One script of our own, nothing inline and nothing from elsewhere; the content security policy holds the pages to it.
Everything a template is given is escaped, and what others wrote stands in ``<bdi>``, so that it cannot turn the text
around it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from placet.platform.server import PlatformServer
from placet.web.access import Caller
from placet.web.console import words
from placet.web.console.asking import AnyRequest
from placet.web.console.assets import ASSETS
from placet.web.console.navigation import navigation
from placet.web.console.operations import title_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

_UNTOLD: Mapping[str, Any] = {"here": "", "told": None, "refused": None, "sent": {}}

ReferrerPolicy = Literal["same-origin", "no-referrer"]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("placet.web.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "quantity": words.quantity,
        "period": words.period,
        "operation_title": title_of,
        "moment": words.moment,
    }
    environment.globals |= {
        "stylesheets": [asset.url for name, asset in ASSETS.items() if name.endswith(".css")],
        "script": ASSETS["placet.js"].url,
        "icon": ASSETS["placet.svg"].url,
    }
    return environment


_TEMPLATES = _environment()


def page(
    request: AnyRequest,
    template: str,
    status_code: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    referrer_policy: ReferrerPolicy = "same-origin",
    **context: Any,
) -> Response[str]:
    """Answer a page. ``context`` is what the template is given, beside ``reader`` (``None``: not signed in).

    ``here`` in it is the path of the page that the navigation marks.
    """
    caller = known_caller(request)
    links = navigation(request.app.state.views, caller, str(context.get("here", "")))
    text = render(template, **{**_UNTOLD, "reader": caller, "navigation": links, "now": _now(request), **context})
    own = page_headers(signed_in=caller is not None, referrer_policy=referrer_policy)
    return Response(text, status_code=status_code, media_type="text/html", headers={**own, **(headers or {})})


def _now(request: AnyRequest) -> words.Moment:
    """The server's time, by which the pages' countdowns go, whatever the reader's clock says."""
    server: PlatformServer = request.app.state.server
    return words.moment(server.guard.now())


def render(template: str, **context: Any) -> str:
    """Answer the text of a template."""
    return _TEMPLATES.get_template(template).render(**context)


def page_headers(*, signed_in: bool, referrer_policy: ReferrerPolicy = "same-origin") -> dict[str, str]:
    """The headers of every page. What a signed-in caller sees is stored nowhere."""
    return {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": referrer_policy,
        "Cache-Control": "no-store" if signed_in else "no-cache",
        "Vary": "Accept, Authorization, Cookie",
    }


def see_other(location: str, *, referrer_policy: ReferrerPolicy = "same-origin") -> Response[str]:
    """Send the browser to a page of this site, with GET (303, RFC 9110 section 15.4.4)."""
    headers = page_headers(signed_in=True, referrer_policy=referrer_policy)
    return Response("", status_code=303, media_type="text/plain", headers=headers | {"Location": location})


def known_caller(request: AnyRequest) -> Caller | None:
    """Answer who is calling, if the guard has found somebody."""
    caller = request.scope["state"].get("caller")
    return caller if isinstance(caller, Caller) else None


def wants_json(request: AnyRequest) -> bool:
    """Tell whether a program asks: JSON is accepted, and pages are not."""
    accepted = request.headers.get("accept", "").lower()
    return "json" in accepted and "text/html" not in accepted
