"""What a terminal or a pipe may do to a command, and what a file may try to do to a terminal."""

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contract.documents import claims_of, encoded, with_claims
from contract.driver import PLACET, VendorDirectory, environment, placet, wait_for

SERIAL = "34Y4-426H-57X4-R1Z6-DJF9"
NAME = "Jo€ão Ω"


@pytest.fixture(scope="module")
def good(vendor: VendorDirectory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("license") / "good.license"
    path.write_bytes(vendor.issue(serial=SERIAL, customer=NAME))
    return path


# Licenses shown without a server


def test_what_is_granted_is_shown_in_words(vendor: VendorDirectory) -> None:
    metered = [word for each in ("pages=1000/day", "exports=5/term", "test_queries=7") for word in ("--metered", each)]
    given = vendor.issue(*metered, "--feature", "run", "--limit", "users=10", "--tolerance", "pages=5%", serial=SERIAL)
    shown = [" ".join(line.split()) for line in placet("license", "show", "-", given=given).out.splitlines()]
    assert {
        "pages metered up to 1,000 in each day (UTC) 5 %",
        "exports metered up to 5 in each term of the license 0 %",
        "test_queries metered up to 7 in each period of the product 0 %",
        "users limit up to 10 in use 0 %",
        "run switch on 0 %",
    } <= set(shown)


def test_a_good_license_is_shown(good: Path, vendor: VendorDirectory) -> None:
    done = placet("license", "show", good, "--trust", vendor.trust)
    assert (done.status, done.err) == (0, "")
    assert ["Verified", "yes"] in [line.split() for line in done.out.splitlines()]
    assert NAME in done.out
    document = placet("license", "show", good, "--trust", vendor.trust, "--json").json()
    assert (document["verified"], document["customer"], document["serial_number"]) == (True, NAME, SERIAL)
    given = placet("license", "show", "-", given=good.read_bytes())
    assert given.out == placet("license", "show", good).out
    assert given.message == (
        "Not verified: anybody could have written this. Name the vendor's trust store with --trust."
    )


def bad_files(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "text", b"Dear customer"
    yield "binary", bytes(range(256))
    yield "nested", b"[" * 100_000
    yield "large", b" " * (2 * 1024 * 1024)
    yield "half", good[: len(good) // 2]
    for claims in (
        {"customer": "evil\x1b]0;owned\x07"},
        {"customer": "evil\nLicensed to somebody else"},
        {"contact": "\x1b[31m"},
        {"features": {"ev\x1b[2Jil": {"kind": "switch"}}},
        {"exp": 10**30},
        {"exp": -1},
        {"customer": "x" * 100_000},
        {"version": "99.0"},
        {"jti": 5},
    ):
        yield str(claims)[:40], with_claims(good, **claims)
    for payload in ("a", "!!", "", encoded(b"[" * 50_000), encoded(b"\xff\xfe"), encoded(b'{"a":1,"a":2}')):
        yield payload[:20], json.dumps(json.loads(good) | {"payload": payload}).encode()


def test_what_is_no_license_is_refused_in_one_line_and_as_json(
    good: Path, vendor: VendorDirectory, tmp_path: Path
) -> None:
    file = tmp_path / "bad.license"
    with_and_without = itertools.cycle([(), ("--trust", vendor.trust)])
    for (name, data), trust in zip(bad_files(good.read_bytes()), with_and_without, strict=False):
        file.write_bytes(data)
        done = placet("license", "show", file, *trust)
        assert (done.status, done.out) == (1, ""), name
        assert done.err == f"{done.message}\n", name
        assert done.message.isprintable(), name
        as_json = placet("license", "show", file, *trust, "--json")
        assert as_json.status == 1
        problem = as_json.json()
        assert problem["detail"] == done.message == as_json.message
        assert problem["code"] == "document_rejected"
        assert problem["diagnosis_code"], name


def test_text_that_turns_its_direction_is_not_passed_on(good: Path, tmp_path: Path) -> None:
    file = tmp_path / "turned.license"
    file.write_bytes(with_claims(good.read_bytes(), customer="evil\u202egpj.exe", contact="\u2066x\u200b"))
    done = placet("license", "show", file)
    assert not {"\u202e", "\u2066", "\u200b"} & set(done.out + done.err)
    assert claims_of(file.read_bytes())["customer"] == "evil\u202egpj.exe"


def test_what_was_tampered_with_is_told_with_trust_alone(good: Path, vendor: VendorDirectory, tmp_path: Path) -> None:
    file = tmp_path / "tampered.license"
    file.write_bytes(with_claims(good.read_bytes(), customer="Somebody else"))
    assert "Not verified" in placet("license", "show", file).message
    done = placet("license", "show", file, "--trust", vendor.trust)
    assert (done.status, done.out) == (1, "")
    assert done.message.startswith("Signature does not verify")


def test_a_trust_store_that_is_none_is_status_3(good: Path) -> None:
    for trust, status in ((good, 3), ("/dev/null", 3), (good.parent, 3), (good.parent / "missing", 2)):
        done = placet("license", "show", good, "--trust", trust)
        assert (done.status, done.out) == (status, "")


def test_a_refusal_is_json_on_standard_output() -> None:
    done = placet("license", "show", "/dev/null", "--json")
    assert (done.status, done.json()["status"]) == (1, 403)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["license", "show", "/nowhere/at/all"], 3, "command_failed"),
        (["license", "install", "/nowhere/at/all"], 3, "command_failed"),
        (["license", "status", "--server", "http://127.0.0.1:9"], 3, "command_failed"),
        (["admin", "doctor", "--data", "/nowhere/at/all"], 3, "command_failed"),
        (["vendor", "ledger", "/nowhere/at/all"], 1, "command_refused"),
    ],
    ids=str,
)
def test_what_fails_here_is_json_on_standard_output(arguments: list[str], status: int, code: str) -> None:
    done, as_json = placet(*arguments), placet(*arguments, "--json")
    assert (done.status, done.out, as_json.status, as_json.err) == (status, "", status, done.err)
    problem = as_json.json()
    assert problem == {"type": "about:blank", "title": problem["title"], "detail": done.message, "code": code}
    assert len(done.err.splitlines()) == 1


