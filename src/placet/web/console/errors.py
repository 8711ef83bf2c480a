"""Problems as pages."""

from typing import Any

from litestar import Response

from placet.web.console.asking import AnyRequest
from placet.web.console.pages import page, see_other, wants_json
from placet.web.problems import Problem, answer_problem, to_problem

_CONSOLE = "/service-center"
_NUMBERS = ("used", "held", "requested", "limit", "tolerated_limit")
_PLACES = ("step", "file", "line", "column", "position")


def problem_page(request: AnyRequest, problem: Problem) -> Response[str]:
    """Answer a problem as a page; whoever has to sign in first for a page of the console is sent to do so."""
    if problem.code == "sign_in_required" and request.url.path.startswith(_CONSOLE):
        return see_other(f"{_CONSOLE}/sign-in?why=needed")
    members = problem.members
    return page(
        request,
        "problem.html",
        status_code=problem.status,
        headers=problem.headers,
        problem=problem,
        members=members,
        numbers={name: members[name] for name in _NUMBERS if members.get(name) is not None},
        places={name: members[name] for name in _PLACES if members.get(name) is not None},
    )


def answer_page(request: AnyRequest, error: Exception) -> Response[Any]:
    """Answer an exception on a page of the console, whose readers are people unless they ask for JSON."""
    return answer_problem(request, error) if wants_json(request) else problem_page(request, to_problem(error))
