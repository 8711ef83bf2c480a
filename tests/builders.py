"""What tests build on: real keys, real signatures, one server, one moment.

Everything here is fixed: keys come from seeds, the moment is :data:`NOW`, so that a failure is the same tomorrow.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.enforcement import (
    Code,
    Facts,
    Limit,
    Operation,
    Policy,
    Product,
    Status,
    Switch,
    evaluate,
)
from placet.license import Grant, License, SigningKey, Terms, TrustStore, issue, serial, verify
from placet.license.jws import DocumentType
from placet.license.request import LicenseRequest, sign_request
from placet.license.status_list import Revocation, StatusList, issue_status_list

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SERIAL = serial.from_random("7QX49KD2M3HTV8RWC0")
OTHER_SERIAL = serial.from_random("0123456789ABCDEFGH")


def signing_key(seed: str = "vendor") -> SigningKey:
    """The private key of a seed: the same one every time."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"placet {seed}".encode()).digest()))


KEY = signing_key("vendor")
NEW_KEY = signing_key("vendor, the year after")
OTHER_KEY = signing_key("somebody else")
SERVER_KEY = signing_key("server")


def jwks(*keys: SigningKey, issuer: str | None = None) -> bytes:
    """A trust store file with the public halves of ``keys``."""
    document: dict[str, Any] = {"keys": [key.public_jwk() for key in keys or (KEY,)]}
    return json.dumps(document if issuer is None else document | {"issuer": issuer}).encode()


def trust_store(*keys: SigningKey, issuer: str | None = None) -> TrustStore:
    return TrustStore.from_jwks(jwks(*keys, issuer=issuer))


TRUST = trust_store(KEY)


def numeric(when: datetime) -> int:
    """The NumericDate of a whole second."""
    return int(when.timestamp())


def switch() -> Grant:
    return Grant(kind="switch")


def limit(units: int, tolerance_percent: int = 0) -> Grant:
    return Grant(kind="limit", limit=units, tolerance_percent=tolerance_percent)


EVERYTHING: Mapping[str, Grant] = {
    "software_units": limit(100),
    "users": limit(20),
    "front_end_servers": limit(2),
    "run": switch(),
    "debugger": switch(),
    "test_query": switch(),
}


def some_terms(**claims: Any) -> Terms:
    """Terms for :data:`SERIAL`, valid for a year around :data:`NOW`, that grant :data:`EVERYTHING`."""
    serial_number = claims.pop("serial_number", SERIAL)
    return Terms(
        **{
            "iss": "Acme Software",
            "sub": serial_number,
            "serial_number": serial_number,
            "jti": "L-0001",
            "iat": numeric(NOW - 100 * DAY),
            "exp": numeric(NOW + 265 * DAY),
            "version": "1.0",
            "sequence": 1,
            "customer": "Example Industries",
            "features": dict(EVERYTHING),
        }
        | claims
    )


def some_claims(**claims: Any) -> dict[str, Any]:
    """The same as the JSON object a payload holds; a claim given as ``...`` is left out."""
    merged = msgspec.to_builtins(some_terms()) | claims
    return {name: value for name, value in merged.items() if value is not ...}


def a_license(
    *, keys: Sequence[SigningKey] = (KEY,), other_claims: Mapping[str, Any] | None = None, **claims: Any
) -> bytes:
    """A license file, signed."""
    return issue(some_terms(**claims), keys, other_claims)


def a_verified_license(**claims: Any) -> License:
    return verify(a_license(**claims), TRUST)


def a_license_saying(**claims: Any) -> bytes:
    """A license file, rightly signed, whose claims are whatever they are: missing (``...``), mistyped or absurd."""
    return by_hand(json.dumps(some_claims(**claims)).encode())


def a_request(key: SigningKey = SERVER_KEY, **claims: Any) -> bytes:
    """A license request file, signed by the server."""
    request = {
        "version": "1.0",
        "iat": numeric(NOW),
        "serial_number": SERIAL,
        "product": "platform_server",
        "product_version": "1.2.3",
        "usage": {"software_units": 12},
    }
    return sign_request(LicenseRequest(**(request | claims)), key)


