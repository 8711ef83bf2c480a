import json
import os
import stat
from datetime import datetime
from pathlib import Path

import pytest

from placet.license import SigningKey, TrustStore, verify
from placet.vendor import keystore
from placet.vendor.failures import Failed, Mistaken, Refused
from placet.vendor.issue import Order, issue
from placet.vendor.keystore import MOST_KEYS, Vendor, create_vendor, open_vendor, rotate


def modes(directory: Path) -> dict[str, int]:
    return {
        path.relative_to(directory).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (directory, *directory.rglob("*"))
    }


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("there_already", [False, True])
def test_files_are_private_whatever_the_umask(tmp_path: Path, now: datetime, umask: int, there_already: bool) -> None:
    directory = tmp_path / "vendor"
    if there_already:
        directory.mkdir(mode=0o755)
    before = os.umask(umask)
    try:
        vendor = rotate(create_vendor(directory, "ACME", None, now), None, now)
    finally:
        os.umask(before)
    found = modes(directory)
    assert found.pop("trust.jwks.json") == 0o644
    assert {name for name, mode in found.items() if mode == 0o700} == {".", "keys"}
    assert {mode for name, mode in found.items() if name not in {".", "keys"}} == {0o600}
    assert f"keys/{vendor.active_kid}.pem" in found


def test_what_was_made_is_read_again(vendor: Vendor) -> None:
    opened = open_vendor(vendor.directory)
    assert opened == vendor
    assert opened.name == "ACME Software"
    assert opened.unlock(None).kid == opened.active_kid
    trust = TrustStore.from_jwks(opened.trust_path.read_bytes())
    assert trust.issuer == "ACME Software"
    assert set(trust.keys) == {opened.active_kid}
    assert [entry.kind for entry in opened.ledger.read().entries] == ["key_created"]


def test_an_existing_vendor_is_never_overwritten(vendor: Vendor, now: datetime) -> None:
    before = {path: path.read_bytes() for path in vendor.directory.rglob("*") if path.is_file()}
    with pytest.raises(Refused, match=r"is a vendor's directory already\. Nothing was changed"):
        create_vendor(vendor.directory, "Another", b"secret", now)
    assert {path: path.read_bytes() for path in vendor.directory.rglob("*") if path.is_file()} == before


def test_neither_are_the_remains_of_one(vendor: Vendor, now: datetime) -> None:
    (vendor.directory / "vendor.json").unlink()
    with pytest.raises(Refused, match=r"parts of a vendor's directory, but no vendor\.json"):
        create_vendor(vendor.directory, "Another", None, now)
    assert vendor.key_path.exists()


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path, now: datetime) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Refused, match="is not empty"):
        create_vendor(tmp_path, "ACME", None, now)
    assert modes(tmp_path)["."] == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("there_already", [False, True])
def test_a_failure_half_way_leaves_nothing(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, there_already: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    directory = tmp_path / "vendor"
    if there_already:
        directory.mkdir()
    monkeypatch.setattr(keystore, "_write_vendor_file", full)
    with pytest.raises(OSError, match="No space left"):
        create_vendor(directory, "ACME", None, now)
    assert directory.exists() == there_already
    assert not there_already or list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "two\nlines", "\x1b[2J"])
def test_a_name_is_one_printable_line(tmp_path: Path, now: datetime, name: str) -> None:
    with pytest.raises(Mistaken, match="The name"):
        create_vendor(tmp_path / "vendor", name, None, now)
    assert not (tmp_path / "vendor").exists()


