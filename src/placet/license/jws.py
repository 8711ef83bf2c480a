"""Signed documents: JWS in JSON general serialization (RFC 7515 section 7.2.1), signed with Ed25519.

Every document Placet signs has its own ``typ``, so that one is never taken for another (RFC 8725 section 3.11).
Reading fails closed, in the numbered steps of DESIGN section 4; the first failure wins.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import OKPKey

from placet.license.base64url import decode, is_base64url
from placet.license.diagnosis import Diagnosis, DocumentRejected, rejected
from placet.license.keys import ALGORITHM, SigningKey
from placet.license.strict_json import loads

SIZE_CAP = 256 * 1024
_MAX_SIGNATURES = 8
_USUAL_HEADER = 512
_BOM = "\ufeff"


class DocumentType(StrEnum):
    """The ``typ`` of each document Placet signs."""

    LICENSE = "placet-license+jws"
    REQUEST = "placet-license-request+jws"
    STATUS_LIST = "placet-status-list+jws"
    LEASE = "placet-lease+jws"


class Signature(msgspec.Struct, frozen=True):
    """One signature of an envelope: its protected header, and both parts as they were encoded."""

    header: Mapping[str, Any]
    protected: str
    signature: str


class Envelope(msgspec.Struct, frozen=True):
    """A JWS taken apart, nothing verified yet. ``text`` is the file without BOM and surrounding white space."""

    text: str
    payload: str
    signatures: tuple[Signature, ...]


KeyFinder = Callable[[Mapping[str, Any]], OKPKey | None]


def sign(claims: Mapping[str, Any], *, typ: DocumentType, keys: Sequence[SigningKey], embed_key: bool = False) -> bytes:
    """Sign ``claims`` as a JSON payload with every key; ``embed_key`` puts the public JWK into the header.

    Raises ``ValueError`` where there is no key, or a claim is no value of JSON.
    """
    if not keys:
        raise ValueError("A document needs at least one key to sign it.")
    payload = json.dumps(claims, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    signatures: list[Any] = []
    for key in keys:
        header: dict[str, Any] = {"alg": ALGORITHM, "kid": key.kid, "typ": str(typ)}
        if embed_key:
            header["jwk"] = key.public_jwk()
        signed = jws.serialize_json([{"protected": header}], payload, key.jwk, algorithms=[ALGORITHM])
        signatures.append(signed["signatures"][0])
        encoded = signed["payload"]
    return (json.dumps({"payload": encoded, "signatures": signatures}, indent=1) + "\n").encode()


def read_envelope(data: bytes) -> Envelope:
    """Steps 1 and 2: the size cap, then the envelope.

    Takes off what mail adds around a document (BOM, spaces, CRLF) and nothing else. Raises
    :class:`DocumentRejected`.
    """
    if len(data) > SIZE_CAP:  # 1. size cap
        raise rejected(
            Diagnosis.TOO_LARGE,
            f"Not a license: the file has more than the {SIZE_CAP:,} bytes a license can have. "
            "Check that this is the right file.",
        )
    try:  # 2. envelope
        text = data.decode().strip().removeprefix(_BOM).strip()
    except UnicodeDecodeError:
        raise rejected(
            Diagnosis.NOT_TEXT,
            "Not a license: the file is not text in UTF-8. Check that this is the right file.",
        ) from None
    if not text:
        raise rejected(Diagnosis.EMPTY, "Not a license: the file is empty. Get it again from the vendor.")
    return _take_apart(text)


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    protected: str
    signature: str


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    payload: str
    signatures: list[_Entry]


_READER = msgspec.json.Decoder(_Document)


def _take_apart(text: str) -> Envelope:
    match _plain(text) or loads(text):
        case _Document(payload=payload, signatures=plain) if (
            is_base64url(payload) and 0 < len(plain) <= _MAX_SIGNATURES
        ):
            return Envelope(text, payload, tuple(_signature(entry.protected, entry.signature) for entry in plain))
        case {"payload": str(payload), "signatures": list(entries), **others} if (
            not others and is_base64url(payload) and 0 < len(entries) <= _MAX_SIGNATURES
        ):
            return Envelope(text, payload, tuple(_entry(entry) for entry in entries))
    raise rejected(
        Diagnosis.NOT_JWS,
        "Not a license: the file is JSON, but not a signed document (JWS, RFC 7515). "
        "Check that this is the file the vendor sent.",
    )


def _plain(text: str) -> _Document | None:
    """Read an envelope quickly, where each of its quotation marks is of a member that belongs there, or its value.

    Then nothing in it is escaped and no member occurs twice: what makes reading strictly slow cannot be there.
    """
    try:
        document = _READER.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    is_plain = "\\" not in text and text.count('"') == 6 + 8 * len(document.signatures)
    return document if is_plain else None


def _entry(entry: object) -> Signature:
    match entry:
        case {"protected": str(protected), "signature": str(signature), **others} if not others:
            return _signature(protected, signature)
    raise _no_signature()


def _signature(protected: str, signature: str) -> Signature:
    if is_base64url(protected) and (is_base64url(signature) or not signature):
        header = _header(protected)
        if isinstance(header, dict) and not {"crit", "b64"} & header.keys() and isinstance(header.get("typ", ""), str):
            return Signature(header, protected, signature)
    raise _no_signature()


def _no_signature() -> DocumentRejected:
    return rejected(
        Diagnosis.NOT_JWS,
        "Not a license: a signature of the document is not of the form RFC 7515 section 7.2.1 describes.",
    )


def _header(protected: str) -> Any:
    return _known_header(protected) if len(protected) <= _USUAL_HEADER else _read_header(protected)


@lru_cache(maxsize=64)  # a key signs all documents of a type under the same header
def _known_header(protected: str) -> Any:
    return _read_header(protected)


def _read_header(protected: str) -> Any:
    try:
        return loads(decode(protected).decode())
    except DocumentRejected as error:
        if error.rejection.diagnosis is Diagnosis.DUPLICATE_MEMBER:
            raise
        return None
    except ValueError:
        return None


def check_signatures(envelope: Envelope, find_key: KeyFinder) -> tuple[bytes, Signature]:
    """Steps 3 and 4: a known key, then its signature. Answers the payload and the signature that counts.

    Signatures by unknown keys are passed over as long as one is by a known key; every signature by a known key
    has to verify. Raises :class:`DocumentRejected`.
    """
    known = []
    for signature in envelope.signatures:  # 3. a known key, and the algorithm that belongs to it
        key = find_key(signature.header)
        _check_algorithm(signature.header.get("alg"), known=key is not None)
        if key is not None:
            known.append((signature, key))
    if not known:
        kid = str(envelope.signatures[0].header.get("kid", "(none)"))
        raise rejected(
            Diagnosis.UNKNOWN_KEY,
            f"Signed by an unknown key: this server's trust store has no key {kid[:60]!r}. "
            "Either the file is not from this vendor, or the vendor has new keys and the trust store must be renewed.",
        )
    for signature, key in known:  # 4. signature
        payload = _verified_payload(envelope, signature, key)
    return payload, known[0][0]


def _check_algorithm(algorithm: object, *, known: bool) -> None:
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise rejected(
            Diagnosis.UNSIGNED,
            "Not signed: the file names no signature algorithm, so anyone could have made it.",
        )
    if algorithm.upper().startswith("HS"):
        raise rejected(
            Diagnosis.SYMMETRIC_ALGORITHM,
            f"Not signed by the vendor: {algorithm[:20]!r} uses a shared secret, and this server's keys are public.",
        )
    if known and algorithm != ALGORITHM:
        raise rejected(
            Diagnosis.ALGORITHM_MISMATCH,
            f"Signature does not fit its key: the file says {algorithm[:20]!r}, and the key is for {ALGORITHM}.",
        )


def _verified_payload(envelope: Envelope, signature: Signature, key: OKPKey) -> bytes:
    """Verify over the very characters that came (RFC 7515 section 5.2); answers the payload they stand for."""
    try:
        signed = f"{signature.protected}.{envelope.payload}".encode()
        cast("Ed25519PublicKey", key.public_key).verify(decode(signature.signature), signed)
        return decode(envelope.payload)
    except (InvalidSignature, ValueError):
        raise rejected(
            Diagnosis.BAD_SIGNATURE,
            "Signature does not verify: the file was changed after the vendor signed it, or damaged on its way. "
            "Get it again from the vendor.",
        ) from None


def check_type(signature: Signature, typ: DocumentType) -> None:
    """Step 5, first half: the document is of the type that is expected here."""
    found = signature.header.get("typ")
    if found != typ:
        raise rejected(
            Diagnosis.WRONG_TYPE,
            f"Not a {_NAMES[typ]}: it was signed as {str(found)[:60]!r}, and {str(typ)!r} is needed here.",
        )


_NAMES = {
    DocumentType.LICENSE: "license",
    DocumentType.REQUEST: "license request",
    DocumentType.STATUS_LIST: "status list",
    DocumentType.LEASE: "lease",
}
