"""The vendor's directory: private keys, the trust store for customers, and the ledger.

::

    vendor.json          the vendor's name and which key signs, written last: without it there is no vendor here
    keys/<kid>.pem       private keys, PKCS #8 (RFC 5958), encrypted where a passphrase was given
    trust.jwks.json      every public key, for customers' servers (JWK Set, RFC 7517)
    ledger.jsonl         what was issued and revoked
    status-list.json     the newest list of revoked licenses, once there is one

The directory has mode 0700 and its files 0600 whatever the umask; the trust store and the status list are public.
"""

import errno
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from placet.license.keys import TRUST_STORE_CAP, KeyUnusable, SigningKey, TrustStore
from placet.license.terms import Text
from placet.vendor.failures import Failed, Mistaken, Refused
from placet.vendor.files import PRIVATE, PUBLIC, read_capped, write_whole
from placet.vendor.ledger import EntryKind, Ledger
from placet.vendor.words import one_line

MOST_KEYS = 100
LONGEST_PASSPHRASE = 1000
_FILE_CAP = 64 * 1024
_CONTENTS = ("vendor.json", "trust.jwks.json", "ledger.jsonl")


class VendorFile(msgspec.Struct, frozen=True, kw_only=True):
    """What ``vendor.json`` says."""

    format: Literal["1"] = "1"
    name: Text
    active_kid: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$")]


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor: the directory, the name that licenses carry as ``iss``, and the ``kid`` of the key that signs."""

    directory: Path
    name: str
    active_kid: str

    @property
    def key_path(self) -> Path:
        """The file of the private key that signs."""
        return _key_path(self.directory, self.active_kid)

    @property
    def trust_path(self) -> Path:
        """The trust store, to be given to customers."""
        return self.directory / "trust.jwks.json"

    @property
    def status_list_path(self) -> Path:
        """The newest status list, to be given to customers."""
        return self.directory / "status-list.json"

    @property
    def ledger(self) -> Ledger:
        """The ledger of what was issued and revoked."""
        return Ledger(self.directory / "ledger.jsonl", self.trust)

    def trust(self) -> TrustStore:
        """Read the trust store; raises :class:`Failed` when it is damaged, and ``OSError``."""
        try:
            return TrustStore.from_jwks(read_capped(self.trust_path, TRUST_STORE_CAP))
        except KeyUnusable as error:
            raise Failed(f"{self.trust_path} is damaged. {error}") from None

    def is_protected(self) -> bool:
        """Whether a passphrase is needed to sign; raises ``OSError``."""
        return _is_encrypted(read_capped(self.key_path, _FILE_CAP))

    def unlock(self, passphrase: bytes | None) -> SigningKey:
        """Answer the key that signs. ``passphrase`` is ignored where the key is not protected by one.

        Raises :class:`Refused` when the passphrase is missing or wrong, :class:`Failed` when the file is damaged, and
        ``OSError``.
        """
        pem = read_capped(self.key_path, _FILE_CAP)
        protected = _is_encrypted(pem)
        if protected and not passphrase:
            raise Refused(f"The key {self.key_path} is protected by a passphrase, and none was given.")
        try:
            key = SigningKey.from_pem(pem, passphrase if protected else None)
        except KeyUnusable as error:
            if protected:
                raise Refused(f"The passphrase does not open {self.key_path}. Nothing was signed.") from None
            raise Failed(f"{self.key_path} is damaged. {error}") from None
        if key.kid != self.active_kid:
            raise Failed(f"{self.key_path} holds another key than its name says ({key.kid}). Restore it from a backup.")
        return key


def create_vendor(directory: Path, name: str, passphrase: bytes | None, now: datetime) -> Vendor:
    """Make a vendor in a new or empty directory, with a first key; all of it, or nothing.

    Raises :class:`Mistaken` for a name or passphrase that cannot be used, :class:`Refused` when the directory is a
    vendor's already or holds anything else, and ``OSError``.
    """
    name = one_line("name", name, 200)
    _check_passphrase(passphrase)
    key = SigningKey.generate()
    made = _claim(directory)
    try:
        write_whole(_key_path(directory, key.kid), key.to_pem(passphrase), mode=PRIVATE, replace=False)
        vendor = Vendor(directory=directory, name=name, active_kid=key.kid)
        _write_trust(vendor, [key.public_jwk()])
        vendor.ledger.create(key, now)
        _write_vendor_file(vendor)
    except BaseException:
        shutil.rmtree(directory if made else directory / "keys", ignore_errors=True)
        for left in _CONTENTS:
            (directory / left).unlink(missing_ok=True)
        raise
    return vendor


def open_vendor(directory: Path) -> Vendor:
    """Read a vendor's directory; raises :class:`Refused` where it is none, :class:`Failed`, and ``OSError``."""
    path = directory / "vendor.json"
    try:
        data = read_capped(path, _FILE_CAP)
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            f"{directory} is not a vendor's directory: it has no vendor.json. "
            f"Make a new one with: placet vendor init {directory} --name NAME"
        ) from None
    try:
        content = msgspec.json.decode(data, type=VendorFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read: {error}. Restore it from a backup.") from None
    return Vendor(directory=directory, name=content.name, active_kid=content.active_kid)


def rotate(vendor: Vendor, passphrase: bytes | None, now: datetime) -> Vendor:
    """Make a new key, trust it beside the old ones, and sign with it from now on.

    Licenses signed by the old keys stay valid. ``passphrase`` protects the new key. Raises :class:`Refused` when it
    is missing though the old key has one, :class:`Mistaken`, :class:`Failed`, and ``OSError``.
    """
    _check_passphrase(passphrase)
    if vendor.is_protected() and not passphrase:
        raise Refused("The key in use is protected by a passphrase, and none was given for the new one.")
    key = SigningKey.generate()
    with vendor.ledger.locked() as page:
        trusted = _trusted_keys(vendor)
        if len(trusted) >= MOST_KEYS:
            raise Refused(f"The trust store holds {len(trusted)} keys, and servers read at most {MOST_KEYS}.")
        write_whole(_key_path(vendor.directory, key.kid), key.to_pem(passphrase), mode=PRIVATE, replace=False)
        _write_trust(vendor, [*trusted, key.public_jwk()])  # trusted before it is named, so a crash breaks nothing
        page.append(key, EntryKind.KEY_CREATED, now)
        rotated = Vendor(directory=vendor.directory, name=vendor.name, active_kid=key.kid)
        _write_vendor_file(rotated)
    return rotated


def _claim(directory: Path) -> bool:
    """Take ``directory`` for a new vendor, against anyone else doing the same; answers whether it was made here."""
    made = _make(directory)
    present = {entry.name for entry in directory.iterdir()}
    if "vendor.json" in present:
        raise Refused(f"{directory} is a vendor's directory already. Nothing was changed.")
    if "keys" in present or present & set(_CONTENTS):
        raise Refused(
            f"{directory} holds parts of a vendor's directory, but no vendor.json. Nothing was changed. "
            "Restore vendor.json from a backup, or choose another directory."
        )
    if present:
        raise Refused(f"{directory} is not empty. Nothing was changed. Choose a new or an empty directory.")
    try:
        (directory / "keys").mkdir()
    except FileExistsError:
        raise Refused(f"{directory} has just become a vendor's directory. Nothing was changed.") from None
    for private in (directory, directory / "keys"):
        private.chmod(0o700)
    return made


def _make(directory: Path) -> bool:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise OSError(errno.ENOTDIR, "There is a file where a directory is needed", str(directory)) from None
        return False
    return True


def _key_path(directory: Path, kid: str) -> Path:
    return directory / "keys" / f"{kid}.pem"


def _is_encrypted(pem: bytes) -> bool:
    return b"BEGIN ENCRYPTED PRIVATE KEY" in pem


def _check_passphrase(passphrase: bytes | None) -> None:
    if passphrase is not None and len(passphrase) > LONGEST_PASSPHRASE:
        raise Mistaken(f"The passphrase has {len(passphrase):,} bytes, and may have {LONGEST_PASSPHRASE:,}.")


def _trusted_keys(vendor: Vendor) -> list[Any]:
    vendor.trust()  # damaged, it is not built upon
    document = json.loads(read_capped(vendor.trust_path, TRUST_STORE_CAP))
    return list(document["keys"])


def _write_trust(vendor: Vendor, keys: Sequence[Any]) -> None:
    document = {"issuer": vendor.name, "keys": list(keys)}
    write_whole(vendor.trust_path, _json(document), mode=PUBLIC)


def _write_vendor_file(vendor: Vendor) -> None:
    content = VendorFile(name=vendor.name, active_kid=vendor.active_kid)
    write_whole(vendor.directory / "vendor.json", _json(msgspec.to_builtins(content)), mode=PRIVATE)


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
