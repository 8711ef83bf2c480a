"""The routes of views and of their changes; :mod:`.view` says what each does."""

import re
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from placet.web.access import Access, requires
from placet.web.console.asking import AnyRequest, Asking
from placet.web.console.errors import answer_page
from placet.web.console.forms import Sent, read_form
from placet.web.console.pages import page, see_other, wants_json
from placet.web.console.told import hear, tell
from placet.web.console.view import Change, Confirmation, Shown, View
from placet.web.problems import to_problem

CONFIRMED = "confirmed"
_PART = re.compile(r"\{(\w+):\w+\}")


def routes_of(view: View) -> list[HTTPRouteHandler]:
    """Answer the handlers of a view and of its changes."""
    found: list[HTTPRouteHandler] = [_showing(view)]
    for change in view.changes:
        found += [_changing(view, change), _after(view, change)]
    return found


def _showing(view: View) -> HTTPRouteHandler:
    async def show_view(request: AnyRequest) -> Response[str]:
        return await answer_view(view, request)

    options = {"include_in_schema": False, "exception_handlers": {Exception: answer_page}}
    return get(view.path, name=f"view {view.path}", opt=requires(view.access), **options)(show_view)  # type: ignore[arg-type]


def _changing(view: View, change: Change) -> HTTPRouteHandler:
    async def make_change(request: AnyRequest) -> Response[Any]:
        return await _answer_change(view, change, request)

    return post(
        f"{view.path}/{change.path}",
        opt=requires(change.access),
        include_in_schema=False,
        request_max_body_size=change.largest,
        exception_handlers={Exception: answer_page},
    )(make_change)


def _after(view: View, change: Change) -> HTTPRouteHandler:
    """Lead from the address of a change, opened again, to its view."""

    def lead_back(request: AnyRequest) -> Response[str]:
        return see_other(_path_of(view, request))

    options = {"include_in_schema": False, "sync_to_thread": False}
    return get(f"{view.path}/{change.path}", opt=requires(Access.PUBLIC), **options)(lead_back)  # type: ignore[arg-type]


def _path_of(view: View, request: AnyRequest) -> str:
    """The view's own path, with the parts that this request has."""
    parts = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
    return _PART.sub(lambda found: parts[found[1]], view.path)


async def answer_view(
    view: View, request: AnyRequest, *, template: str | None = None, status_code: int = 200, **more: Any
) -> Response[str]:
    """Answer a view; ``more`` is added to what its template is given."""
    asking = Asking.of(request)
    context = await anyio.to_thread.run_sync(view.show, asking)
    told = hear(request)
    given = {"view": view, "asking": asking, "here": view.below or view.path, "told": told, **context, **more}
    answer = page(request, template or view.template, status_code, **given)
    if told is not None:
        tell(request, answer, None)
    return answer


async def _answer_change(view: View, change: Change, request: AnyRequest) -> Response[Any]:
    asking = Asking.of(request)
    sent = Sent()
    try:
        sent = await read_form(request, change.form, largest=change.largest)
        if change.confirm is not None and sent.texts.get(CONFIRMED) != "yes":
            question = await anyio.to_thread.run_sync(change.confirm, asking, sent.form)
            if question is not None:
                return _ask(view, change, request, question, sent)
        outcome = await anyio.to_thread.run_sync(partial(change.do, asking, sent.form))
    except Exception as error:
        if wants_json(request):
            raise
        problem = to_problem(error)
        return await answer_view(view, request, status_code=problem.status, refused=problem, sent=sent.texts)
    if isinstance(outcome, Shown):
        template, status = outcome.template, outcome.status_code
        return await answer_view(view, request, template=template, status_code=status, **outcome.context)
    answer = see_other(outcome.at or _path_of(view, request))
    tell(request, answer, outcome)
    return answer


def _ask(view: View, change: Change, request: AnyRequest, question: Confirmation, sent: Sent) -> Response[str]:
    return page(
        request,
        "confirm.html",
        view=view,
        here=view.below or view.path,
        question=question,
        fields=[*sent.pairs, (CONFIRMED, "yes")],
        action=f"{_path_of(view, request)}/{change.path}",
        back=_path_of(view, request),
    )
