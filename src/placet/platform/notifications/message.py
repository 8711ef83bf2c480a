"""What a notification says: a title and a text in plain words, and the same as data for programs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

LONGEST_TITLE = 200
LONGEST_TEXT = 4000


class Kind(StrEnum):
    """What is told. The values are stable: receivers branch on them; a retired one is never reused."""

    LICENSE_EXPIRING = "license.expiring"
    LIMIT_REACHED = "limit.reached"
    UPLOAD_REFUSED = "license.upload_refused"
    TEST = "test"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One notification. ``path`` is where in the Service Center the situation is seen and mended."""

    kind: Kind
    title: str
    text: str
    path: str
    data: dict[str, Any]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it goes out. ``id`` is the event's, the same for every attempt; ``link`` is a whole address.

    ``raised_at`` is a whole second.
    """

    id: str
    kind: str
    title: str
    text: str
    data: dict[str, Any]
    link: str | None
    raised_at: datetime

    @property
    def text_with_link(self) -> str:
        """The text with the link below it."""
        return self.text if self.link is None else f"{self.text}\n\nService Center: {self.link}"


def one_line(text: str, most: int = LONGEST_TITLE) -> str:
    """Answer text fit for a title: one line, nothing that plays with whoever shows it, cut where it is too long."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * most])
    line = " ".join(shown.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def lines(*parts: str | None) -> str:
    """Answer a text of the parts there are, each made :func:`one_line`; an empty one is an empty line."""
    text = "\n".join(one_line(part, 1000) for part in parts if part is not None)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
