"""Why a document was not accepted.

A rejection is always told with its cause: the code is for programs, the explanation for people. Codes are
part of the contract; a retired one is never used again.
"""

from enum import StrEnum

import msgspec


class Diagnosis(StrEnum):
    """The cause, one for each step and way in which verification can fail."""

    NO_FILE = "no_file"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NOT_TEXT = "not_text"
    TRUNCATED = "truncated"
    NOT_JSON = "not_json"
    DUPLICATE_MEMBER = "duplicate_member"
    NOT_JWS = "not_jws"
    UNSIGNED = "unsigned"
    SYMMETRIC_ALGORITHM = "symmetric_algorithm"
    ALGORITHM_MISMATCH = "algorithm_mismatch"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_TYPE = "wrong_type"
    VERSION_TOO_NEW = "version_too_new"
    MISSING_CLAIM = "missing_claim"
    MISTYPED_CLAIM = "mistyped_claim"
    ABSURD_VALUE = "absurd_value"
    REVOKED = "revoked"
    LEASE_EXPIRED = "lease_expired"
    LEASE_NOT_YET_VALID = "lease_not_yet_valid"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was not accepted: ``diagnosis`` for programs, ``explanation`` in a sentence or two for people."""

    diagnosis: Diagnosis
    explanation: str


class DocumentRejected(Exception):
    """Raised where a document has to be accepted and is not; carries the :class:`Rejection`."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.explanation)
        self.rejection = rejection


def rejected(diagnosis: Diagnosis, explanation: str) -> DocumentRejected:
    """Answer the exception for a rejection, to be raised."""
    return DocumentRejected(Rejection(diagnosis=diagnosis, explanation=explanation))
