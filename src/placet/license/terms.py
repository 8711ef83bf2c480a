"""The terms of a license: what its payload says, as frozen typed values.

Registered JWT claims (RFC 7519 section 4.1) are used where one exists. Claims this version does not know survive:
the signed bytes are kept, and :func:`read_terms` answers unknown claims beside the known ones.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from placet.license import serial
from placet.license.diagnosis import Diagnosis, rejected
from placet.license.instants import EARLIEST, LATEST, from_numeric_date, to_numeric_date

FORMAT_VERSION = "1.0"
MAJOR_VERSION = 1
LARGEST_LIMIT = 10**12
COUNTED_KINDS = frozenset({"limit", "metered", "seats"})

_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")

# What documents say is shown in terminals and kept in databases: neither takes control characters well.
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]
LongText = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z")]
NumericDate = Annotated[int, Meta(ge=to_numeric_date(EARLIEST), le=to_numeric_date(LATEST))]
FeatureName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}\Z")]


class Enforcement(StrEnum):
    """What one exceeded limit blocks: every licensed operation, or only those that use its feature."""

    STRICT = "strict"
    PER_FEATURE = "per-feature"


class Period(StrEnum):
    """After how long a metered feature is counted from zero again: a calendar day or month in UTC, or the license."""

    DAY = "day"
    MONTH = "month"
    TERM = "term"


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a license says of one feature.

    ``kind`` is ``switch`` (granted by being named), ``limit`` (up to ``limit`` in use, plus ``tolerance_percent`` of it
    with warnings), ``metered`` (up to ``limit`` consumed in each ``period``; the product's own where none is said) or
    ``seats`` (up to ``limit`` in use at the same time). Other kinds belong to later minor versions; they are kept and
    grant nothing here.
    """

    kind: Text
    limit: Annotated[int, Meta(ge=0, le=LARGEST_LIMIT)] | None = None
    tolerance_percent: Annotated[int, Meta(ge=0, le=1000)] = 0
    period: Period | None = None

    @property
    def tolerated_limit(self) -> int:
        """The limit with its tolerance, rounded down to whole units."""
        limit = self.limit or 0
        return limit + limit * self.tolerance_percent // 100


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a license. Instants are NumericDates, seconds since 1970-01-01T00:00:00Z.

    ``iss`` the vendor's name, ``sub`` and ``serial_number`` the server it is for, ``jti`` its identifier,
    ``sequence`` its place in the vendor's ledger, ``replaces`` the ``jti`` of the license before it.
    ``evaluation_seconds``: the license is an evaluation that lasts that long from its first installation, and at
    most until ``exp``.
    """

    iss: Text
    sub: Text
    jti: Text
    iat: NumericDate
    exp: NumericDate
    version: Text
    sequence: Annotated[int, Meta(ge=1, le=LARGEST_LIMIT)]
    customer: Text
    serial_number: Text
    features: Annotated[dict[FeatureName, Grant], Meta(max_length=1000)]
    nbf: NumericDate | None = None
    grace_until: NumericDate | None = None
    enforcement: Enforcement = Enforcement.STRICT
    edition: Text | None = None
    contact: LongText | None = None
    replaces: Text | None = None
    evaluation_seconds: Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)] | None = None

    def starts_at(self) -> datetime | None:
        """The instant before which the license is not valid yet, if any."""
        return None if self.nbf is None else from_numeric_date(self.nbf)

    def expires_at(self, first_installed_at: datetime | None = None) -> datetime:
        """The first instant at which the license has expired.

        An evaluation counts from ``first_installed_at``; where it was never installed, to the end of ``exp``.
        """
        outer = from_numeric_date(self.exp)
        if self.evaluation_seconds is None or first_installed_at is None:
            return outer
        return min(outer, first_installed_at + timedelta(seconds=self.evaluation_seconds))

    def grace_ends_at(self, first_installed_at: datetime | None = None) -> datetime:
        """The first instant after expiry and grace; the expiry itself where there is no grace."""
        expires_at = self.expires_at(first_installed_at)
        if self.grace_until is None:
            return expires_at
        return max(expires_at, expires_at + timedelta(seconds=self.grace_until - self.exp))


_KNOWN = frozenset(Terms.__struct_fields__)


def check_version(claims: Mapping[str, Any]) -> None:
    """Step 5, second half: the format's major version is one this code understands."""
    version = claims.get("version")
    if version is None:
        raise rejected(Diagnosis.MISSING_CLAIM, "Not a license: the claim 'version' is missing.")
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise rejected(Diagnosis.MISTYPED_CLAIM, "Not a license: the claim 'version' is not of the form '1.0'.")
    if int(match[1]) > MAJOR_VERSION:
        raise rejected(
            Diagnosis.VERSION_TOO_NEW,
            f"Format version too new: the license has version {version}, and this server reads versions up to "
            f"{MAJOR_VERSION}.x. Update this server, or ask the vendor for a license in the older format.",
        )
    if int(match[1]) < MAJOR_VERSION:
        raise rejected(Diagnosis.ABSURD_VALUE, f"Not a license: there has never been a format version {version}.")


def read_terms(claims: Mapping[str, Any]) -> tuple[Terms, dict[str, Any]]:
    """Step 6: the required claims, each of its type and of a sane value.

    Answers the terms and the claims this version does not know. Raises :class:`DocumentRejected`.
    """
    try:
        terms = msgspec.convert(claims, Terms)
    except msgspec.ValidationError as error:
        raise _unreadable(error) from None
    _check_sense(terms)
    if claims.keys() <= _KNOWN:
        return terms, {}
    return terms, {name: value for name, value in claims.items() if name not in _KNOWN}


def _unreadable(error: msgspec.ValidationError) -> Exception:
    message = str(error)
    if "missing required field" in message:
        return rejected(Diagnosis.MISSING_CLAIM, f"Not a license: a claim is missing. {message}.")
    if message.startswith("Expected") and not any(word in message for word in ("<=", ">=", "length", "matching")):
        return rejected(Diagnosis.MISTYPED_CLAIM, f"Not a license: a claim is of the wrong type. {message}.")
    if message.startswith("Invalid enum value"):
        return rejected(Diagnosis.MISTYPED_CLAIM, f"Not a license: a claim has a value unknown here. {message}.")
    return rejected(Diagnosis.ABSURD_VALUE, f"Not a license: a claim has an absurd value. {message}.")


def _check_sense(terms: Terms) -> None:
    wrong = None
    if terms.nbf is not None and terms.exp <= terms.nbf:
        wrong = "it expires before it starts ('exp' is not after 'nbf')"
    elif terms.grace_until is not None and terms.grace_until < terms.exp:
        wrong = "its grace ends before it expires ('grace_until' is before 'exp')"
    elif terms.sub != terms.serial_number:
        wrong = "'sub' and 'serial_number' name two different servers"
    elif limitless := [
        name for name, grant in terms.features.items() if grant.kind in COUNTED_KINDS and grant.limit is None
    ]:
        wrong = f"the limit {limitless[0]!r} has no number"
    if wrong:
        raise rejected(Diagnosis.ABSURD_VALUE, f"Not a license: {wrong}.")
    try:
        serial.check(terms.serial_number)
    except serial.SerialNumberError as error:
        raise rejected(Diagnosis.ABSURD_VALUE, f"Not a license: {error}") from None
