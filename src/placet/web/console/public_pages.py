"""What end users of published modules see where no module can answer. They meet neither licenses nor the console."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from placet.platform.problems import ProblemCode
from placet.web.console.pages import page_headers, render


class PublicText(msgspec.Struct, frozen=True):
    """What is said to an end user."""

    title: str
    text: str


_NOTHING_HERE = PublicText(
    "There is nothing at this address",
    "Check that the address is complete and spelled right. If you followed a link, tell whoever gave it to you.",
)
PUBLIC_TEXTS: Mapping[str, PublicText] = MappingProxyType(
    {
        "unknown_module": _NOTHING_HERE,
        "unknown_instance": _NOTHING_HERE,
        ProblemCode.MODULE_UNAVAILABLE: PublicText(
            "Not available at the moment",
            "Try again in a few seconds. If it goes on, tell whoever looks after this site.",
        ),
        ProblemCode.MODULE_CRASHING: PublicText(
            "Not available",
            "It stopped working by itself, again and again. Trying again does not help: tell whoever looks "
            "after this site.",
        ),
        ProblemCode.MODULE_BROKEN: PublicText(
            "Something went wrong",
            "What you did may have had an effect: look before you do it again. If it happens again, tell whoever looks "
            "after this site.",
        ),
        ProblemCode.MODULE_SILENT: PublicText(
            "This takes too long",
            "What you did may still have an effect: look before you do it again. If it happens again, tell whoever "
            "looks after this site.",
        ),
        ProblemCode.REQUEST_TOO_LARGE: PublicText(
            "That is too large", "What you sent is larger than this site takes. Send less at a time."
        ),
    }
)


def public_problem_page(code: str, status: int) -> tuple[bytes, Mapping[str, str]]:
    """Answer the page, and its headers, of a problem in the public area."""
    text = render("public_problem.html", problem=PUBLIC_TEXTS[code], status=status)
    return text.encode(), {"Content-Type": "text/html; charset=utf-8", **page_headers(signed_in=False)}
