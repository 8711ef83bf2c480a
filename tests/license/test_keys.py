"""Keys and trust stores: what cannot be relied on is refused, and secrets stay secret."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from builders import KEY, NEW_KEY, OTHER_KEY, by_hand, jwks, signing_key, trust_store
from placet.license import KeyUnusable, SigningKey, TrustStore, verify
from placet.license.keys import read_public_jwk

PASSPHRASE = b"correct horse battery staple"


def pem_of(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def pem_with_oid(oid: str) -> bytes:
    """The key's PEM, its algorithm identifier replaced by another."""
    der = base64.b64decode(b"".join(KEY.to_pem().splitlines()[1:-1]))
    der = der.replace(bytes.fromhex("06032b6570"), bytes.fromhex(oid))
    return b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"


def test_new_keys_differ() -> None:
    assert SigningKey.generate().kid != SigningKey.generate().kid


def test_pem_without_passphrase_comes_back() -> None:
    assert SigningKey.from_pem(KEY.to_pem()).public_jwk() == KEY.public_jwk()
    assert KEY.to_pem().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_pem_with_passphrase_comes_back() -> None:
    pem = KEY.to_pem(PASSPHRASE)
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert SigningKey.from_pem(pem, PASSPHRASE).public_jwk() == KEY.public_jwk()


@pytest.mark.parametrize(
    ("pem", "passphrase", "told"),
    [
        pytest.param(KEY.to_pem(PASSPHRASE), None, "protected by a passphrase, and none was given", id="none_given"),
        pytest.param(KEY.to_pem(PASSPHRASE), b"wrong", "cannot be read: wrong passphrase", id="wrong_one"),
        pytest.param(KEY.to_pem(), PASSPHRASE, "is not protected by one", id="not_needed"),
        pytest.param(b"", None, "not a private key", id="empty"),
        pytest.param(b"\x00" * 100, None, "not a private key", id="binary"),
        pytest.param(KEY.to_pem()[:60], None, "not a private key", id="truncated"),
        pytest.param(jwks(KEY), None, "not a private key", id="a_trust_store"),
        pytest.param(pem_of(rsa.generate_private_key(65537, 2048)), None, "not an Ed25519 key", id="rsa"),
        pytest.param(pem_of(ec.generate_private_key(ec.SECP256R1())), None, "not an Ed25519 key", id="p_256"),
        pytest.param(pem_of(ed448.Ed448PrivateKey.generate()), None, "not an Ed25519 key", id="ed448"),
        pytest.param(pem_of(x25519.X25519PrivateKey.generate()), None, "not an Ed25519 key", id="x25519"),
        pytest.param(pem_with_oid("06032b657f"), None, "not a private key", id="unknown_algorithm"),
        pytest.param(pem_with_oid("06032b6571"), None, "not a private key", id="too_short_for_its_algorithm"),
    ],
)
def test_private_keys_that_cannot_be_used(pem: bytes, passphrase: bytes | None, told: str) -> None:
    with pytest.raises(KeyUnusable, match=told):
        SigningKey.from_pem(pem, passphrase)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda junk: KEY.to_pem()[:40] + junk + KEY.to_pem()[40:]))
def test_any_bytes_are_a_key_or_unusable(pem: bytes) -> None:
    with suppress(KeyUnusable):
        SigningKey.from_pem(pem)


def secrets_of(key: SigningKey) -> list[str]:
    seed = key._private_key.private_bytes_raw()
    return [base64.urlsafe_b64encode(seed).rstrip(b"=").decode(), seed.hex(), repr(seed)[2:20]]


def test_representations_show_no_secret() -> None:
    shown = f"{KEY!r} {KEY} {KEY.__dict__} {KEY.jwk} {KEY.public_jwk()} {trust_store(KEY)!r}"
    assert repr(KEY) == f"SigningKey(kid={KEY.kid!r})"
    assert not [secret for secret in secrets_of(KEY) if secret in shown]
    assert "d" not in KEY.public_jwk()


