"""Every problem there is, explained: the license's messages, the problems of modules, and those of the HTTP edge."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus

import msgspec

from placet.enforcement import Code, Severity, catalogue
from placet.enforcement.messages import DEFAULT_LOCALE, UNKNOWN_VENDOR
from placet.platform.problems import PROBLEM_KINDS, ProblemCode
from placet.web.console.explanation_texts import EDGE_PROBLEMS, MODULE_ADVICE

_PLACEHOLDERS = {
    "number": "<number>",
    "period": "<period of time>",
    "feature": "<feature>",
    "instant": "<instant>",
}
# What the framework itself answers with: its problems are named after their HTTP status.
_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class Subject(StrEnum):
    """What a problem is about, in the words of the index."""

    LICENSE = "The license"
    MODULES = "Modules and queries"
    SERVER = "The server and its API"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. ``text`` is its fixed message with ``<...>`` where something is filled in, if it has one.

    ``symbol`` is its short name in the documentation (E1, W1), ``contact`` whom to ask, where it takes somebody else,
    ``http_status`` what an API answers with it.
    """

    code: str
    subject: Subject
    title: str
    severity: Severity
    meaning: str
    remedy: str
    contact: str | None
    http_status: int
    symbol: str | None = None
    text: str | None = None


def explanations(*, vendor: str | None = None, locale: str = DEFAULT_LOCALE) -> Mapping[str, Explanation]:
    """Answer all explanations by code, in the order of the index."""
    known = [_of_message(code, vendor, locale) for code in Code]
    known += [_of_module(code, locale) for code in ProblemCode]
    known += [_of_edge(code, locale) for code in EDGE_PROBLEMS]
    found = {entry.code: entry for entry in known}
    return found | {entry.code: entry for entry in map(_of_status, _STATUSES)}


def _of_message(code: Code, vendor: str | None, locale: str) -> Explanation:
    texts = catalogue(locale)
    entry = texts.entries[code]
    return Explanation(
        code=code,
        subject=Subject.LICENSE,
        title=entry.title,
        severity=entry.severity,
        meaning=entry.meaning,
        remedy=entry.remedy.format(vendor=vendor or UNKNOWN_VENDOR),
        contact=texts.contacts[entry.contact],
        http_status=entry.http_status,
        symbol=entry.symbol,
        text=entry.text.format_map(_PLACEHOLDERS),
    )


def _of_module(code: ProblemCode, locale: str) -> Explanation:
    kind, advice = PROBLEM_KINDS[code], MODULE_ADVICE[code]
    return Explanation(
        code=code,
        subject=Subject.MODULES,
        title=kind.title,
        severity=Severity.ERROR,
        meaning=advice.meaning,
        remedy=advice.remedy,
        contact=_contact(advice.contact, locale),
        http_status=kind.status,
    )


def _of_edge(code: str, locale: str) -> Explanation:
    problem = EDGE_PROBLEMS[code]
    return Explanation(
        code=code,
        subject=Subject.SERVER,
        title=problem.title,
        severity=Severity.ERROR,
        meaning=problem.advice.meaning,
        remedy=problem.advice.remedy,
        contact=_contact(problem.advice.contact, locale),
        http_status=problem.status,
    )


def _of_status(status: HTTPStatus) -> Explanation:
    """The code of an HTTP status, as ``placet.web.problems`` writes it, and the status's own description."""
    return Explanation(
        code=status.phrase.lower().replace(" ", "_").replace("-", "_"),
        subject=Subject.SERVER,
        title=status.phrase,
        severity=Severity.ERROR,
        meaning=f"{status.description or status.phrase}.",
        remedy="The detail of the answer says what about the request it was. Correct it and send it again.",
        contact=None,
        http_status=status.value,
    )


def _contact(role: str | None, locale: str) -> str | None:
    return None if role is None else catalogue(locale).contacts[role]
