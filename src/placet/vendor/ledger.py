"""The vendor's ledger: every key made, every license issued and revoked, one JSON object a line, only appended to.

1. Each entry holds in ``previous`` the SHA-256 of the line before it (without its line feed), the first 64 zeros.
2. Each line is signed by the key it names in ``kid`` (last member, ``signature``: Ed25519, base64url, over a prefix
   that no other document has, and the line without that member). The last line's signature therefore vouches for
   the whole chain; what nobody can see from the file alone is whether whole lines were cut off its end, so the
   SHA-256 of the last line, the *head*, is told to be noted elsewhere.
3. An entry is on the disk before what it speaks of leaves the house.
4. Writers lock the file, so sequence numbers are never given twice. A line without its line feed was torn by a
   crash; nothing left the house for it.
"""

import fcntl
import hashlib
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from placet.license.instants import rfc3339
from placet.license.keys import SigningKey, TrustStore
from placet.license.terms import LARGEST_LIMIT, LongText, NumericDate, Text
from placet.vendor.failures import Failed
from placet.vendor.files import PRIVATE, write_all, write_whole

LINE_CAP = 128 * 1024  # a license may name a thousand features, and each with 63 characters
START = "0" * 64
_CONTEXT = b"placet-ledger-entry\n"
_SEALED = re.compile(rb'(?P<body>\{.*),"signature":"(?P<signature>[A-Za-z0-9_-]{86})"\}', re.DOTALL)

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class EntryKind(StrEnum):
    """What an entry records."""

    KEY_CREATED = "key_created"
    ISSUED = "issued"
    REVOKED = "revoked"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the ledger; ``at`` is RFC 3339, ``exp`` and ``grace_until`` are NumericDates.

    ``digest`` is the SHA-256 of the payload that was signed (the license, or the status list), ``kid`` the key that
    signed it (or was made), ``server_key`` the thumbprint of the key that signed the request, ``file`` the name
    under which the license was written, absent where it was printed, ``features`` the names the license grants.
    """

    sequence: Annotated[int, Meta(ge=1, le=LARGEST_LIMIT)]
    at: Text
    kind: EntryKind
    kid: Text
    previous: Digest
    jti: Text | None = None
    serial_number: Text | None = None
    customer: Text | None = None
    exp: NumericDate | None = None
    grace_until: NumericDate | None = None
    digest: Digest | None = None
    server_key: Text | None = None
    replaces: Text | None = None
    file: LongText | None = None
    reason: LongText | None = None
    features: tuple[Text, ...] = ()


class LedgerContents(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of a verified ledger, oldest first, and its ``head``, the SHA-256 of its last line."""

    entries: tuple[Entry, ...]
    head: str

    def find(self, kind: EntryKind, jti: str) -> Entry | None:
        """Answer the entry of that kind about the license ``jti``, if there is one."""
        return next((entry for entry in self.entries if entry.kind is kind and entry.jti == jti), None)

    @property
    def next_sequence(self) -> int:
        """The sequence number of the entry that comes next."""
        return len(self.entries) + 1


class LedgerPage:
    """The locked ledger: what it holds, and :meth:`append`, once, for what comes next."""

    def __init__(self, descriptor: int, contents: LedgerContents) -> None:
        self.contents = contents
        self._descriptor = descriptor

    def append(self, key: SigningKey, kind: EntryKind, at: datetime, **facts: Any) -> Entry:
        """Append an entry signed by ``key`` and wait until it is on the disk; raises ``OSError``, nothing written."""
        contents = self.contents
        entry = Entry(
            sequence=contents.next_sequence,
            at=rfc3339(at.replace(microsecond=0)),
            kind=kind,
            kid=key.kid,
            previous=contents.head,
            **facts,
        )
        line = seal(entry, key)
        end = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, line + b"\n")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise
        self.contents = LedgerContents(entries=(*contents.entries, entry), head=_hash(line))
        return entry


