"""The license in words: its state, its instants and how far they are, and the sentence that says that all is well."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from placet.enforcement import State, Status
from placet.license.document import License
from placet.web.console.limits import LimitView, Standing
from placet.web.console.words import Moment, distance, ending, moment

STATE_WORDS = {
    State.NO_LICENSE: "No license",
    State.UNREADABLE: "License not readable",
    State.REVOKED: "License revoked",
    State.WRONG_SERVER: "License of another server",
    State.CLOCK_SET_BACK: "Clock set back",
    State.NOT_YET_VALID: "License not valid yet",
    State.EXPIRED: "License expired",
    State.GRACE: "In grace",
    State.ACTIVE: "License active",
}


class LicenseView(msgspec.Struct, frozen=True, kw_only=True):
    """The installed license in words. ``left`` and ``grace_left`` are how far the instants are from now."""

    license: License
    starts: Moment | None
    issued: Moment
    expires: Moment
    left: str
    grace: Moment | None
    grace_left: str | None
    evaluation_days: float | None
    other_server: str | None


def license_view(status: Status, now: datetime) -> LicenseView | None:
    """Tell the license of a status; ``None`` where there is none that could be read."""
    if status.license is None:
        return None
    terms = status.license.terms
    expires_at, grace_ends_at = status.expires_at or terms.expires_at(), status.grace_ends_at or terms.grace_ends_at()
    graced = grace_ends_at > expires_at
    starts_at, locale, own = terms.starts_at(), status.policy.locale, status.serial_number
    return LicenseView(
        license=status.license,
        starts=None if starts_at is None else moment(starts_at),
        issued=moment(datetime.fromtimestamp(terms.iat, now.tzinfo)),
        expires=ending(expires_at),
        left=distance(expires_at, now, locale),
        grace=ending(grace_ends_at) if graced else None,
        grace_left=distance(grace_ends_at, now, locale) if graced else None,
        evaluation_days=None if terms.evaluation_seconds is None else terms.evaluation_seconds / 86_400,
        other_server=None if terms.serial_number == own else terms.serial_number,
    )


def well(status: Status, limits: Iterable[LimitView]) -> str | None:
    """Answer the sentence that says that all is well, where it is."""
    if status.errors or status.warnings or status.expires_at is None:
        return None
    until = ending(status.expires_at).words
    over = any(limit.standing in {Standing.OVER, Standing.TOLERATED} for limit in limits)  # seats, or a meter
    return f"All is well: the license is in force until {until}{'' if over else ', and usage is within its limits'}."
