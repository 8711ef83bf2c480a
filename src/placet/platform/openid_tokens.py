"""ID tokens, verified in numbered steps; the first that fails decides (OpenID Connect Core section 3.1.3.7).

1. The token is a compact JWS, under a cap.
2. Its algorithm is an asymmetric signature; never ``none``, never a shared secret.
3. A key of the provider's is for that algorithm: ``kid`` where the token names one; kind, size, ``use``, ``alg``.
4. The signature verifies with that key and that algorithm alone.
5. ``iss`` is the issuer, letter for letter.
6. ``aud`` holds this client; of several, ``azp`` is this client.
7. ``exp`` has not come, ``iat`` and ``nbf`` have, give or take a minute.
8. ``nonce`` is the one of this very sign-in.
9. ``sub`` is there, of at most 255 characters.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from placet.store.identities import LONGEST_SUBJECT

LONGEST_TOKEN = 64 * 1024
MOST_KEYS = 100
LEEWAY_SECONDS = 60
SMALLEST_RSA_BITS = 2048

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_KINDS = frozenset({"RSA", "EC", "OKP"})
ALGORITHMS = frozenset(_CURVES) | _RSA

Key = RSAKey | ECKey | OKPKey


class TokenRejected(Exception):
    """The ID token does not hold; the text says why."""


class UnknownKey(TokenRejected):
    """None of the provider's keys that are known is the token's: the provider may have a new one."""


def keys_of(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """Answer the keys of a key set (RFC 7517 section 5) that could sign ID tokens; others are passed over."""
    listed = document.get("keys")
    found: list[Key] = []
    for entry in listed[:MOST_KEYS] if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or entry.get("kty") not in _KINDS or entry.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            found.append(key)
    return tuple(found)


def verify_id_token(
    token: object, keys: Sequence[Key], *, issuer: str, client_id: str, nonce: str, now: float
) -> Mapping[str, Any]:
    """Answer the claims of an ID token that holds at ``now``, in seconds since the epoch.

    Raises :class:`TokenRejected`.
    """
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN:  # 1
        raise TokenRejected("it sent no ID token, or one that is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, AttributeError):
        raise TokenRejected("what it sent as ID token is none") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:  # 2
        raise TokenRejected(f"its ID token has the algorithm {str(algorithm)[:20]!r}, which proves nothing here")
    for key in _candidates(keys, header.get("kid"), algorithm):  # 3
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims  # 4
        except (JoseError, ValueError, TypeError):
            continue
        _check_claims(claims, issuer=issuer, client_id=client_id, nonce=nonce, now=now)
        return claims
    raise UnknownKey("none of its keys has signed its ID token")


def _candidates(keys: Sequence[Key], kid: Any, algorithm: str) -> list[Key]:
    return [key for key in keys if (kid is None or key.kid == kid) and _is_for(key, algorithm)]


def _is_for(key: Key, algorithm: str) -> bool:
    if key.alg is not None and key.alg != algorithm:
        return False
    if isinstance(key, RSAKey):
        return algorithm in _RSA and key.public_key.key_size >= SMALLEST_RSA_BITS
    return _CURVES.get(algorithm) == key.curve_name


def _check_claims(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: float) -> None:
    if claims.get("iss") != issuer:  # 5
        raise TokenRejected(f"its ID token is of another issuer, {str(claims.get('iss'))[:200]!r}")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if client_id not in audiences or (len(audiences) > 1 and party is None) or party not in {None, client_id}:  # 6
        raise TokenRejected("its ID token is for another client than this server")
    if _seconds(claims, "exp", needed=True) <= now - LEEWAY_SECONDS:  # 7
        raise TokenRejected("its ID token has expired; see that the clocks of both machines are right")
    if max(_seconds(claims, "iat", needed=True), _seconds(claims, "nbf")) > now + LEEWAY_SECONDS:
        raise TokenRejected("its ID token is from the future; see that the clocks of both machines are right")
    told = claims.get("nonce")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(errors="surrogatepass"), nonce.encode()):  # 8
        raise TokenRejected("its ID token is not of this sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():  # 9
        raise TokenRejected("its ID token does not say who it is about")


def _seconds(claims: Mapping[str, Any], name: str, *, needed: bool = False) -> float:
    value = claims.get(name)
    if value is None and not needed:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRejected(f"its ID token has no instant {name!r}")
    return float(value) if abs(value) < 1e15 else float("inf")
