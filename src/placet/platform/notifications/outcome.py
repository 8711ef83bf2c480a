"""What came of one attempt to send a message."""

from enum import StrEnum

import msgspec

from placet.platform.notifications.message import one_line

LONGEST_REASON = 300


class Ending(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended, and why in a sentence where it did not arrive, or not everywhere.

    ``FAILED``: it is known that nothing has arrived, so that it may be tried again. ``UNKNOWN``: it may have arrived.
    """

    ending: Ending
    reason: str | None = None


def delivered(note: str | None = None) -> Outcome:
    """It was accepted."""
    return Outcome(Ending.DELIVERED, None if note is None else one_line(note, LONGEST_REASON))


def failed(reason: str) -> Outcome:
    """It was not accepted, for certain."""
    return Outcome(Ending.FAILED, one_line(reason, LONGEST_REASON))


def unknown(reason: str) -> Outcome:
    """It may have been accepted."""
    return Outcome(Ending.UNKNOWN, one_line(reason, LONGEST_REASON))


def without(text: str, secrets: list[str]) -> str:
    """Answer text without the secrets that whoever answered may have repeated in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 3:
            text = text.replace(secret, "****")
    return text
