"""Errors over HTTP: RFC 9457 problem documents.

One mapping turns exceptions into problems; the default hides what is inside.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from placet.enforcement import Decision, Refused, catalogue
from placet.guard import (
    AcknowledgementRequired,
    KeyReused,
    StatusListOutdated,
    TooManyReserved,
    UnknownBlock,
    UnknownLease,
    UnknownLicense,
    UnknownReservation,
)
from placet.license import DocumentRejected
from placet.platform.instances import TooManyInstances, UnknownInstance
from placet.platform.module_work import ModuleBusy
from placet.platform.notifications.channels import ChannelUnusable
from placet.platform.notifications.settings import TooManyChannels, UnknownChannel
from placet.platform.passwords import UnknownUser, UserDeactivated
from placet.platform.people import UnknownToken
from placet.platform.problems import PROBLEM_KINDS, ModuleProblem, ProblemCode
from placet.platform.published import UnknownModule, UnknownVersion
from placet.platform.saved_queries import UnknownQuery
from placet.platform.sessions import UnknownSession
from placet.store.failures import DatabaseDamaged, DatabaseFailed, OutcomeUnknown
from placet.store.notifications import ChannelNameTaken
from placet.store.users import NameTaken
from placet.web.render import changes_of, decision_members
from placet.web.words import parameter_words, without_types

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


class Problem(Exception):
    """An error of the edge itself: a stable ``code``, an HTTP status, and a sentence that says what to do."""

    def __init__(
        self,
        code: str,
        *,
        title: str,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.title = title
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def document(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }


def from_decision(decision: Decision, **members: Any) -> Problem:
    """The problem of a license refusal: the decision's message, letter for letter, with its numbers."""
    if decision.code is None:
        raise ValueError("an allowed decision is no problem")
    return Problem(
        str(decision.code),
        title=catalogue().entries[decision.code].title,
        status=decision.http_status,
        detail=decision.message or "",
        members=decision_members(decision) | members,
    )


_SIMPLE: Mapping[type[Exception], tuple[str, str, int]] = {
    ModuleBusy: ("module_busy", "Somebody else is at it", 409),
    UnknownModule: ("unknown_module", "No such module", 404),
    UnknownVersion: ("unknown_version", "No such version", 404),
    UnknownQuery: ("unknown_query", "No such query", 404),
    UnknownInstance: ("unknown_instance", "No such private instance", 404),
    TooManyInstances: ("too_many_instances", "Too many private instances", 409),
    UnknownLicense: ("unknown_license", "No such entry in the license history", 404),
    UnknownLease: ("unknown_lease", "No such lease", 404),
    UnknownReservation: ("unknown_reservation", "No such reservation", 404),
    TooManyReserved: ("too_many_reserved", "More reserved than there is", 409),
    UnknownUser: ("unknown_user", "No such user", 404),
    UserDeactivated: ("user_deactivated", "The user is deactivated", 403),
    UnknownToken: ("unknown_token", "No such token", 404),
    UnknownSession: ("unknown_session", "No such session", 404),
    NameTaken: ("name_taken", "The name is taken", 409),
    UnknownChannel: ("unknown_channel", "No such notification channel", 404),
    ChannelNameTaken: ("channel_name_taken", "The channel's name is taken", 409),
    TooManyChannels: ("too_many_channels", "Too many notification channels", 409),
    ChannelUnusable: ("channel_unusable", "The notification channel cannot be used", 422),
    UnknownBlock: ("unknown_block", "No such block", 404),
    KeyReused: ("idempotency_key_reused", "The idempotency key was used before", 422),
    StatusListOutdated: ("status_list_outdated", "An older status list", 409),
}


