"""The audit trail: who did what, written in the transaction that does it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from placet.store.hot import Call, Hot
from placet.store.rows import all_of, storable
from placet.store.schema import audit_events, microseconds

_RECORD = Hot("INSERT INTO audit_events (at, actor, event, subject, detail) VALUES (?, ?, ?, ?, ?)")


class Event(StrEnum):
    """What can happen. A retired event is never reused."""

    LICENSE_INSTALLED = "license.installed"
    LICENSE_RESTORED = "license.restored"
    LICENSE_REFUSED = "license.refused"
    STATUS_LIST_INSTALLED = "status_list.installed"
    SERIAL_NUMBER_RENEWED = "installation.serial_number_renewed"
    ALLOCATED = "usage.allocated"
    RELEASED = "usage.released"
    BLOCK_SETTLED = "usage.block_settled"
    LEASE_BORROWED = "lease.borrowed"
    LEASE_RETURNED = "lease.returned"
    SEATS_RESERVED = "seats.reserved"
    SEATS_UNRESERVED = "seats.unreserved"
    SEAT_RULES_CHANGED = "seats.rules_changed"
    SEAT_RULES_RESET = "seats.rules_reset"
    DOCTOR_REPAIRED = "doctor.repaired"
    MODULE_PUBLISHED = "module.published"
    MODULE_DELETED = "module.deleted"
    MODULE_ROLLED_BACK = "module.rolled_back"
    RUN_STARTED = "run.started"
    RUN_STOPPED = "run.stopped"
    DEBUG_STARTED = "debug.started"
    DEBUG_STOPPED = "debug.stopped"
    QUERY_TESTED = "query.tested"
    USER_ADDED = "user.added"
    USER_ACTIVATED = "user.activated"
    USER_DEACTIVATED = "user.deactivated"
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    SIGNED_IN = "session.signed_in"
    SIGNED_OUT = "session.signed_out"
    SESSION_ENDED = "session.ended"
    SIGN_IN_FAILED = "session.sign_in_failed"
    PASSWORD_LINK_MADE = "password.link_made"  # noqa: S105
    PASSWORD_SET = "password.set"  # noqa: S105
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    IDENTITY_LINKED = "user.identity_linked"
    IDENTITY_UNLINKED = "user.identity_unlinked"
    USER_ROLE_CHANGED = "user.role_changed"
    FRONT_END_REMOVED = "front_end.removed"
    CHANNEL_ADDED = "notification_channel.added"
    CHANNEL_CHANGED = "notification_channel.changed"
    CHANNEL_REMOVED = "notification_channel.removed"
    NOTIFICATION_RULES_CHANGED = "notification_rules.changed"


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. ``detail`` is JSON of what matters about it; never a secret."""

    id: int
    at: datetime
    actor: str
    event: str
    subject: str
    detail: dict[str, Any]


def record(connection: Connection, event: Event, *, now: datetime, actor: str, subject: str, **detail: object) -> None:
    """Append an event in the caller's transaction."""
    statement, parameters = telling(event, actor, subject, detail, now)
    statement.run(connection, *parameters)


def telling(event: Event, actor: str, subject: str, detail: Mapping[str, object], now: datetime) -> Call:
    """Answer the statement that appends an event."""
    text = msgspec.json.encode(detail).decode()
    return (_RECORD, (microseconds(now), storable(actor), str(event), storable(subject), text))


def events(connection: Connection, *, most: int = 200, before: int | None = None) -> list[AuditEvent]:
    """Answer the newest events, newest first; ``before`` is an event's id to page on from."""
    query = select(audit_events).order_by(audit_events.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(audit_events.c.id < before)
    return all_of(AuditEvent, connection.execute(query))