def test_a_public_key_is_named_by_its_thumbprint() -> None:
    """RFC 8037 appendix A.3 gives the thumbprint of this key."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    kid, key = read_public_jwk({"kty": "OKP", "crv": "Ed25519", "x": x})
    assert kid == key.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_trust_store_finds_its_keys_by_kid_alone() -> None:
    trust = trust_store(KEY, NEW_KEY, issuer="Acme Software")
    assert trust.issuer == "Acme Software"
    assert set(trust.keys) == {KEY.kid, NEW_KEY.kid}
    for unknown in (OTHER_KEY.kid, "", None, 5, [KEY.kid], {"kid": KEY.kid}):
        assert trust.find({"kid": unknown}) is None
    assert trust.find({}) is None
    found = trust.find({"kid": KEY.kid, "jwk": OTHER_KEY.public_jwk()})
    assert found is not None
    assert found.thumbprint() == KEY.kid


def test_a_kid_of_the_vendors_own_counts() -> None:
    data = json.dumps({"keys": [KEY.public_jwk() | {"kid": "2026"}]}).encode()
    file = by_hand(header={"alg": "Ed25519", "kid": "2026", "typ": "placet-license+jws"})
    assert verify(file, TrustStore.from_jwks(data)).key_id == "2026"


def key_with(**members: Any) -> dict[str, Any]:
    merged = KEY.public_jwk() | members
    return {name: value for name, value in merged.items() if value is not ...}


PRIVATE_JWK = dict(KEY.jwk.as_dict(private=True))
RSA_JWK = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa", "alg": "RS256"}

DEFECTIVE: dict[str, tuple[Any, str]] = {
    "too_large": (jwks(KEY) + b" " * 256 * 1024, "larger than 256 KiB"),
    "empty": (b"", "not a JWK Set"),
    "binary": (b"\xff\xfe\x00", "not a JWK Set"),
    "not_json": (b"-----BEGIN PUBLIC KEY-----", "not a JWK Set"),
    "not_an_object": ([KEY.public_jwk()], "at least one key"),
    "one_bare_key": (KEY.public_jwk(), "at least one key"),
    "no_keys": ({"keys": []}, "at least one key"),
    "keys_no_array": ({"keys": KEY.public_jwk()}, "at least one key"),
    "too_many_keys": ({"keys": [KEY.public_jwk()] * 101}, "at least one key"),
    "keys_twice": (b'{"keys": [], "keys": []}', "occurs twice"),
    "key_no_object": ({"keys": ["key"]}, "not a JSON object"),
    "private_key": ({"keys": [PRIVATE_JWK]}, "holds a private key. Remove it, and replace that key"),
    "private_key_among_public": ({"keys": [NEW_KEY.public_jwk(), PRIVATE_JWK]}, "holds a private key"),
    "private_member_null": ({"keys": [key_with(d=None)]}, "holds a private key"),
    "rsa_key": ({"keys": [RSA_JWK]}, "not an Ed25519 signature key"),
    "rsa_key_among_ours": ({"keys": [KEY.public_jwk(), RSA_JWK]}, "not an Ed25519 signature key"),
    "shared_secret": ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "not an Ed25519 signature key"),
    "x25519_key": ({"keys": [key_with(crv="X25519")]}, "not an Ed25519 signature key"),
    "kty_no_text": ({"keys": [key_with(kty=["OKP"])]}, "not an Ed25519 signature key"),
    "deprecated_algorithm": ({"keys": [key_with(alg="EdDSA")]}, "not an Ed25519 signature key"),
    "other_algorithm": ({"keys": [key_with(alg="HS256")]}, "not an Ed25519 signature key"),
    "x_missing": ({"keys": [key_with(x=...)]}, "its x member is not an Ed25519 public key"),
    "x_short": ({"keys": [key_with(x=KEY.public_jwk()["x"][:-1])]}, "x member is not"),
    "x_long": ({"keys": [key_with(x=KEY.public_jwk()["x"] + "A")]}, "x member is not"),
    "x_padded": ({"keys": [key_with(x=KEY.public_jwk()["x"] + "=")]}, "x member is not"),
    "x_with_spaces": ({"keys": [key_with(x=" " + KEY.public_jwk()["x"])]}, "x member is not"),
    "x_no_text": ({"keys": [key_with(x=5)]}, "x member is not"),
    "x_empty": ({"keys": [key_with(x="")]}, "x member is not"),
    "kid_no_text": ({"keys": [key_with(kid=5)]}, "kid that is not a text"),
    "kid_null": ({"keys": [key_with(kid=None)]}, "kid that is not a text"),
    "kid_empty": ({"keys": [key_with(kid="")]}, "kid that is not a text"),
    "kid_long": ({"keys": [key_with(kid="k" * 201)]}, "kid that is not a text"),
    "kid_of_two_keys": ({"keys": [KEY.public_jwk(), NEW_KEY.public_jwk() | {"kid": KEY.kid}]}, "two keys by one kid"),
    "key_twice": ({"keys": [KEY.public_jwk(), KEY.public_jwk()]}, "two keys by one kid"),
    "issuer_no_text": ({"keys": [KEY.public_jwk()], "issuer": 5}, "issuer is not a name"),
    "issuer_empty": ({"keys": [KEY.public_jwk()], "issuer": ""}, "issuer is not a name"),
    "issuer_long": ({"keys": [KEY.public_jwk()], "issuer": "v" * 201}, "issuer is not a name"),
}


@pytest.mark.parametrize(("content", "told"), DEFECTIVE.values(), ids=DEFECTIVE)
def test_trust_stores_that_cannot_be_relied_on(content: Any, told: str) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(KeyUnusable, match=told) as refused:
        TrustStore.from_jwks(data)
    assert PRIVATE_JWK["d"] not in str(refused.value)


def test_a_key_without_kid_and_alg_is_named_by_its_thumbprint() -> None:
    bare = {name: KEY.public_jwk()[name] for name in ("kty", "crv", "x")}
    assert list(TrustStore.from_jwks(json.dumps({"keys": [bare]}).encode()).keys) == [KEY.kid]


def test_a_hundred_keys_fit() -> None:
    keys = [signing_key(str(number)) for number in range(100)]
    assert len(trust_store(*keys).keys) == 100


@given(st.binary(max_size=300))
def test_any_bytes_are_a_trust_store_or_unusable(data: bytes) -> None:
    with pytest.raises(KeyUnusable):
        TrustStore.from_jwks(data)
