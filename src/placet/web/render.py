"""Statuses, decisions and changes as the members of JSON answers. Every surface renders the same decision."""

from typing import Any

import msgspec

from placet.enforcement import Decision, Status
from placet.guard import Outcome
from placet.license.document import License
from placet.license.instants import from_numeric_date, rfc3339
from placet.license.terms import Grant

_NOT_MEMBERS = ("allowed", "operation", "state", "message", "code", "warnings")


def decision_members(decision: Decision) -> dict[str, Any]:
    """The numbers and explanations of a decision, as members of a problem document."""
    members: dict[str, Any] = msgspec.to_builtins(decision)
    kept = {name: value for name, value in members.items() if name not in _NOT_MEMBERS and value is not None}
    warnings = members.get("warnings")
    return kept | ({"warnings": warnings} if warnings else {})


def status_document(status: Status, history_id: int | None = None) -> dict[str, Any]:
    """The status of the license on this server: ``GET /api/v1/license``."""
    return {
        "state": status.state,
        "serial_number": status.serial_number,
        "vendor": status.vendor_name,
        "evaluated_at": rfc3339(status.evaluated_at),
        "license": None if status.license is None else license_document(status.license, status) | {"id": history_id},
        "features": [feature_members(status, name) for name in status.features],
        "errors": msgspec.to_builtins(status.errors),
        "warnings": msgspec.to_builtins(status.warnings),
    }


def license_document(license_: License, status: Status | None = None) -> dict[str, Any]:
    """A license in its own words; with a ``status``, an evaluation's times are those of this installation."""
    terms = license_.terms
    starts_at = terms.starts_at()
    expires_at = status.expires_at if status is not None else None
    grace_ends_at = status.grace_ends_at if status is not None else None
    members = {
        "jti": terms.jti,
        "digest": license_.digest,
        "key_id": license_.key_id,
        "issuer": terms.iss,
        "customer": terms.customer,
        "edition": terms.edition,
        "serial_number": terms.serial_number,
        "version": terms.version,
        "sequence": terms.sequence,
        "issued_at": rfc3339_of(terms.iat),
        "starts_at": None if starts_at is None else rfc3339(starts_at),
        "expires_at": rfc3339((expires_at or terms.expires_at()).replace(microsecond=0)),
        "grace_ends_at": rfc3339((grace_ends_at or terms.grace_ends_at()).replace(microsecond=0)),
        "enforcement": terms.enforcement,
        "evaluation_seconds": terms.evaluation_seconds,
        "contact": terms.contact,
        "replaces": terms.replaces,
        "features": {name: _grant_members(grant) for name, grant in terms.features.items()},
        "other_claims": dict(license_.other_claims) or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def rfc3339_of(seconds: int) -> str:
    """A NumericDate as an instant with its zone."""
    return rfc3339(from_numeric_date(seconds))


def _grant_members(grant: Grant) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(grant)
    return members


def feature_members(status: Status, name: str) -> dict[str, Any]:
    """A feature as the license grants it here: ``limit`` is null where it is unlimited."""
    feature = status.features[name]
    members: dict[str, Any] = {"name": name, "title": feature.title, "kind": feature.kind, "licensed": feature.licensed}
    if feature.kind == "limit":
        members |= {
            "limit": feature.limit,
            "tolerated_limit": feature.tolerated_limit,
            "used": feature.used,
            "over_limit": feature.over_limit,
            "exceeded": feature.exceeded,
        }
    return members


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
