"""Ed25519 key pairs, and the trust store: the public keys whose signatures count.

A key is named by its RFC 7638 thumbprint (``kid``). The algorithm belongs to the key; what a document's header
claims about it is only compared, never followed (RFC 8725 section 3.1). A trust store is a JWK Set (RFC 7517
section 5) that may name its ``issuer``; it is refused when it holds a private key or no key at all.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from placet.license.diagnosis import DocumentRejected
from placet.license.strict_json import loads

ALGORITHM = "Ed25519"
TRUST_STORE_CAP = 256 * 1024
_MAX_KEYS = 100


class KeyUnusable(ValueError):
    """A key or trust store that cannot be used; the message says why and what to do."""


class SigningKey:
    """A private key. Its representation never shows the secret."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        pem = private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._private_key = private_key
        self.jwk = OKPKey.import_key(pem)
        self.kid = self.jwk.thumbprint()

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    @classmethod
    def generate(cls) -> Self:
        """Make a new random key pair."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> Self:
        """Read a PKCS #8 private key (RFC 5958), encrypted or not; raises :class:`KeyUnusable`."""
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except TypeError:
            needed = passphrase is None
            raise KeyUnusable(
                "The private key is protected by a passphrase, and none was given."
                if needed
                else "A passphrase was given, but the private key is not protected by one."
            ) from None
        except (ValueError, UnsupportedAlgorithm, InternalError):
            raise KeyUnusable("The private key cannot be read: wrong passphrase, or not a private key.") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusable("The private key is not an Ed25519 key.")
        return cls(key)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Write the private key as PKCS #8 PEM, encrypted when there is a passphrase."""
        encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def public_jwk(self) -> dict[str, Any]:
        """Answer the public key as a JWK (RFC 8037), with ``kid``, ``alg`` and ``use``."""
        public: dict[str, Any] = dict(self.jwk.as_dict(private=False))
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": public["x"],
            "kid": self.kid,
            "alg": ALGORITHM,
            "use": "sig",
        }


class TrustStore(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys whose signatures count, by ``kid``, and the vendor's name where the file tells it."""

    keys: Mapping[str, OKPKey]
    issuer: str | None = None

    @classmethod
    def from_jwks(cls, data: bytes) -> Self:
        """Read a JWK Set; raises :class:`KeyUnusable` when it cannot be relied on."""
        if len(data) > TRUST_STORE_CAP:
            raise KeyUnusable(f"The trust store is larger than {TRUST_STORE_CAP // 1024} KiB.")
        try:
            document = loads(data.decode())
        except (DocumentRejected, UnicodeDecodeError) as error:
            why = str(error).removeprefix("Not a license: ")
            raise KeyUnusable(f"The trust store is not a JWK Set: {why}") from None
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not 0 < len(entries) <= _MAX_KEYS:
            raise KeyUnusable("The trust store is not a JWK Set with at least one key; nothing could ever verify.")
        issuer = document.get("issuer")
        if issuer is not None and (not isinstance(issuer, str) or not issuer or len(issuer) > 200):
            raise KeyUnusable("The trust store's issuer is not a name of at most 200 characters.")
        keys = dict(read_public_jwk(entry) for entry in entries)
        if len(keys) < len(entries):
            raise KeyUnusable("The trust store names two keys by one kid. Remove the one that is not meant.")
        return cls(keys=keys, issuer=issuer)

    def find(self, header: Mapping[str, Any]) -> OKPKey | None:
        """Answer the trusted key a protected header names by its ``kid``, if there is one."""
        kid = header.get("kid")
        return self.keys.get(kid) if isinstance(kid, str) else None


def read_public_jwk(entry: object) -> tuple[str, OKPKey]:
    """Read one public Ed25519 JWK; answers its ``kid`` and the key. Raises :class:`KeyUnusable`."""
    if not isinstance(entry, dict):
        raise KeyUnusable("A key of the trust store is not a JSON object.")
    if "d" in entry:
        raise KeyUnusable(
            "The trust store holds a private key. Remove it, and replace that key: it is no longer secret."
        )
    if (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519") or entry.get("alg", ALGORITHM) != ALGORITHM:
        raise KeyUnusable("A key of the trust store is not an Ed25519 signature key (kty OKP, crv Ed25519).")
    try:
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": entry["x"]})
        kid = entry.get("kid", key.thumbprint())
    except (JoseError, ValueError, TypeError, KeyError):
        raise KeyUnusable("A key of the trust store is damaged: its x member is not an Ed25519 public key.") from None
    if not isinstance(kid, str) or not 0 < len(kid) <= 200:
        raise KeyUnusable("A key of the trust store has a kid that is not a text of at most 200 characters.")
    return kid, key
