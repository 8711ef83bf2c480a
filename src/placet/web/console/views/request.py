"""Requesting a license: choose what is needed, then download the signed request, or copy it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio.to_thread
import msgspec
from litestar import Response, get

from placet.enforcement import FeatureStatus, Status, Switch
from placet.license.terms import LARGEST_LIMIT
from placet.web.access import Access, requires
from placet.web.api.license import as_download, license_request
from placet.web.console.asking import AnyRequest, Asking
from placet.web.console.errors import answer_page
from placet.web.console.view import View
from placet.web.console.views import licensing
from placet.web.problems import Problem

LONGEST_WISHES = 1000
_YEAR = timedelta(days=365)


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A feature to ask for, and what the form says of it: ``on``, and the ``maximum`` of what has one."""

    name: str
    title: str
    counted: bool
    on: bool
    maximum: str
    hint: str


def _show(asking: Asking) -> Mapping[str, Any]:
    status = asking.server.guard.status()
    asked = bool(asking.query("ask"))
    shown: dict[str, Any] = {"document": None}
    if asked:
        try:
            shown["document"] = write_request(asking).decode()
        except Problem as problem:
            shown["refused"] = problem
    return {
        "status": status,
        "needs": [_need(asking, feature, asked=asked) for feature in status.features.values()],
        "until": asking.query("until") if asked else _until(asking, status),
        "wishes": asking.query("wishes", most=LONGEST_WISHES),
        "longest_wishes": LONGEST_WISHES,
        "largest": LARGEST_LIMIT,
        **shown,
    }


def _need(asking: Asking, feature: FeatureStatus, *, asked: bool) -> Need:
    """What the form says of a feature: at first, what the license grants now."""
    counted = feature.kind != "switch"
    now = "" if feature.limit is None else str(feature.limit)
    used = "" if feature.used is None else f", {feature.used:,} in use"
    return Need(
        name=feature.name,
        title=feature.title,
        counted=counted,
        on=bool(asking.query(feature.name)) if asked else feature.licensed,
        maximum=asking.query(feature.name, most=40) if asked else now if feature.licensed else "",
        hint=f"now {feature.limit:,}{used}" if feature.limit is not None else f"not limited now{used}",
    )


def _until(asking: Asking, status: Status) -> str:
    """A year after the license ends, or after today: the last day it is wanted for."""
    now = asking.server.guard.now()
    end = max(now, status.expires_at or now) + _YEAR
    return (end - timedelta(microseconds=1)).date().isoformat()


def write_request(asking: Asking) -> bytes:
    """Write the signed request for what the form asks for; raises :class:`Problem` (400)."""
    product = asking.server.guard.product
    switches = {name for name, feature in product.by_name.items() if isinstance(feature, Switch)}
    said = {name: asking.query(name, most=40) for name in product.by_name}
    want = [name if name in switches else f"{name}={text}" for name, text in said.items() if text]
    wishes = asking.query("wishes", most=LONGEST_WISHES + 1).replace("\r\n", "\n")
    if len(wishes) > LONGEST_WISHES:
        detail = f"The wishes are longer than {LONGEST_WISHES:,} characters. Shorten them, or send them by mail."
        raise Problem("bad_request", title="Bad Request", status=400, detail=detail)
    return license_request(asking.server, want, asking.query("until", most=41), wishes)


VIEW = View(
    path="/service-center/licensing/request",
    template="request.html",
    access=Access.SIGNED_IN,
    title="Request a license",
    below=licensing.VIEW.path,
    show=_show,
)


@get(
    f"{VIEW.path}/file",
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def request_file(request: AnyRequest) -> Response[bytes]:
    """Answer the signed request for what the form asks for, as a file."""
    asking = Asking.of(request)
    data = await anyio.to_thread.run_sync(write_request, asking)
    return as_download(data, f"license-request-{asking.server.guard.status().serial_number}.json")
