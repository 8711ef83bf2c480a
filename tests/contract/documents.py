"""License files that are none: each made from a good one the way it goes wrong, or the way somebody tries."""

import base64
import hashlib
import hmac
import json
from typing import Any, NamedTuple


class Bad(NamedTuple):
    """A file that must be refused, and the diagnosis it must get."""

    data: bytes
    diagnosis_code: str


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(license_file: bytes) -> dict[str, Any]:
    """The claims of a license file, read by hand."""
    claims: dict[str, Any] = json.loads(decoded(json.loads(license_file)["payload"]))
    return claims


def digest_of(license_file: bytes) -> str:
    """SHA-256 of the signed payload, in hexadecimal."""
    return hashlib.sha256(decoded(json.loads(license_file)["payload"])).hexdigest()


def header_of(license_file: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(decoded(json.loads(license_file)["signatures"][0]["protected"]))
    return header


def with_claims(license_file: bytes, **claims: Any) -> bytes:
    """The document with other claims under the old signature."""
    document = json.loads(license_file)
    document["payload"] = encoded(json.dumps(claims_of(license_file) | claims).encode())
    return json.dumps(document).encode()


def with_signature(license_file: bytes, **header: Any) -> dict[str, Any]:
    """The document with other members in its header, and no signature yet."""
    document: dict[str, Any] = json.loads(license_file)
    protected = encoded(json.dumps(header_of(license_file) | header).encode())
    document["signatures"] = [{"protected": protected, "signature": ""}]
    return document


def bad_files(good: bytes, *, by_stranger: bytes, request: bytes, public_key: str) -> dict[str, Bad]:
    """Everything that must not be taken for a license."""
    flipped = json.loads(good)
    signature = bytearray(decoded(flipped["signatures"][0]["signature"]))
    signature[0] ^= 1
    flipped["signatures"][0]["signature"] = encoded(bytes(signature))
    shared = with_signature(good, alg="HS256")
    signed = f"{shared['signatures'][0]['protected']}.{shared['payload']}".encode()
    shared["signatures"][0]["signature"] = encoded(hmac.new(decoded(public_key), signed, hashlib.sha256).digest())
    return {
        "nothing": Bad(b"", "empty"),
        "white space": Bad(b"\xef\xbb\xbf \r\n\t", "empty"),
        "random bytes": Bad(hashlib.sha512(b"noise").digest() * 20, "not_text"),
        "text": Bad(b"Dear customer, please find your license attached.", "not_json"),
        "half of it": Bad(good[: len(good) // 2], "truncated"),
        "some JSON": Bad(b'{"license": "all you want"}', "not_jws"),
        "a list": Bad(b"[]", "not_jws"),
        "twice a member": Bad(good.replace(b"{", b'{"payload": "e30",', 1), "duplicate_member"),
        "changed claims": Bad(with_claims(good, features={"run": {"kind": "switch"}}), "bad_signature"),
        "changed signature": Bad(json.dumps(flipped).encode(), "bad_signature"),
        "another vendor": Bad(by_stranger, "unknown_key"),
        "a request": Bad(request, "unknown_key"),
        "no algorithm": Bad(json.dumps(with_signature(good, alg="none")).encode(), "unsigned"),
        "a shared secret": Bad(json.dumps(shared).encode(), "symmetric_algorithm"),
        "no signatures": Bad(json.dumps(json.loads(good) | {"signatures": []}).encode(), "not_jws"),
        "far too much": Bad(b" " * (300 * 1024), "too_large"),
    }


def as_mailed(good: bytes) -> dict[str, bytes]:
    """What happens to a good file on its way, and must not matter."""
    return {
        "CRLF": good.replace(b"\n", b"\r\n"),
        "BOM": b"\xef\xbb\xbf" + good,
        "spaces": b"\n  " + good + b"   \n\n",
        "everything": b"\xef\xbb\xbf\r\n" + good.replace(b"\n", b"\r\n") + b" \r\n",
    }
