"""What a proxy answers with when a module cannot: problem documents (RFC 9457), and pages where browsers ask."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from placet.platform.problems import ProblemCode, ProblemKind

# Answers the page, and its headers, of a problem's code and HTTP status.
ProblemPage = Callable[[str, int], tuple[bytes, Mapping[str, str]]]

RETRY_AFTER_SECONDS = 5
_DETAILS = {
    ProblemCode.MODULE_UNAVAILABLE: (
        "The module does not accept connections at the moment; it may be starting again. Try again in"
        f" {RETRY_AFTER_SECONDS} seconds. If this goes on, its log says why it does not stay up."
    ),
    ProblemCode.MODULE_CRASHING: (
        "The module has ended by itself again and again, and is tried less and less often until it stays up. Whoever"
        " publishes it finds the reason with 'placet module logs'."
    ),
    ProblemCode.MODULE_BROKEN: (
        "The module broke the connection off before it had answered. Its log says what happened; the request may"
        " have had an effect."
    ),
    ProblemCode.MODULE_SILENT: (
        "The module did not answer in the time allowed. The request may still have an effect. Its log says what it"
        " is busy with."
    ),
}


def problem_answer(code: ProblemCode, kind: ProblemKind, max_body_bytes: int) -> list[dict[str, Any]]:
    """Return the ASGI messages of a whole answer; `max_body_bytes` is the limit that REQUEST_TOO_LARGE names."""
    too_large = f"The request's body is larger than the {max_body_bytes:,} bytes allowed. Send less at a time."
    body = msgspec.json.encode(
        {
            "type": f"/problems/{code.value}",
            "title": kind.title,
            "status": kind.status,
            "detail": _DETAILS.get(code, too_large),
            "code": code.value,
        }
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    return _answer(code, kind.status, headers, body)


def page_answer(code: str, status: int, page: ProblemPage) -> list[dict[str, Any]]:
    """Return the ASGI messages of a whole page."""
    body, told = page(code, status)
    headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    return _answer(code, status, [*headers, (b"content-length", str(len(body)).encode())], body)


def is_for_a_browser(scope: MutableMapping[str, Any]) -> bool:
    """Whether whoever asks wants a page to read."""
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])


def _answer(code: str, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> list[dict[str, Any]]:
    if code in {ProblemCode.MODULE_UNAVAILABLE, ProblemCode.MODULE_CRASHING}:
        headers = [*headers, (b"retry-after", str(RETRY_AFTER_SECONDS).encode())]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    ]
