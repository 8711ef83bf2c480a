"""Reading a license file without a server."""

from typing import Any

from placet.cli.errors import FailedError, RefusedError
from placet.license import DocumentRejected, KeyUnusable, TrustStore, verify
from placet.license.jws import read_envelope
from placet.license.terms import check_version, read_terms
from placet.web.render import terms_members


def read_license_file(data: bytes, trust: bytes | None) -> dict[str, Any]:
    """Answer what a license file says; without ``trust`` its signature is not looked at, and ``verified`` says so."""
    try:
        if trust is not None:
            found = verify(data, TrustStore.from_jwks(trust))
            return {"verified": True} | terms_members(found.terms)
        from joserfc.util import urlsafe_b64decode  # noqa: PLC0415

        from placet.license.document import read_claims  # noqa: PLC0415

        claims = read_claims(urlsafe_b64decode(read_envelope(data).payload.encode()))
        check_version(claims)
        return {"verified": False} | terms_members(read_terms(claims)[0])
    except DocumentRejected as error:
        raise RefusedError(error.rejection.explanation) from None
    except KeyUnusable as error:
        raise FailedError(str(error)) from None
