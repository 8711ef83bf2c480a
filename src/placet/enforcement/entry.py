"""The shape of an entry of the message catalogue."""

import msgspec

from placet.enforcement.codes import Severity

SERVICE_CENTER_ADMINISTRATOR = "service_center_administrator"
SERVER_ADMINISTRATOR = "platform_server_administrator"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message: its fixed text with ``{...}`` to fill in, what it means, what to do and whom to ask.

    ``contact`` is a role, named by each locale; ``http_status`` is what an API answers with it (RFC 9110).
    """

    symbol: str
    severity: Severity
    text: str
    title: str
    meaning: str
    remedy: str
    contact: str
    http_status: int


def error(
    symbol: str,
    text: str,
    *,
    title: str,
    meaning: str,
    remedy: str,
    contact: str = SERVICE_CENTER_ADMINISTRATOR,
    http_status: int = 403,
) -> Entry:
    """An entry that refuses."""
    return Entry(
        symbol=symbol,
        severity=Severity.ERROR,
        text=text,
        title=title,
        meaning=meaning,
        remedy=remedy,
        contact=contact,
        http_status=http_status,
    )


def warning(symbol: str, text: str, *, title: str, meaning: str, remedy: str) -> Entry:
    """An entry that allows and tells."""
    return Entry(
        symbol=symbol,
        severity=Severity.WARNING,
        text=text,
        title=title,
        meaning=meaning,
        remedy=remedy,
        contact=SERVICE_CENTER_ADMINISTRATOR,
        http_status=200,
    )
