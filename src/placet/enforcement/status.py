"""The status of a license on one server at one moment, as values. ``placet.enforcement.evaluation`` judges them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from placet.enforcement.messages import DEFAULT_LOCALE, Diagnosed, Notice
from placet.enforcement.product import Product
from placet.license.diagnosis import Rejection
from placet.license.document import License
from placet.license.status_list import Revocation
from placet.license.terms import Enforcement


class State(StrEnum):
    """The states of a license on a server."""

    NO_LICENSE = "no_license"
    UNREADABLE = "unreadable"
    REVOKED = "revoked"
    WRONG_SERVER = "wrong_server"
    CLOCK_SET_BACK = "clock_set_back"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    GRACE = "grace"
    ACTIVE = "active"


USABLE = frozenset({State.GRACE, State.ACTIVE})


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a server may be told about judging: how early to warn, how far a clock may go back, in which locale."""

    warn_before: timedelta = timedelta(days=30)
    clock_tolerance: timedelta = timedelta(hours=1)
    locale: str = DEFAULT_LOCALE
    vendor_name: str | None = None


class Meter(msgspec.Struct, frozen=True):
    """What was consumed of a metered feature since ``period_starts_at``, in units."""

    period_starts_at: datetime
    used: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules judge: everything a server knows that bears on its license.

    ``usage`` is units in use by feature (limits and seats), ``meters`` what was consumed of metered ones.
    ``newest_moment`` is the latest time seen under this license, ``evaluation_started_at`` the first installation of an
    evaluation on this installation.
    """

    serial_number: str
    license: License | Rejection | None = None
    usage: Mapping[str, int] = {}
    meters: Mapping[str, Meter] = {}
    revocation: Revocation | None = None
    newest_moment: datetime | None = None
    evaluation_started_at: datetime | None = None


class FeatureStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A feature as the license grants it here. ``limit`` and ``tolerated_limit`` are units; ``None`` is unlimited.

    ``over_limit``: more is in use than the limit, tolerated or not; ``exceeded``: than its tolerance as well. Without a
    license of this server there is no limit to judge usage by, and nothing is granted. Only what is in use until it is
    given back can be over a limit: metered features and seats are refused once their limit is reached, and block
    nothing else. ``period_starts_at`` and ``period_ends_at`` are those of a metered feature.
    """

    name: str
    title: str
    kind: str
    licensed: bool
    limit: int | None = None
    tolerated_limit: int | None = None
    used: int | None = None
    over_limit: bool = False
    exceeded: bool = False
    period_starts_at: datetime | None = None
    period_ends_at: datetime | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The license as it stands.

    ``next_change_at`` is the first instant at which the passing of time alone changes any of it, ``diagnosis`` why
    the license is not usable, where it is not.
    """

    state: State
    serial_number: str
    evaluated_at: datetime
    license: License | None
    vendor_name: str | None
    enforcement: Enforcement
    features: Mapping[str, FeatureStatus]
    errors: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    expires_at: datetime | None
    grace_ends_at: datetime | None
    next_change_at: datetime | None
    rejection: Rejection | None
    diagnosis: Diagnosed | None
    policy: Policy
    product: Product

    @property
    def usable(self) -> bool:
        """The license is verified, this server's own, and in its time."""
        return self.state in USABLE
