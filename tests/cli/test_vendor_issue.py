"""``placet vendor issue``: every option of the contract, and everything it refuses."""

import json
import resource
import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from placet.license import SigningKey, verify
from placet.license.instants import from_numeric_date, to_numeric_date
from placet.license.terms import Grant
from vendor_support.commands import (
    COMMAND,
    SERIAL,
    environment,
    issue,
    ledger_lines,
    made_vendor,
    on_order,
    process,
    request_file,
    run,
    terms_of,
    trust_of,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return made_vendor(tmp_path / "vendor")


def test_issue_prints_the_license_alone(directory: Path) -> None:
    done = process("issue", directory, *on_order("--feature", "run"))
    assert done.returncode == 0
    terms = terms_of(directory, done.stdout)
    assert json.loads(done.stdout).keys() == {"payload", "signatures"}
    assert (terms.iss, terms.customer, terms.serial_number, terms.sub) == ("ACME Software", "Muster AG", SERIAL, SERIAL)
    assert from_numeric_date(terms.exp) == datetime(2028, 1, 1, tzinfo=UTC)
    assert done.stderr.startswith("Issued license 2 to Muster AG\n")
    assert f"  jti            {terms.jti}\n" in done.stderr
    assert "  expires        2028-01-01T00:00:00Z\n" in done.stderr


def test_issue_with_every_option(directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "muster.license"
    features = ("--feature", "Test Query", "--feature", "run", "--limit", "Users=25", "--limit", "software-units=100")
    words = ("--edition", "Enterprise", "--contact", "licenses@acme.example", "--replaces", "ab" * 16)
    time = (
        "--not-before",
        "2027-01-01",
        "--grace",
        "30d",
        "--evaluation",
        "12h",
        "--expires",
        "2027-06-30T18:00:00+02:00",
    )
    kind = ("--tolerance", "users=10%", "--enforcement", "per-feature", "--out", out)
    metered = ("--metered", "Test Queries=1000/month", "--tolerance", "test-queries=5%")
    done = issue(directory, *features, *words, *time, *kind, *metered)
    assert done.returncode == 0
    assert "test_queries 1,000 per month (+5%)" in done.stdout
    assert done.stdout.startswith("Issued license 2 to Muster AG\n")
    assert f"file           {out}\n" in done.stdout
    assert done.stderr == f"Warning: This ledger knows no license {'ab' * 16}, which is to be replaced.\n"
    terms = terms_of(directory, out.read_text())
    assert {name: (grant.kind, grant.limit, grant.tolerance_percent) for name, grant in terms.features.items()} == {
        "test_query": ("switch", None, 0),
        "run": ("switch", None, 0),
        "users": ("limit", 25, 10),
        "software_units": ("limit", 100, 0),
        "test_queries": ("metered", 1000, 5),
    }
    assert terms.features["test_queries"].period == "month"
    assert terms.starts_at() == datetime(2027, 1, 1, tzinfo=UTC)
    assert terms.expires_at() == datetime(2027, 6, 30, 16, tzinfo=UTC)
    assert terms.grace_ends_at() == datetime(2027, 7, 30, 16, tzinfo=UTC)
    assert (terms.evaluation_seconds, terms.enforcement) == (12 * 3600, "per-feature")
    assert (terms.edition, terms.contact, terms.replaces) == ("Enterprise", "licenses@acme.example", "ab" * 16)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_license_file_can_be_read_by_others(directory: Path, tmp_path: Path, umask: int) -> None:
    assert process("issue", directory, *on_order("--out", tmp_path / "file"), umask=umask).returncode == 0
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_issue_overwrites_only_when_told_to(directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("precious")
    done = issue(directory, "--out", out)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{out} exists already, and was not overwritten.")
    assert out.read_text() == "precious"
    assert len(ledger_lines(directory)) == 1
    assert issue(directory, "--out", out, "--force").returncode == 0
    assert terms_of(directory, out.read_text()).sequence == 2


def test_issue_replaces_an_older_license_without_being_told_to(directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "file"
    assert [issue(directory, "--out", out).returncode for _ in range(2)] == [0, 0]
    assert terms_of(directory, out.read_text()).sequence == 3


def test_issue_as_json(directory: Path, tmp_path: Path) -> None:
    told = json.loads(
        issue(directory, "--out", tmp_path / "file", "--json", "--grace", "1d", "--feature", "run").stdout
    )
    assert told["warnings"] == []
    trust = trust_of(directory)
    verified = verify((tmp_path / "file").read_bytes(), trust)
    assert (told["jti"], told["sequence"], told["digest"]) == (verified.terms.jti, 2, verified.digest)
    assert (told["serial_number"], told["file"]) == (SERIAL, str(tmp_path / "file"))
    assert (told["expires_at"], told["grace_ends_at"]) == ("2028-01-01T00:00:00Z", "2028-01-02T00:00:00Z")
    assert "license" not in told
    printed = json.loads(issue(directory, "--json").stdout)
    assert printed["file"] is None
    assert terms_of(directory, printed["license"]).sequence == printed["sequence"] == 3


def test_a_dash_means_standard_output(directory: Path) -> None:
    done = issue(directory, "--out", "-")
    assert terms_of(directory, done.stdout).sequence == 2


def test_an_evaluation_needs_no_expiry(directory: Path) -> None:
    done = issue(directory, "--evaluation", "30d", "--feature", "run")
    terms = terms_of(directory, done.stdout)
    assert terms.evaluation_seconds == 30 * 86_400
    assert terms.exp == terms.iat + 365 * 86_400
    assert "evaluation     30 days from its first installation\n" in done.stderr


def test_an_expiry_in_the_past_is_a_warning(directory: Path) -> None:
    done = issue(directory, "--expires", "2020-01-01", "--grace", "90s", "--feature", "run")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: The license has expired already: 2020-01-02T00:00:00Z is past.\n")
    assert terms_of(directory, done.stdout).grace_ends_at() == datetime(2020, 1, 2, 0, 1, 30, tzinfo=UTC)


def test_a_duration_counts_from_now(directory: Path) -> None:
    terms = terms_of(directory, issue(directory, "--expires", "12h").stdout)
    assert terms.exp == terms.iat + 12 * 3600


def test_a_serial_number_is_read_as_people_write_it(directory: Path) -> None:
    done = issue(directory, "--serial", " owf9 24nt rzw2 r8d6 jxd7 ")
    assert terms_of(directory, done.stdout).serial_number == SERIAL


def test_issue_to_a_request(directory: Path, tmp_path: Path) -> None:
    key = SigningKey.generate()
    done = issue(directory, "--request", request_file(tmp_path / "request", key), "--feature", "run")
    assert terms_of(directory, done.stdout).serial_number == SERIAL
    assert json.loads(ledger_lines(directory)[-1])["server_key"] == key.kid
    other = issue(directory, "--request", request_file(tmp_path / "request", SigningKey.generate()), "--feature", "run")
    assert other.returncode == 0
    assert other.stderr.startswith("Warning: Earlier requests with this serial number were signed by another key.")


def test_a_long_time_from_now(directory: Path) -> None:
    terms = terms_of(directory, issue(directory, "--expires", "9999-12-30").stdout)
    assert terms.expires_at() == datetime(9999, 12, 30, tzinfo=UTC) + timedelta(days=1)
    assert issue(directory, "--expires", "9999-12-31").returncode == 2
    assert issue(directory, "--expires", "9999-12-30", "--grace", "1d").returncode == 2


WANTED = {"run": Grant(kind="switch"), "users": Grant(kind="limit", limit=50), "seats": Grant(kind="seats", limit=4)}


def test_issue_as_requested(directory: Path, tmp_path: Path) -> None:
    until = to_numeric_date(datetime(2029, 1, 1, tzinfo=UTC))
    asked = request_file(tmp_path / "request", SigningKey.generate(), wanted=WANTED, wanted_until=until)
    terms = terms_of(directory, run("issue", directory, "--customer", "M", "--request", asked, "--as-requested").stdout)
    assert (terms.features, terms.exp) == (WANTED, until)
    said = ("--limit", "users=20", "--feature", "debugger", "--tolerance", "users=10%", "--tolerance", "seats=50%")
    terms = terms_of(directory, issue(directory, "--request", asked, "--as-requested", *said).stdout)
    assert terms.features == {
        "run": Grant(kind="switch"),
        "users": Grant(kind="limit", limit=20, tolerance_percent=10),
        "seats": Grant(kind="seats", limit=4, tolerance_percent=50),
        "debugger": Grant(kind="switch"),
    }
    assert from_numeric_date(terms.exp) == datetime(2028, 1, 1, tzinfo=UTC)
    assert terms_of(directory, issue(directory, "--request", asked).stdout).features == {}  # nobody has to follow it


def test_as_requested_needs_a_request_that_asks(directory: Path, tmp_path: Path) -> None:
    done = issue(directory, "--as-requested")
    assert (done.returncode, "Add --request FILE." in done.stderr) == (2, True)
    asked = request_file(tmp_path / "request", SigningKey.generate())
    done = run("issue", directory, "--customer", "M", "--request", asked, "--as-requested")
    assert (done.returncode, "Say when the license expires" in done.stderr) == (2, True)


def test_a_request_is_shown(tmp_path: Path) -> None:
    key, until = SigningKey.generate(), to_numeric_date(datetime(2029, 1, 1, tzinfo=UTC))
    asked = request_file(tmp_path / "request", key, wanted=WANTED, wanted_until=until, wishes="Soon,\nplease.")
    shown = run("request", asked).stdout
    for told in (SERIAL, "no license", "users 3", "run, users 50, seats 4", "2029-01-01T00:00:00Z", "Soon, please."):
        assert told in shown
    document = json.loads(run("request", asked, "--json").stdout)
    assert (document["serial_number"], document["server_key"]) == (SERIAL, key.kid)
    assert document["wanted"]["users"] == {"kind": "limit", "limit": 50}
    asked.write_text("{}")
    assert run("request", asked).returncode == 1


def test_a_request_that_does_not_verify_is_refused_with_its_diagnosis(directory: Path, tmp_path: Path) -> None:
    path = request_file(tmp_path / "request", SigningKey.generate())
    document = json.loads(path.read_bytes())
    forged = json.dumps({"serial_number": SERIAL}).encode()
    path.write_text(json.dumps(document | {"payload": urlsafe_b64encode(forged).rstrip(b"=").decode()}))
    done = process("issue", directory, *on_order("--request", path))
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("Signature does not verify")
    assert "was not accepted (bad_signature)" in second
    assert len(ledger_lines(directory)) == 1


@pytest.mark.parametrize(
    ("content", "diagnosis"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "not_text"),
        (b"hello", "not_json"),
        (b"{}", "not_jws"),
        (b" " * 300_000, "too_large"),
    ],
)
def test_what_is_no_request_is_refused(directory: Path, tmp_path: Path, content: bytes, diagnosis: str) -> None:
    (tmp_path / "request").write_bytes(content)
    done = issue(directory, "--request", tmp_path / "request")
    assert done.returncode == 1
    assert f"({diagnosis})" in done.stderr.splitlines()[1]


def test_a_license_is_no_request(directory: Path, tmp_path: Path) -> None:
    assert issue(directory, "--out", tmp_path / "license").returncode == 0
    assert issue(directory, "--request", tmp_path / "license").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--serial", "0WF9-24NT-RZW2-R8D6-JXD8"), "holds a typing error"),
        (("--serial", "0WF9"), "has 20 characters"),
        (("--serial", SERIAL, "--request", __file__), "either --request FILE or --serial SERIAL"),
        (("--request", "/nonexistent/request"), "does not exist"),
        (("--expires", "tomorrow"), "--expires: 'tomorrow' is not a time"),
        (("--expires", "2027-02-30"), "not a day of the calendar"),
        (("--not-before", "2028-01-01"), "would expire before it starts"),
        (("--grace", "a month"), "--grace: 'a month' is not a duration"),
        (("--evaluation", "0d"), "--evaluation: '0d' is not between"),
        (("--feature", "run", "--feature", "Run"), "The feature run is given 2 times"),
        (("--feature", "?"), "is not the name of a feature"),
        (("--limit", "users"), "has no number"),
        (("--limit", "users=-1"), "has to be a whole number"),
        (("--limit", f"users={10**12 + 1}"), "from 0 to 1,000,000,000,000"),
        (("--tolerance", "users=10%"), "but no limit"),
        (("--limit", "users=1", "--tolerance", "users=lots"), "whole percents"),
        (("--limit", "users=1", "--feature", "users"), "as a switch and as a limit"),
        (("--enforcement", "lenient"), "is not one of"),
        (("--edition", "x" * 201), "The edition has 201 characters"),
        (("--contact", "\x1b[2J"), "cannot be printed"),
        (("--replaces", ""), "The replaced jti is empty"),
        (("--customer", ""), "The customer is empty"),
        (("--customer", "\udcff"), "cannot be printed"),
    ],
)
def test_wrong_usage_is_told(directory: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = issue(directory, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in " ".join(done.stderr.split())
    assert len(ledger_lines(directory)) == 1


def test_wrong_usage_is_an_exit_status(directory: Path) -> None:
    done = process("issue", directory, *on_order("--serial", "0WF9-24NT-RZW2-R8D6-JXD8"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds a typing error: its check characters do not fit" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--serial", SERIAL), ("--expires", "30d"), ("--serial", SERIAL, "--expires", "30d", "--limit")]
)
def test_what_is_missing_is_wrong_usage(directory: Path, arguments: tuple[str, ...]) -> None:
    assert run("issue", directory, "--customer", "Muster AG", *arguments).returncode == 2


@pytest.mark.parametrize("command", [("ledger",), ("rotate",), ("revoke", "jti", "--reason", "r"), ("issue",)])
def test_what_is_no_vendor_directory_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    more = ("--customer", "A", "--serial", SERIAL, "--expires", "30d") if command == ("issue",) else ()
    done = run(command[0], tmp_path, *command[1:], *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{tmp_path} is not a vendor's directory: it has no vendor.json.")


def test_a_file_that_cannot_be_written_is_told_before_anything_is_issued(directory: Path, tmp_path: Path) -> None:
    done = issue(directory, "--out", tmp_path / "missing" / "file")
    assert done.returncode == 3
    assert done.stderr.endswith(": No such file or directory.\n")
    assert issue(directory, "--out", tmp_path / ("x" * 300)).returncode == 3
    assert issue(directory, "--out", tmp_path).returncode == 1
    assert len(ledger_lines(directory)) == 1


def test_a_full_disk_is_told(directory: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = process("issue", directory, *on_order(), stdout=full)
    assert done.returncode == 3
    assert done.stderr == (
        "The license was signed, but could not be written: No space left on device. "
        "Entry 2 of the ledger records it as issued. Issue it again.\n"
    )
    with Path("/dev/full").open("w") as full:
        done = process("ledger", directory, stdout=full)
    assert (done.returncode, done.stderr) == (3, "No space left on device.\n")


def test_a_file_that_turns_out_too_large_is_told(directory: Path, tmp_path: Path) -> None:
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, {resource.RLIM_INFINITY}))
from placet.cli.vendor import vendor
vendor()
"""
    features = [part for number in range(100) for part in ("--feature", f"feature {number}")]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "issue",
            *map(str, [directory, *on_order("--out", tmp_path / "file", *features)]),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("The license was signed, but could not be written: File too large. Entry 2 ")
    assert [path.name for path in tmp_path.iterdir()] == ["vendor"]


@pytest.mark.parametrize("name", ["vendor.json", "trust.jwks.json", "ledger.jsonl"])
def test_damaged_files_are_failures(directory: Path, name: str) -> None:
    (directory / name).write_text("{}\n")
    done = issue(directory)
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    (directory / name).unlink()
    assert issue(directory).returncode == (1 if name == "vendor.json" else 3)


def test_missing_permissions_are_failures() -> None:
    done = run("init", "/sys/placet-vendor", "--name", "ACME")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("/sys/placet-vendor: ")
    assert len(done.stderr.splitlines()) == 1


def test_four_processes_issue_at_once(directory: Path) -> None:
    arguments = ["issue", str(directory), *map(str, on_order("--json"))]
    processes = [
        subprocess.Popen([*COMMAND, *arguments], env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sorted(each["sequence"] for each in told) == [2, 3, 4, 5]
    listed = json.loads(run("ledger", directory, "--json").stdout)
    assert {entry["jti"] for entry in listed["entries"][1:]} == {each["jti"] for each in told}


def test_a_feature_nobody_has_heard_of_is_warned_of_once_and_issued(directory: Path) -> None:
    done = issue(directory, "--feature", "debuger", "--limit", "software_units=5", "--limit", "dashboards=3")
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("Warning")] == [
        "Warning: No license issued here has named the feature 'dashboards' before. Does your product call it that?",
        "Warning: No license issued here has named the feature 'debuger' before. Did you mean 'debugger'?",
    ]
    assert set(terms_of(directory, done.stdout).features) == {"debuger", "software_units", "dashboards"}
    again = json.loads(issue(directory, "--json", "--limit", "dashboards=9", "--feature", "dashbords").stdout)
    assert again["warnings"] == [
        "No license issued here has named the feature 'dashbords' before. Did you mean 'dashboards'?"
    ]


def test_a_license_may_name_as_many_features_as_the_ledger_can_hold(directory: Path) -> None:
    names = [f"a{number:062}" for number in range(1000)]
    assert issue(directory, *(word for name in names for word in ("--feature", name))).returncode == 0
    assert run("ledger", directory).returncode == 0
