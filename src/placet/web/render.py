"""Statuses, decisions and changes as the members of JSON answers. Every surface renders the same decision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from placet.enforcement import Decision, Notice, Status
from placet.guard import Outcome
from placet.license.document import License
from placet.license.instants import from_numeric_date, rfc3339
from placet.license.terms import Terms

_NOT_MEMBERS = ("allowed", "operation", "state", "message", "code", "warnings")


def decision_members(decision: Decision) -> dict[str, Any]:
    """The numbers and explanations of a decision, as members of a problem document."""
    members: dict[str, Any] = msgspec.to_builtins(decision)
    kept = {name: value for name, value in members.items() if name not in _NOT_MEMBERS and value is not None}
    return kept | ({"warnings": notice_members(decision.warnings)} if decision.warnings else {})


def notice_members(notices: Sequence[Notice]) -> list[dict[str, Any]]:
    """Messages as entries of a list; ``diagnosis`` is null where no cause lies behind the text."""
    return [{"diagnosis": None} | msgspec.to_builtins(notice) for notice in notices]


def status_document(status: Status, history_id: int | None = None) -> dict[str, Any]:
    """The status of the license on this server: ``GET /api/v1/license``."""
    return {
        "state": status.state,
        "serial_number": status.serial_number,
        "vendor": status.vendor_name,
        "evaluated_at": rfc3339(status.evaluated_at),
        "license": None if status.license is None else license_document(status.license, status) | {"id": history_id},
        "features": [feature_members(status, name) for name in status.features],
        "errors": notice_members(status.errors),
        "warnings": notice_members(status.warnings),
    }


def license_document(license_: License, status: Status) -> dict[str, Any]:
    """A license on a server; an evaluation's times are those of this installation."""
    members = terms_members(license_.terms) | {"digest": license_.digest, "key_id": license_.key_id}
    for name, instant in (("expires_at", status.expires_at), ("grace_ends_at", status.grace_ends_at)):
        if instant is not None:
            members[name] = rfc3339(instant.replace(microsecond=0))
    return members | ({"other_claims": dict(license_.other_claims)} if license_.other_claims else {})


def terms_members(terms: Terms) -> dict[str, Any]:
    """The terms of a license file as it stands, on no server."""
    starts_at = terms.starts_at()
    members = {
        "jti": terms.jti,
        "issuer": terms.iss,
        "customer": terms.customer,
        "edition": terms.edition,
        "serial_number": terms.serial_number,
        "version": terms.version,
        "sequence": terms.sequence,
        "issued_at": rfc3339_of(terms.iat),
        "starts_at": None if starts_at is None else rfc3339(starts_at),
        "expires_at": rfc3339(terms.expires_at()),
        "grace_ends_at": rfc3339(terms.grace_ends_at()),
        "enforcement": terms.enforcement,
        "evaluation_seconds": terms.evaluation_seconds,
        "contact": terms.contact,
        "replaces": terms.replaces,
        "features": msgspec.to_builtins(terms.features),
    }
    return {name: value for name, value in members.items() if value is not None}


def rfc3339_of(seconds: int) -> str:
    """A NumericDate as an instant with its zone."""
    return rfc3339(from_numeric_date(seconds))


def feature_members(status: Status, name: str) -> dict[str, Any]:
    """A feature as the license grants it here: ``limit`` is null where it is unlimited.

    The period of a metered feature is null where no license says one.
    """
    feature = status.features[name]
    members: dict[str, Any] = {"name": name, "title": feature.title, "kind": feature.kind, "licensed": feature.licensed}
    if feature.kind in {"limit", "seats"}:
        members |= {
            "limit": feature.limit,
            "tolerated_limit": feature.tolerated_limit,
            "used": feature.used,
            "over_limit": feature.over_limit,
            "exceeded": feature.exceeded,
        }
    elif feature.kind == "metered":
        members |= {"limit": feature.limit, "tolerated_limit": feature.tolerated_limit, "used": feature.used}
        members |= {
            "period_starts_at": rfc3339_or_none(feature.period_starts_at),
            "period_ends_at": rfc3339_or_none(feature.period_ends_at),
        }
    return members


def rfc3339_or_none(when: datetime | None) -> str | None:
    """An instant with its zone, where there is one."""
    return None if when is None else rfc3339(when)


def changes_of(outcome: Outcome) -> dict[str, Any]:
    """What installing a license changes: features before and after, and what it would block."""
    changes = outcome.changes
    before, after = outcome.before, outcome.after
    return {
        "state": {"before": before.state, "after": after.state},
        "expires_at": {
            "before": None if before.expires_at is None else rfc3339(before.expires_at.replace(microsecond=0)),
            "after": None if after.expires_at is None else rfc3339(after.expires_at.replace(microsecond=0)),
        },
        "features": msgspec.to_builtins(changes.features),
        "blocked": [
            {"operation": decision.operation, "code": decision.code, "message": decision.message}
            | {"diagnosis": decision.diagnosis}
            for decision in changes.blocked
        ],
        "unknown_features": list(changes.unknown_features),
        "needs_acknowledgement": changes.needs_acknowledgement,
    }
