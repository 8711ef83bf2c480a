"""Passphrases of ``placet vendor``: asked for, taken from the environment, and never told."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from vendor_support.commands import (
    PASSPHRASE,
    SERIAL,
    made_vendor,
    on_a_terminal,
    process,
    terms_of,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return made_vendor(tmp_path / "vendor")


@pytest.fixture
def protected(tmp_path: Path) -> Path:
    done = process("init", tmp_path / "safe", "--name", "ACME", passphrase=PASSPHRASE)
    assert done.returncode == 0
    assert ", protected by a passphrase\n" in done.stdout
    return tmp_path / "safe"


ISSUE = ("--customer", "Muster AG", "--serial", SERIAL, "--expires", "30d", "--feature", "run")


def test_a_protected_key_needs_its_passphrase(protected: Path) -> None:
    (pem,) = (protected / "keys").iterdir()
    assert pem.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    nothing = process("issue", protected, *ISSUE)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr == (
        "The vendor's key is protected by a passphrase. Set PLACET_VENDOR_PASSPHRASE, or run this on a terminal to be "
        "asked.\n"
    )
    wrong = process("issue", protected, *ISSUE, passphrase="wrong")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == f"The passphrase does not open {pem}. Nothing was signed.\n"
    right = process("issue", protected, *ISSUE, passphrase=PASSPHRASE)
    assert terms_of(protected, right.stdout).sequence == 2


def test_secrets_are_never_told(directory: Path, protected: Path) -> None:
    for vendor, passphrase in ((directory, None), (protected, PASSPHRASE)):
        (path,) = (vendor / "keys").iterdir()
        secrets = _secrets(path.read_bytes(), passphrase)
        issued = process("issue", vendor, *ISSUE, "--json", passphrase=passphrase)
        jti = json.loads(issued.stdout)["jti"]
        done = [
            issued,
            process("revoke", vendor, jti, "--reason", "r", passphrase=passphrase),
            process("rotate", vendor, "--json", passphrase=passphrase),
            process("ledger", vendor, "--json", passphrase=passphrase),
            process("issue", vendor, "--serial", "wrong", passphrase=passphrase),
        ]
        public = [vendor / name for name in ("vendor.json", "ledger.jsonl", "trust.jwks.json", "status-list.json")]
        told = "".join([each.stdout + each.stderr for each in done] + [file.read_text() for file in public])
        assert [secret for secret in secrets if secret in told] == []


def _secrets(pem: bytes, passphrase: str | None) -> list[str]:
    """The passphrase, the lines of the key's file, and the private key as a JWK would hold it and in hexadecimal."""
    key = serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    lines = [line for line in pem.decode().splitlines() if not line.startswith("-----")]
    return [*lines, urlsafe_b64encode(raw).rstrip(b"=").decode(), raw.hex(), *([passphrase] if passphrase else [])]


def test_init_and_issue_ask_on_a_terminal_without_echo(tmp_path: Path) -> None:
    status, screen = on_a_terminal([PASSPHRASE] * 2, "init", tmp_path / "v", "--name", "ACME", "--passphrase")
    assert status == 0
    assert "Passphrase for the new key" in screen
    assert "protected by a passphrase" in screen
    out = tmp_path / "license"
    status, more = on_a_terminal([PASSPHRASE], "issue", tmp_path / "v", *ISSUE, "--out", out)
    assert status == 0
    assert "Passphrase of the vendor's key" in more
    assert PASSPHRASE not in screen + more
    assert terms_of(tmp_path / "v", out.read_text()).sequence == 2


def test_the_confirmation_has_to_match(tmp_path: Path) -> None:
    answers = ["one", "another", PASSPHRASE, PASSPHRASE]
    status, screen = on_a_terminal(answers, "init", tmp_path / "v", "--name", "ACME", "--passphrase")
    assert status == 0
    assert "do not match" in screen
    done = process("issue", tmp_path / "v", *ISSUE, passphrase=PASSPHRASE)
    assert done.returncode == 0


def test_asking_without_a_terminal_is_refused(tmp_path: Path) -> None:
    done = process("init", tmp_path / "v", "--name", "ACME", "--passphrase")
    assert done.returncode == 1
    assert done.stderr.startswith("There is no terminal to ask for a passphrase on.")
    assert not (tmp_path / "v").exists()


def test_rotating_a_protected_key(protected: Path) -> None:
    done = process("rotate", protected)
    assert done.returncode == 1
    assert "Set PLACET_VENDOR_PASSPHRASE, or add --passphrase" in done.stderr
    mistyped = process("rotate", protected, passphrase="mistyped")
    assert mistyped.returncode == 1
    assert len(list((protected / "keys").iterdir())) == 1
    assert process("rotate", protected, passphrase=PASSPHRASE).returncode == 0
    assert all("ENCRYPTED" in path.read_text() for path in (protected / "keys").iterdir())
    status, _ = on_a_terminal(["changed"] * 2, "rotate", protected, "--passphrase")
    assert status == 0
    assert process("issue", protected, *ISSUE, passphrase="changed").returncode == 0
