"""``placet vendor`` as people and scripts meet it: exit statuses, files, and what is printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from placet.license import TrustStore
from placet.license.status_list import verify_status_list
from vendor_support.commands import (
    COMMAND,
    SERIAL,
    environment,
    issue,
    made_vendor,
    process,
    run,
    terms_of,
    trust_of,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return made_vendor(tmp_path / "vendor")


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_init_makes_private_files_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    done = process("init", tmp_path / "new" / "vendor", "--name", "ACME", umask=umask)
    assert (done.returncode, done.stderr) == (0, "")
    directory = tmp_path / "new" / "vendor"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.rglob("*"))}
    assert modes.pop("trust.jwks.json") == 0o644
    assert (modes.pop("vendor"), modes.pop("keys")) == (0o700, 0o700)
    assert set(modes.values()) == {0o600}
    assert {"vendor.json", "ledger.jsonl"} < set(modes)


def test_init_says_what_it_made(tmp_path: Path) -> None:
    done = run("init", tmp_path / "vendor", "--name", "ACME", "--json")
    told = json.loads(done.stdout)
    assert told["name"] == "ACME"
    assert told["protected"] is False
    assert Path(told["key"]).read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert TrustStore.from_jwks(Path(told["trust"]).read_bytes()).issuer == "ACME"


def test_init_refuses_an_existing_vendor(directory: Path) -> None:
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    done = process("init", directory, "--name", "Another")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{directory} is a vendor's directory already. Nothing was changed.\n"
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_init_without_a_name_is_wrong_usage(tmp_path: Path) -> None:
    assert process("init", tmp_path / "vendor").returncode == 2
    done = run("init", tmp_path / "vendor", "--name", "two\nlines")
    assert done.returncode == 2
    assert "The name holds a line break" in done.stderr
    assert not (tmp_path / "vendor").exists()


def test_init_in_the_way_of_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = process("init", tmp_path / "file", "--name", "ACME")
    assert done.returncode == 3
    assert done.stderr == f"{tmp_path}/file: There is a file where a directory is needed.\n"


def test_rotate_signs_with_a_new_key_and_keeps_the_old_one(directory: Path) -> None:
    old = issue(directory).stdout
    done = run("rotate", directory)
    assert done.returncode == 0
    assert done.stdout.startswith("ACME Software signs with a new key\n")
    new = issue(directory).stdout
    assert [terms_of(directory, text).sequence for text in (old, new)] == [2, 4]
    assert len(list((directory / "keys").iterdir())) == 2


def test_revoke_writes_a_status_list_that_verifies(directory: Path, tmp_path: Path) -> None:
    jti = json.loads(issue(directory, "--json").stdout)["jti"]
    done = process("revoke", directory, jti, "--reason", "contract ended", "--out", tmp_path / "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Revoked the license of Muster AG\n")
    trust = trust_of(directory)
    for path in (directory / "status-list.json", tmp_path / "list"):
        found = verify_status_list(path.read_bytes(), trust).content.find(jti)
        assert found is not None
        assert found.reason == "contract ended"
    again = run("revoke", directory, jti, "--reason", "another", "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, told["already"], told["reason"], told["sequence"]) == (0, True, "contract ended", 3)
    assert run("revoke", directory, jti, "--reason", "r", "--out", tmp_path / "list").returncode == 0
    (tmp_path / "precious").write_text("words")
    assert run("revoke", directory, jti, "--reason", "r", "--out", tmp_path / "precious").returncode == 1
    assert run("revoke", directory, jti, "--reason", "r", "--out", tmp_path / "precious", "--force").returncode == 0


def test_revoking_what_was_never_issued_is_refused(directory: Path, tmp_path: Path) -> None:
    done = process("revoke", directory, "0123", "--reason", "r", "--out", tmp_path / "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("This vendor never issued a license 0123.")
    assert not (tmp_path / "list").exists()
    assert run("revoke", directory, "0123").returncode == 2
    assert run("revoke", directory, "0123", "--reason", "").returncode == 2


def test_ledger_lists_what_happened(directory: Path) -> None:
    assert "\n1 entry, not changed since it was written. Head " in run("ledger", directory).stdout
    jti = json.loads(issue(directory, "--json").stdout)["jti"]
    run("revoke", directory, jti, "--reason", "contract ended")
    done = run("ledger", directory)
    header, created, issued, revoked, last = done.stdout.splitlines()
    column = header.index("serial number")
    assert [line[column : column + len(SERIAL)].strip() for line in (created, issued, revoked)] == ["", SERIAL, SERIAL]
    assert all(line.endswith("Muster AG") for line in (issued, revoked))
    assert jti in issued
    assert last.startswith("3 entries, none changed since it was written. Head ")
    told = json.loads(run("ledger", directory, "--json").stdout)
    assert [entry["kind"] for entry in told["entries"]] == ["key_created", "issued", "revoked"]
    assert (told["vendor"], told["verified"]) == ("ACME Software", True)
    assert last.endswith(told["head"])


def test_ledger_tells_of_a_changed_line(directory: Path) -> None:
    issue(directory)
    path = directory / "ledger.jsonl"
    path.write_text(path.read_text().replace("Muster AG", "Mister AG"))
    done = process("ledger", directory)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("The ledger was tampered with or damaged: ")
    assert "line 2" in done.stderr


def test_ledger_tells_of_a_torn_line_and_mends_it(directory: Path) -> None:
    issue(directory)
    path = directory / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    done = process("ledger", directory)
    assert done.returncode == 3
    assert done.stderr.startswith("Line 2 of the ledger, the last, is torn")
    mended = run("ledger", directory, "--repair")
    assert mended.returncode == 0
    assert mended.stderr.startswith("The torn last line was set aside: ")
    assert issue(directory).returncode == 0


def test_the_reader_of_a_pipe_may_leave_early(directory: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "ledger", directory], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize("command", [(), ("init",), ("rotate",), ("issue",), ("revoke",), ("ledger",)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    script = (
        f"import sys; sys.argv[1:] = {[*command, '--help']!r}\n"
        "from placet.cli.vendor import vendor\n"
        "vendor(standalone_mode=False)\n"
        "print([name for name in ('cryptography', 'joserfc', 'msgspec', 'placet.license') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("Usage: ")
    assert done.stdout.endswith("[]\n")