def a_status_list(*jtis: str, keys: Sequence[SigningKey] = (KEY,), sequence: int = 1) -> bytes:
    """A status list file that revokes ``jtis``."""
    revoked = [Revocation(jti=jti, revoked_at=numeric(NOW - DAY), reason="Not paid for.") for jti in jtis]
    content = StatusList(iss="Acme Software", iat=numeric(NOW), version="1.0", sequence=sequence, revoked=revoked)
    return issue_status_list(content, keys)


# Documents by hand: what no proper issuer would write, yet with real signatures.


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def a_header(key: SigningKey = KEY, **members: Any) -> dict[str, Any]:
    """A protected header of a license; a member given as ``...`` is left out."""
    merged = {"alg": "Ed25519", "kid": key.kid, "typ": str(DocumentType.LICENSE)} | members
    return {name: value for name, value in merged.items() if value is not ...}


def signature_entry(payload: str, header: Mapping[str, Any] | bytes, key: SigningKey = KEY) -> dict[str, Any]:
    """One entry of ``signatures``, really signed over the encoded ``payload``."""
    protected = base64url(header if isinstance(header, bytes) else json.dumps(header).encode())
    signature = key._private_key.sign(f"{protected}.{payload}".encode())
    return {"protected": protected, "signature": base64url(signature)}


def by_hand(
    payload: bytes | None = None, header: Mapping[str, Any] | bytes | None = None, key: SigningKey = KEY
) -> bytes:
    """A document of this payload and protected header, really signed by ``key``."""
    encoded = base64url(json.dumps(some_claims()).encode() if payload is None else payload)
    entry = signature_entry(encoded, a_header(key) if header is None else header, key)
    return json.dumps({"payload": encoded, "signatures": [entry]}).encode()


def with_hmac(secret: bytes, algorithm: str = "HS256") -> bytes:
    """A license whose HMAC with ``secret`` is right: the attack that takes a public key for a shared secret."""
    payload = base64url(json.dumps(some_claims()).encode())
    protected = base64url(json.dumps(a_header(alg=algorithm)).encode())
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm.upper()]
    signature = hmac.new(secret, f"{protected}.{payload}".encode(), digest).digest()
    entry = {"protected": protected, "signature": base64url(signature)}
    return json.dumps({"payload": payload, "signatures": [entry]}).encode()


def changed(file: bytes, **members: Any) -> bytes:
    """The same document with other outer members; one given as ``...`` is left out."""
    merged = json.loads(file) | members
    return json.dumps({name: value for name, value in merged.items() if value is not ...}).encode()


# A product like the Platform Server's, and its status.

PRODUCT = Product(
    name="platform_server",
    features=(
        Limit(
            "software_units",
            "Software Units",
            reached=Code.SOFTWARE_UNITS_LIMIT,
            reached_tolerated=Code.SOFTWARE_UNITS_LIMIT_TOLERATED,
        ),
        Limit("users", "Users"),
        Limit("front_end_servers", "Front-end Servers", included=1),
        Limit("mailboxes", "Mailboxes", included=None),
        Switch("run", "Run"),
        Switch("debugger", "Debugger"),
        Switch("test_query", "Test Query"),
    ),
    operations=(
        Operation("publish", consumes=("software_units",)),
        Operation("run", requires="run"),
        Operation("debug", requires="debugger"),
        Operation("test_query", requires="test_query"),
        Operation("activate_user", consumes=("users",)),
        Operation("publish_and_run", requires="run", consumes=("software_units", "front_end_servers", "mailboxes")),
    ),
)


def some_facts(**facts: Any) -> Facts:
    """What a server with a valid license knows; ``license`` may be given as ``None`` or a rejection."""
    return Facts(**({"serial_number": SERIAL, "license": a_verified_license()} | facts))


def a_status(now: datetime = NOW, policy: Policy | None = None, product: Product = PRODUCT, **facts: Any) -> Status:
    """The status of :func:`some_facts` at ``now``."""
    return evaluate(some_facts(**facts), product, now, policy or Policy())


def revocation(jti: str = "L-0001", reason: str = "Not paid for.") -> Revocation:
    return Revocation(jti=jti, revoked_at=numeric(NOW - DAY), reason=reason)