# Terminals and pipes


def test_one_that_is_interrupted_has_failed(tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    os.mkfifo(waiting)
    with (
        subprocess.Popen(
            [PLACET, "license", "show", waiting],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (a job in the background ignores it)
        ) as process,
        waiting.open("wb"),
    ):  # opened by both: the command goes on, and waits for a license
        stat = Path(f"/proc/{process.pid}/stat")
        wait_for(lambda: stat.read_text().rpartition(") ")[2].startswith("S"))
        for _ in range(20):  # a signal that comes just before the read begins is heard with the next one only
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
                break
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (3, b"", b"Stopped before it was done.\n")


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "LANG": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=str,
)
def test_a_terminal_that_lacks_characters_shows_the_others(locale: dict[str, str], good: Path) -> None:
    done = placet("license", "show", good, **locale)
    assert done.status == 0
    assert ["Serial", "number", SERIAL] in [line.split() for line in done.out.splitlines()]
    assert placet("license", "show", good, "--json", **locale).json()["customer"] == NAME


def test_a_name_that_is_no_text_is_a_name(good: Path) -> None:
    missing = subprocess.run(
        [PLACET, "license", "show", b"/nowhere/\xff\xfe\x1b[2J"], env=environment(), capture_output=True, check=False
    )
    assert missing.returncode == 3
    assert b"Traceback" not in missing.stderr
    assert b"\x1b" not in missing.stderr


@pytest.mark.parametrize("arguments", [["license", "show", "{good}"], ["--help"], ["completion", "bash"]], ids=str)
def test_a_pipe_that_nobody_reads_ends_it_quietly(arguments: list[str], good: Path) -> None:
    words = [word.format(good=good) for word in arguments]
    with subprocess.Popen(
        [PLACET, *words], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read().decode()
        status = process.wait(60)
    assert status == 3  # not 1, which means refused
    assert "Traceback" not in told
    assert "Failed" not in told
    assert "Exception ignored" not in told


@pytest.mark.parametrize(
    ("redirection", "status"), [(">&-", 0), ("> /dev/full", 3), ("2>&-", 0), ("< /dev/null", 0), ("<&-", 0)]
)
def test_streams_that_are_closed_or_full(redirection: str, status: int, good: Path) -> None:
    command = f'exec "$0" license show "$1" {redirection}'
    done = subprocess.run(["bash", "-c", command, PLACET, good], env=environment(), capture_output=True, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
