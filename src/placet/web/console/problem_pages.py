"""``/problems/``: a page for every problem, for whoever was sent there by an answer, and the same as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get

from placet.enforcement import Decision, Notice, Status
from placet.platform.server import PlatformServer
from placet.web.access import Access, requires
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page
from placet.web.console.explanations import Explanation, Subject, explanations
from placet.web.console.navigation import MESSAGES
from placet.web.console.operations import possible
from placet.web.console.pages import known_caller, page, page_headers, wants_json
from placet.web.problems import Problem


@get(
    "/problems",
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    sync_to_thread=False,
    exception_handlers={Exception: answer_page},
)
def problem_index(request: AnyRequest) -> Response[Any]:
    """Answer the list of all problems."""
    known = list(_explanations(request).values())
    if wants_json(request):
        return _json(request, [_members(entry) for entry in known])
    subjects = {str(subject): [entry for entry in known if entry.subject is subject] for subject in Subject}
    return page(request, "problems.html", here=MESSAGES, subjects=subjects)


@get(
    "/problems/{code:str}",
    opt=requires(Access.PUBLIC),
    include_in_schema=False,
    sync_to_thread=False,
    exception_handlers={Exception: answer_page},
)
def problem_of_code(request: AnyRequest) -> Response[Any]:
    """Answer what a problem means; to signed-in callers also with this server's own numbers, where it is in force."""
    code = str(request.path_params["code"])
    found = _explanations(request).get(code)
    if found is None:
        raise Problem(
            "unknown_problem",
            title="No such problem",
            status=404,
            detail=f"There is no problem of the code {code[:80]!r}. See the list of all problems at /problems/.",
        )
    told = in_force(_status(request), code) if known_caller(request) is not None else []
    if wants_json(request):
        return _json(request, _members(found) | {"in_force": told})
    return page(request, "explanation.html", here=MESSAGES, problem=found, in_force=told)


def in_force(status: Status, code: str) -> list[Notice | Decision]:
    """Answer what the server says with a code now: a notice of its status, or the first operation it refuses so."""
    notices = [notice for notice in (*status.errors, *status.warnings) if notice.code == code]
    if notices:
        return list(notices)
    return [decision for decision in possible(status) if decision.code == code]


def _status(request: AnyRequest) -> Status:
    server: PlatformServer = request.app.state.server
    return server.guard.status()


def _explanations(request: AnyRequest) -> Mapping[str, Explanation]:
    status = _status(request)
    vendor = None if known_caller(request) is None else status.vendor_name
    return explanations(vendor=vendor, locale=status.policy.locale)


def _members(entry: Explanation) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(entry)
    return {"type": f"/problems/{entry.code}"} | members


def _json(request: AnyRequest, content: Any) -> Response[bytes]:
    headers = page_headers(signed_in=known_caller(request) is not None)
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)
