"""The rules of notifying: which thresholds are told."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from placet.store import notifications

Days = Annotated[int, Meta(ge=0, le=3660)]
Percent = Annotated[int, Meta(ge=10, le=1000)]
MOST_THRESHOLDS = 20


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days before expiry and percents of a limit at which somebody is told; none for what is not to be told."""

    expiry_days: Annotated[tuple[Days, ...], Meta(max_length=MOST_THRESHOLDS)] = (90, 30, 14, 7, 1)
    limit_percents: Annotated[tuple[Percent, ...], Meta(max_length=MOST_THRESHOLDS)] = (80, 90, 100)


def read_rules(connection: Connection) -> Rules:
    """Answer the rules in force: those that were set, or the ones from the start."""
    found = notifications.read_rules(connection)
    return Rules() if found is None else msgspec.convert(found, Rules)


def write_rules(connection: Connection, wanted: Rules) -> Rules:
    """Set the rules; answers them with the thresholds in their order, each once."""
    days = tuple(sorted(set(wanted.expiry_days), reverse=True))
    percents = tuple(sorted(set(wanted.limit_percents)))
    put = msgspec.structs.replace(wanted, expiry_days=days, limit_percents=percents)
    told: dict[str, Any] = msgspec.to_builtins(put)
    notifications.write_rules(connection, told)
    return put
