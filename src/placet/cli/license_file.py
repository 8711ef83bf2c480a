"""Reading a license file without a server."""

from typing import Any

from placet.cli.errors import FailedError
from placet.license import DocumentRejected, KeyUnusable, TrustStore, verify
from placet.license.diagnosis import Diagnosis, rejected
from placet.license.jws import read_envelope
from placet.license.terms import Terms, check_version, read_terms
from placet.web.problems import Problem, to_problem
from placet.web.render import terms_members


def read_license_file(data: bytes, trust: bytes | None) -> dict[str, Any] | Problem:
    """Answer what a license file says, or why it is none, as a server would.

    Without ``trust`` its signature is not looked at, and ``verified`` says so.
    """
    try:
        if trust is None:
            return {"verified": False} | terms_members(_unverified(data))
        return {"verified": True} | terms_members(verify(data, TrustStore.from_jwks(trust)).terms)
    except DocumentRejected as error:
        return to_problem(error)
    except KeyUnusable as error:
        raise FailedError(str(error)) from None


def _unverified(data: bytes) -> Terms:
    from joserfc.util import urlsafe_b64decode  # noqa: PLC0415

    from placet.license.document import read_claims  # noqa: PLC0415

    try:
        payload = urlsafe_b64decode(read_envelope(data).payload.encode())
    except ValueError:
        raise rejected(Diagnosis.NOT_JWS, "Not a license: its payload is not base64url (RFC 4648).") from None
    claims = read_claims(payload)
    check_version(claims)
    return read_terms(claims)[0]