def test_a_file_is_no_directory(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        create_vendor(tmp_path / "file", "ACME", None, now)
    with pytest.raises(Refused, match="is not a vendor's directory"):
        open_vendor(tmp_path / "file")


def test_an_encrypted_key_is_really_encrypted(tmp_path: Path, now: datetime) -> None:
    vendor = create_vendor(tmp_path / "vendor", "ACME", b"correct horse", now)
    pem = vendor.key_path.read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert vendor.is_protected()
    assert vendor.unlock(b"correct horse").kid == vendor.active_kid
    with pytest.raises(Refused, match=r"The passphrase does not open .* Nothing was signed"):
        vendor.unlock(b"wrong")
    with pytest.raises(Refused, match="is protected by a passphrase, and none was given"):
        vendor.unlock(None)
    everything = b"".join(path.read_bytes() for path in vendor.directory.rglob("*") if path.is_file())
    assert b"correct horse" not in everything
    assert b'"d"' not in everything


def test_a_passphrase_for_a_key_without_one_is_ignored(vendor: Vendor) -> None:
    assert not vendor.is_protected()
    assert vendor.unlock(b"not needed").kid == vendor.active_kid


def test_a_passphrase_is_capped(tmp_path: Path, vendor: Vendor, now: datetime) -> None:
    with pytest.raises(Mistaken, match="1,001 bytes"):
        create_vendor(tmp_path / "other", "ACME", b"x" * 1001, now)
    with pytest.raises(Mistaken, match="1,001 bytes"):
        rotate(vendor, b"x" * 1001, now)
    longest = create_vendor(tmp_path / "other", "ACME", b"x" * 1000, now)
    assert longest.unlock(b"x" * 1000).kid == longest.active_kid


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"format":"2","name":"A","active_kid":"x"}', b'{"format":"1","name":"A"}'],
)
def test_a_damaged_vendor_file_is_told(vendor: Vendor, content: bytes) -> None:
    (vendor.directory / "vendor.json").write_bytes(content)
    with pytest.raises(Failed, match=r"vendor.json cannot be read: .* from a backup"):
        open_vendor(vendor.directory)


def test_the_active_key_cannot_be_named_outside_the_directory(vendor: Vendor) -> None:
    content = {"format": "1", "name": "A", "active_kid": "../../../../etc/passwd".ljust(43, "x")}
    (vendor.directory / "vendor.json").write_text(json.dumps(content))
    with pytest.raises(Failed, match="cannot be read"):
        open_vendor(vendor.directory)


@pytest.mark.parametrize("name", ["vendor.json", "trust.jwks.json", "key"])
def test_files_of_absurd_size_are_told(vendor: Vendor, order: Order, now: datetime, name: str) -> None:
    path = vendor.key_path if name == "key" else vendor.directory / name
    path.write_bytes(b" " * 300_000)
    with pytest.raises(Failed, match="has more than"):
        issue(open_vendor(vendor.directory), open_vendor(vendor.directory).unlock(None), order, now)


def test_damaged_keys_are_told(vendor: Vendor) -> None:
    vendor.key_path.write_bytes(SigningKey.generate().to_pem())
    with pytest.raises(Failed, match="holds another key than its name says"):
        vendor.unlock(None)
    vendor.key_path.write_bytes(b"not a key")
    with pytest.raises(Failed, match="is damaged"):
        vendor.unlock(None)
    vendor.trust_path.write_bytes(b"{}")
    with pytest.raises(Failed, match=r"trust\.jwks\.json is damaged"):
        vendor.trust()


def test_rotation_keeps_what_the_old_key_signed(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    old = issue(vendor, key, order, now)
    rotated = rotate(vendor, b"secret", now)
    assert rotated.active_kid != vendor.active_kid
    assert open_vendor(vendor.directory) == rotated
    new = issue(rotated, rotated.unlock(b"secret"), order, now)
    trust = TrustStore.from_jwks(rotated.trust_path.read_bytes())
    assert set(trust.keys) == {vendor.active_kid, rotated.active_kid}
    assert trust.issuer == "ACME Software"
    assert verify(old.signed, trust).key_id == vendor.active_kid
    assert verify(new.signed, trust).key_id == rotated.active_kid
    assert vendor.key_path.exists()
    assert [entry.kind for entry in rotated.ledger.read().entries] == ["key_created", "issued", "key_created", "issued"]


def test_rotation_never_drops_protection_silently(tmp_path: Path, now: datetime) -> None:
    vendor = create_vendor(tmp_path / "vendor", "ACME", b"secret", now)
    with pytest.raises(Refused, match="none was given for the new one"):
        rotate(vendor, None, now)
    assert open_vendor(vendor.directory) == vendor


def test_a_trust_store_never_grows_past_what_servers_read(vendor: Vendor, now: datetime) -> None:
    document = json.loads(vendor.trust_path.read_bytes())
    document["keys"] += [SigningKey.generate().public_jwk() for _ in range(MOST_KEYS - 1)]
    vendor.trust_path.write_text(json.dumps(document))
    with pytest.raises(Refused, match="holds 100 keys"):
        rotate(vendor, None, now)
    assert len(vendor.trust().keys) == MOST_KEYS