def to_problem(error: Exception) -> Problem:
    """Answer the problem of an exception. What is not known here is logged and told without its insides."""
    match error:
        case Problem():
            return error
        case AcknowledgementRequired():
            return from_decision(error.decision, changes=changes_of(error.outcome))
        case Refused():
            return from_decision(error.decision)
        case ModuleProblem():
            return _module_problem(error)
        case DocumentRejected():
            found = error.rejection
            members = {"diagnosis": found.explanation, "diagnosis_code": found.diagnosis}
            title = "The document was not accepted"
            return Problem("document_rejected", title=title, status=403, detail=found.explanation, members=members)
        case HTTPException():
            return _http_problem(error)
        case RecursionError() | UnicodeDecodeError():
            return _unreadable_body(error)
        case DatabaseFailed():
            return _database_problem(error)
    simple = _SIMPLE.get(type(error))
    if simple is not None:
        code, title, status = simple
        return Problem(code, title=title, status=status, detail=str(error))
    log.error("unexpected_error", exc_info=error)
    return Problem(
        "internal_error",
        title="Something went wrong in the server",
        status=500,
        detail="The server failed at this, and wrote the reason to its log. Tell your Platform Server administrator.",
    )


def _database_problem(error: DatabaseFailed) -> Problem:
    log.warning("database_unavailable", error=str(error))
    detail = (
        "The server cannot reach its database, or it is busy. What it was about to write was not stored; of a work of "
        "several steps, such as a publish, those before may have been. Try again shortly."
    )
    if isinstance(error, OutcomeUnknown):
        detail = (
            "The database was lost at the last step of a change, and nobody knows yet whether that was stored. Try "
            "again shortly; with the same idempotency key, where there was one."
        )
    elif isinstance(error, DatabaseDamaged):
        detail = "The server cannot read its database, which is damaged. Tell your Platform Server administrator."
    title, headers = "The database does not answer", {"Retry-After": "5"}
    return Problem("database_unavailable", title=title, status=503, detail=detail, headers=headers)


def _unreadable_body(error: Exception) -> Problem:
    detail = "The JSON of the body is nested too deeply to be read. Nothing was changed; send a flatter one."
    if isinstance(error, UnicodeDecodeError):
        detail = "The text of the body is not in UTF-8 (RFC 8259 section 8.1). Nothing was changed; send it in UTF-8."
    return Problem("bad_request", title="Bad Request", status=400, detail=detail)


def _module_problem(error: ModuleProblem) -> Problem:
    places = {"step": error.step, "file": error.file, "line": error.line, "position": error.position}
    more = {"column": error.column, "output": error.output}
    members = {name: value for name, value in (places | more).items() if value is not None}
    kind = error.kind
    return Problem(str(error.code), title=kind.title, status=kind.status, detail=error.detail, members=members)


def _http_problem(error: HTTPException) -> Problem:
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _too_large(None)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail or phrase
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        detail = "; ".join(str(item.get("message")) for item in error.extra) or detail
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return Problem(code, title=phrase, status=error.status_code, detail=detail, headers=error.headers)


def _too_large(cap: int | None) -> Problem:
    """The problem of a body past ``cap`` bytes. Its code does not follow the status's phrase, which Python changes."""
    code = ProblemCode.REQUEST_TOO_LARGE
    than = "is accepted here" if cap is None else f"the {cap:,} bytes that are accepted here"
    detail = f"The request body is larger than {than}. Nothing was changed; send less."
    return Problem(str(code), title=PROBLEM_KINDS[code].title, status=PROBLEM_KINDS[code].status, detail=detail)


def _say_in_words(request: Request[Any, Any, Any], error: ValidationException) -> None:
    """Put what is allowed, and what was sent, in place of what the validator says of a parameter."""
    fields = request.route_handler.parsed_fn_signature.parameters
    items = error.extra if isinstance(error.extra, list) else []
    for item in items:
        key, message = str(item.get("key", "body")), str(item.get("message"))
        sent = request.path_params.get(key, request.query_params.get(key))
        if key in fields:
            field = fields[key]
            item["message"] = parameter_words(key, field.annotation, field.kwarg_definition, message, sent)
        else:
            item["message"] = f"{key}: {without_types(message)}"


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a request with the problem document of an exception, or with its page where a browser asks."""
    if isinstance(error, ValidationException):
        _say_in_words(request, error)
    problem = to_problem(error)
    if isinstance(error, HTTPException) and problem.code == ProblemCode.REQUEST_TOO_LARGE:
        problem = _too_large(request.route_handler.resolve_request_max_body_size())
    page = request.app.state.problem_page
    if page is not None and "text/html" in request.headers.get("accept", ""):
        answer: Response[Any] = page(request, problem)
        return answer
    return Response(
        content=msgspec.json.encode(problem.document()),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