class Ledger:
    """The ledger at ``path``; ``read_trust`` answers the vendor's public keys, and is asked with the ledger locked."""

    def __init__(self, path: Path, read_trust: Callable[[], TrustStore]) -> None:
        self.path = path
        self._read_trust = read_trust

    def create(self, key: SigningKey, at: datetime) -> None:
        """Write a new ledger whose first entry is the creation of ``key``; raises ``Refused`` where there is one."""
        at_second = rfc3339(at.replace(microsecond=0))
        first = Entry(sequence=1, at=at_second, kind=EntryKind.KEY_CREATED, kid=key.kid, previous=START)
        write_whole(self.path, seal(first, key) + b"\n", mode=PRIVATE, replace=False)

    def read(self) -> LedgerContents:
        """Verify and answer the whole ledger; raises :class:`Failed` when it is damaged, and ``OSError``."""
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return verify_ledger(file, self._read_trust())

    @contextmanager
    def locked(self) -> Iterator[LedgerPage]:
        """Lock the ledger against every other writer and verify it; raises like :meth:`read`."""
        with self.path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            contents = verify_ledger(file, self._read_trust())
            file.seek(0, os.SEEK_END)
            yield LedgerPage(file.fileno(), contents)

    def repair(self) -> Path | None:
        """Set a torn last line aside, into a file of its own; answers that file, or None where nothing was torn.

        A last line that is whole and only lacks its line feed gets it. Raises :class:`Failed` when the ledger is
        damaged in any other way.
        """
        with self.path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            trust = self._read_trust()
            lines, torn = _scan(file)
            contents = _verify(lines, trust)
            if not torn:
                return None
            if _continues(contents, torn, trust):
                file.seek(0, os.SEEK_END)
                file.write(b"\n")
                file.flush()
                os.fsync(file.fileno())
                return None
            aside = self.path.with_name(f"ledger-torn-{contents.next_sequence}-{_hash(torn)[:8]}.txt")
            write_whole(aside, torn, mode=PRIVATE)
            file.truncate(file.seek(-len(torn), os.SEEK_END))
            file.flush()
            os.fsync(file.fileno())
            return aside


def seal(entry: Entry, key: SigningKey) -> bytes:
    """Answer the entry as its signed line, without line feed."""
    encoded = msgspec.json.encode(entry)
    private_key = key.jwk.private_key
    if not isinstance(private_key, Ed25519PrivateKey):
        raise Failed(f"The key {key.kid} has no private half that could sign the ledger.")
    signature = urlsafe_b64encode(private_key.sign(_CONTEXT + encoded)).rstrip(b"=")
    return encoded[:-1] + b',"signature":"' + signature + b'"}'


def verify_ledger(file: IO[bytes], trust: TrustStore) -> LedgerContents:
    """Read and verify a ledger from its beginning; raises :class:`Failed`, saying which line is damaged and how."""
    lines, torn = _scan(file)
    contents = _verify(lines, trust)
    if torn:
        raise Failed(
            f"Line {len(lines) + 1} of the ledger, the last, is torn: it has {len(torn):,} bytes and no end, as a "
            "crash leaves it. No license was handed out for it. Set it aside with: placet vendor ledger DIR --repair"
        )
    return contents


def _scan(file: IO[bytes]) -> tuple[list[bytes], bytes]:
    """Answer the whole lines, and what follows the last line feed."""
    file.seek(0)
    lines: list[bytes] = []
    while line := file.readline(LINE_CAP + 1):
        if len(line) > LINE_CAP:
            raise Failed(f"Line {len(lines) + 1} of the ledger has more than {LINE_CAP:,} bytes. {_RESTORE}")
        if not line.endswith(b"\n"):
            return lines, line
        lines.append(line[:-1])
    return lines, b""


_RESTORE = "Restore ledger.jsonl from a backup."


def _verify(lines: list[bytes], trust: TrustStore) -> LedgerContents:
    if not lines:
        raise Failed(f"The ledger is empty, and its first entry is as old as the vendor's first key. {_RESTORE}")
    entries: list[Entry] = []
    head = START
    for number, line in enumerate(lines, start=1):
        entry = _entry(line, number)
        if entry.previous != head:
            culprit = f"line {number - 1} or line {number}" if number > 1 else "its first line"
            raise Failed(
                f"The ledger was tampered with or damaged: {culprit} is not as it was written ('previous' of line "
                f"{number} does not fit). {_RESTORE}"
            )
        if entry.sequence != number:
            raise Failed(f"Line {number} of the ledger has the sequence number {entry.sequence}. {_RESTORE}")
        entries.append(entry)
        head = _hash(line)
    if not _is_signed(lines[-1], entries[-1], trust):
        raise Failed(
            f"The ledger was tampered with or damaged: the signature of line {len(lines)}, the last, does not verify "
            f"with the key {entries[-1].kid[:60]}. {_RESTORE}"
        )
    return LedgerContents(entries=tuple(entries), head=head)


def _entry(line: bytes, number: int) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed(f"Line {number} of the ledger cannot be read: {str(error)[:200]}. {_RESTORE}") from None


def _continues(contents: LedgerContents, line: bytes, trust: TrustStore) -> bool:
    try:
        entry = _entry(line, contents.next_sequence)
    except Failed:
        return False
    follows = (entry.previous, entry.sequence) == (contents.head, contents.next_sequence)
    return follows and _is_signed(line, entry, trust)


def _is_signed(line: bytes, entry: Entry, trust: TrustStore) -> bool:
    sealed = _SEALED.fullmatch(line)
    key = trust.keys.get(entry.kid)
    public_key = key.public_key if key is not None else None
    if sealed is None or not isinstance(public_key, Ed25519PublicKey):
        return False
    try:
        public_key.verify(urlsafe_b64decode(sealed["signature"] + b"=="), _CONTEXT + sealed["body"] + b"}")
    except InvalidSignature:
        return False
    return True


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
