"""Signed documents: JWS in JSON general serialization (RFC 7515 section 7.2.1), signed with Ed25519.

Every document Placet signs has its own ``typ``, so that one is never taken for another (RFC 8725 section 3.11).
Reading fails closed, in the numbered steps of DESIGN section 4; the first failure wins.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from placet.license.diagnosis import Diagnosis, DocumentRejected, rejected
from placet.license.keys import ALGORITHM, SigningKey
from placet.license.strict_json import loads

SIZE_CAP = 256 * 1024
_MAX_SIGNATURES = 8
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
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


class _Registry(JWSRegistry):
    """What is in the size cap is not too large for its parts."""

    max_header_length = SIZE_CAP
    max_payload_length = SIZE_CAP


# Header members that are not known are ignored (RFC 7515 section 4); ``crit`` is refused before.
_REGISTRY = _Registry(algorithms=[ALGORITHM], strict_check_header=False)


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


def _take_apart(text: str) -> Envelope:
    document = loads(text)
    match document:
        case {"payload": str(payload), "signatures": list(entries), **others} if (
            not others and _BASE64URL.fullmatch(payload) and 0 < len(entries) <= _MAX_SIGNATURES
        ):
            return Envelope(text, payload, tuple(_signature(entry) for entry in entries))
    raise rejected(
        Diagnosis.NOT_JWS,
        "Not a license: the file is JSON, but not a signed document (JWS, RFC 7515). "
        "Check that this is the file the vendor sent.",
    )


def _signature(entry: object) -> Signature:
    match entry:
        case {"protected": str(protected), "signature": str(signature), **others} if (
            not others and _BASE64URL.fullmatch(protected) and (_BASE64URL.fullmatch(signature) or not signature)
        ):
            header = _header(protected)
            if (
                isinstance(header, dict)
                and not {"crit", "b64"} & header.keys()
                and isinstance(header.get("typ", ""), str)
            ):
                return Signature(header, protected, signature)
    raise rejected(
        Diagnosis.NOT_JWS,
        "Not a license: a signature of the document is not of the form RFC 7515 section 7.2.1 describes.",
    )


def _header(protected: str) -> Any:
    try:
        return loads(urlsafe_b64decode(protected.encode()).decode())
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
    document: Any = {
        "payload": envelope.payload,
        "signatures": [{"protected": signature.protected, "signature": signature.signature}],
    }
    try:
        return cast("bytes", jws.deserialize_json(document, key, registry=_REGISTRY).payload)
    except (JoseError, ValueError):
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
