"""The vectors: files made once, with a published key, that have to verify for ever and with any implementation.

``../vectors/README.md`` says what they are. They are never made anew: where one of these tests fails, the code
has changed the format.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from placet.license import License, TrustStore, verify
from placet.license.instants import from_numeric_date
from placet.license.lease import verify_lease
from placet.license.request import verify_request
from placet.license.status_list import verify_status_list

VECTORS = Path(__file__).parent.parent / "vectors"
LICENSE = (VECTORS / "license.jws.json").read_bytes()
REQUEST = (VECTORS / "request.jws.json").read_bytes()
STATUS_LIST = (VECTORS / "status_list.jws.json").read_bytes()
LEASE = (VECTORS / "lease.jws.json").read_bytes()
JWKS = (VECTORS / "trust.jwks.json").read_bytes()
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_bytes())


def segment(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_key_by_hand() -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(segment(json.loads(JWKS)["keys"][0]["x"]))


@pytest.fixture
def found() -> License:
    return verify(LICENSE, TrustStore.from_jwks(JWKS))


def test_the_license_verifies_and_says_what_it_said(found: License) -> None:
    assert msgspec.to_builtins(found.terms) | dict(found.other_claims) == EXPECTED["license"]
    assert found.digest == EXPECTED["license_digest"]
    assert found.key_id == EXPECTED["kid"]
    assert found.terms.features["software_units"].tolerated_limit == 275
    assert found.other_claims == {"support_plan": {"hours": "24x7", "since": 2026}}


def test_the_other_documents_verify_and_say_what_they_said() -> None:
    status_list = verify_status_list(STATUS_LIST, TrustStore.from_jwks(JWKS))
    assert msgspec.to_builtins(status_list.content) == EXPECTED["status_list"]
    request, kid = verify_request(REQUEST)
    assert msgspec.to_builtins(request) == EXPECTED["request"]
    assert kid == EXPECTED["kid"]
    lease = verify_lease(LEASE, json.loads(JWKS)["keys"][0], from_numeric_date(EXPECTED["lease"]["iat"]))
    assert msgspec.to_builtins(lease) == EXPECTED["lease"]


@pytest.mark.parametrize(
    ("file", "typ", "claims"),
    [
        pytest.param(LICENSE, "placet-license+jws", EXPECTED["license"], id="license"),
        pytest.param(REQUEST, "placet-license-request+jws", EXPECTED["request"], id="request"),
        pytest.param(STATUS_LIST, "placet-status-list+jws", EXPECTED["status_list"], id="status_list"),
        pytest.param(LEASE, "placet-lease+jws", EXPECTED["lease"], id="lease"),
    ],
)
def test_an_independent_implementation_agrees(file: bytes, typ: str, claims: dict[str, Any]) -> None:
    """RFC 7515 section 5.2 step by step, with nothing but an Ed25519 primitive, base64url and JSON."""
    document = json.loads(file)
    (entry,) = document["signatures"]
    header = json.loads(segment(entry["protected"]))
    assert (header["alg"], header["kid"], header["typ"]) == ("Ed25519", EXPECTED["kid"], typ)
    signed = f"{entry['protected']}.{document['payload']}".encode()
    public_key_by_hand().verify(segment(entry["signature"]), signed)
    assert json.loads(segment(document["payload"])) == claims
    with pytest.raises(InvalidSignature):
        public_key_by_hand().verify(segment(entry["signature"]), signed + b"A")


def test_what_an_independent_implementation_signs_verifies_here() -> None:
    """The private half is in RFC 8037; Ed25519 is deterministic, so both sign the same octets."""
    private = Ed25519PrivateKey.from_private_bytes(segment("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    document = json.loads(LICENSE)
    signed = f"{document['signatures'][0]['protected']}.{document['payload']}".encode()
    assert private.sign(signed) == segment(document["signatures"][0]["signature"])


def test_the_key_is_named_by_its_thumbprint() -> None:
    """RFC 7638, by hand: SHA-256 of the required members in lexicographic order."""
    key = json.loads(JWKS)["keys"][0]
    members = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":")).encode()
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(members).digest()).rstrip(b"=").decode()
    assert thumbprint == EXPECTED["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
