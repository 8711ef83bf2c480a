"""The problem documents (RFC 9457) a proxy answers with when a module cannot."""

from typing import Any

import msgspec

from placet.platform.problems import ProblemCode, ProblemKind

RETRY_AFTER_SECONDS = 5
_DETAILS = {
    ProblemCode.MODULE_UNAVAILABLE: (
        "The module does not accept connections at the moment; it may be starting again. Try again in"
        f" {RETRY_AFTER_SECONDS} seconds. If this goes on, its log says why it does not stay up."
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
    if code is ProblemCode.MODULE_UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    return [
        {"type": "http.response.start", "status": kind.status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    ]
