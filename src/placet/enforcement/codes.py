"""The stable codes of everything Placet tells people about a license.

Codes are part of the contract: logs, clients and ``/problems/<code>`` rely on them. A retired one is never reused.
"""

from enum import StrEnum


class Severity(StrEnum):
    """An error refuses, a warning allows and tells."""

    ERROR = "error"
    WARNING = "warning"


class Cause(StrEnum):
    """Why a readable license does not allow something: the ``diagnosis_code`` beside a message."""

    REVOKED = "revoked"
    WRONG_SERVER = "wrong_server"
    CLOCK_SET_BACK = "clock_set_back"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    EXPIRED_AFTER_GRACE = "expired_after_grace"
    OVER_LIMIT = "over_limit"
    OVER_LIMIT_WITH_TOLERANCE = "over_limit_with_tolerance"
    LIMIT_REACHED = "limit_reached"
    METER_REACHED = "meter_reached"
    SEATS_TAKEN = "seats_taken"
    NOT_LICENSED = "not_licensed"
    RESERVED = "reserved"
    QUEUED = "queued"
    LOW_WATER = "low_water"
    TOO_LONG = "too_long"


class Code(StrEnum):
    """One for each entry of the message catalogue."""

    NO_LICENSE = "no_license"
    OPERATION_NO_LICENSE = "operation_no_license"
    WRONG_SERVER = "wrong_server"
    OPERATION_WRONG_SERVER = "operation_wrong_server"
    EXPIRED = "expired"
    OVER_LIMIT = "over_limit"
    OPERATION_EXPIRED_OR_OVER_LIMIT = "operation_expired_or_over_limit"
    SOFTWARE_UNITS_LIMIT = "software_units_limit"
    FEATURE_NOT_LICENSED = "feature_not_licensed"
    EXPIRING = "expiring"
    IN_GRACE = "in_grace"
    OVER_LIMIT_TOLERATED = "over_limit_tolerated"
    SOFTWARE_UNITS_LIMIT_TOLERATED = "software_units_limit_tolerated"

    LICENSE_REVOKED = "license_revoked"
    OPERATION_LICENSE_REVOKED = "operation_license_revoked"
    CLOCK_SET_BACK = "clock_set_back"
    OPERATION_CLOCK_SET_BACK = "operation_clock_set_back"
    NOT_YET_VALID = "not_yet_valid"
    OPERATION_NOT_YET_VALID = "operation_not_yet_valid"
    LIMIT_REACHED = "limit_reached"
    LIMIT_REACHED_TOLERATED = "limit_reached_tolerated"
    EVALUATION_USED = "evaluation_used"
    ACKNOWLEDGEMENT_REQUIRED = "acknowledgement_required"
    RESERVED_FOR_OTHERS = "reserved_for_others"
    QUEUED_BEHIND_OTHERS = "queued_behind_others"
    LOW_WATER_MARK = "low_water_mark"
    BORROW_TOO_LONG = "borrow_too_long"
