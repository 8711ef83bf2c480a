"""Scenario: uploads. What is no license is refused with its cause, and the license before it stays in force."""

import json
from pathlib import Path

import pytest

from contract.documents import Bad, as_mailed, bad_files, digest_of
from contract.driver import ServerProcess, VendorDirectory, on_each_database
from contract.messages import E1, e3
from contract.surfaces import assert_command_refused, assert_refused, assert_status_everywhere, on_page

pytestmark = [pytest.mark.server, on_each_database]

OTHER_SERIAL = "0WF9-24NT-RZW2-R8D6-JXD7"
NAMES = [
    *("nothing", "white space", "random bytes", "text", "half of it", "some JSON", "a list", "twice a member"),
    *("changed claims", "changed signature", "another vendor", "a request", "no algorithm", "a shared secret"),
    *("no signatures", "far too much"),
]


@pytest.fixture(scope="module")
def good(server: ServerProcess, vendor: VendorDirectory) -> bytes:
    """The license in force on the server."""
    license_file = vendor.issue(serial=server.serial)
    server.installed(license_file)
    return license_file


@pytest.fixture(scope="module")
def bad(
    server: ServerProcess, vendor: VendorDirectory, good: bytes, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Bad]:
    stranger = VendorDirectory(tmp_path_factory.mktemp("stranger") / "vendor")
    request = server.api("GET", "/api/v1/license/request").content
    public_key = json.loads(vendor.trust.read_bytes())["keys"][0]["x"]
    by_stranger = stranger.issue(serial=server.serial)
    return bad_files(good, by_stranger=by_stranger, request=request, public_key=public_key)


@pytest.fixture
def unchanged(server: ServerProcess, good: bytes) -> object:
    """Whatever the test does, the license in force is the same afterwards, and so is the history."""
    before, history = server.status()["license"], server.get("/api/v1/license/history")
    assert before["digest"] == digest_of(good)
    yield
    assert server.status()["license"] == before
    assert server.get("/api/v1/license/history") == history


def test_the_list_is_whole(bad: dict[str, Bad]) -> None:
    assert list(bad) == NAMES


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_license_is_refused(server: ServerProcess, bad: dict[str, Bad], name: str) -> None:
    problem = assert_refused(server.install(bad[name].data), E1)
    assert problem["diagnosis_code"] == bad[name].diagnosis_code
    assert len(problem["diagnosis"]) > 20
    dry = assert_refused(server.install(bad[name].data, dry_run=True, acknowledge=True), E1)
    assert dry["diagnosis"] == problem["diagnosis"]
    done = server.cli("license", "install", "-", given=bad[name].data)
    assert_command_refused(done, E1)
    assert f"Why: {problem['diagnosis']}" in done.err
    newest = server.get("/api/v1/audit?most=1")[0]
    assert (newest["event"], newest["detail"]["diagnosis"]) == ("license.refused", problem["diagnosis_code"])


@pytest.mark.usefixtures("unchanged")
def test_the_page_refuses_with_the_same_words(server: ServerProcess, bad: dict[str, Bad]) -> None:
    files = {"license": ("license.json", bad["changed claims"].data)}
    page = server.api("POST", "/service-center/license", files=files, data={"intent": "install"})
    assert page.status_code == 403
    assert on_page(page)[0] == E1
    assert "Signature does not verify" in page.text


@pytest.mark.usefixtures("unchanged")
def test_a_body_past_the_cap_is_refused_as_a_problem(server: ServerProcess) -> None:
    answer = server.install(b"x" * (2 * 1024 * 1024))
    assert (answer.status_code, answer.json()["status"]) == (413, 413)
    done = server.cli("license", "install", "-", given=b"x" * (2 * 1024 * 1024))
    assert (done.status, done.message) == (1, E1.text)
    assert "more than the 262,144 bytes" in done.err


@pytest.mark.usefixtures("unchanged")
def test_the_license_of_another_server_is_refused_with_its_number(
    server: ServerProcess, vendor: VendorDirectory, tmp_path: Path
) -> None:
    other = vendor.issue(serial=OTHER_SERIAL)
    assert_refused(server.install(other), e3(OTHER_SERIAL))
    assert_refused(server.install(other, acknowledge=True), e3(OTHER_SERIAL))
    (tmp_path / "other.license").write_bytes(other)
    done = server.cli("license", "install", tmp_path / "other.license")
    assert_command_refused(done, e3(OTHER_SERIAL))
    page = server.api("POST", "/service-center/license", files={"license": other}, data={"intent": "install"})
    assert on_page(page)[0] == e3(OTHER_SERIAL)


@pytest.mark.parametrize("name", ["CRLF", "BOM", "spaces", "everything"])
def test_what_mail_does_to_a_file_does_not_matter(server: ServerProcess, good: bytes, name: str) -> None:
    outcome = server.installed(as_mailed(good)[name])
    assert (outcome["installed"], outcome["license"]["digest"]) == (True, digest_of(good))
    assert server.status()["license"]["digest"] == digest_of(good)


def test_a_server_with_a_good_license_says_nothing(server: ServerProcess, good: bytes) -> None:
    assert_status_everywhere(server, "active")
    assert server.cli("license", "install", "-", given=good).status == 0


def test_a_dry_run_changes_nothing(server: ServerProcess, vendor: VendorDirectory, good: bytes) -> None:
    smaller = vendor.issue("--limit", "software_units=7", serial=server.serial)
    history = server.get("/api/v1/license/history")
    outcome = server.installed(smaller, dry_run=True)
    assert outcome["installed"] is False
    changes = {item["feature"]: (item["before"], item["after"]) for item in outcome["changes"]["features"]}
    assert changes == {
        "run": ("on", "off"),
        "debugger": ("on", "off"),
        "test_query": ("on", "off"),
        "software_units": ("100", "7"),
        "users": ("10", "unlimited"),
    }
    assert server.get("/api/v1/license/history") == history
    assert server.status()["license"]["digest"] == digest_of(good)
    done = server.cli("license", "install", "-", "--dry-run", given=smaller)
    assert done.status == 0
    assert done.out.startswith("Nothing was changed.")
    assert server.status()["license"]["digest"] == digest_of(good)


def test_offline_the_command_line_judges_files_too(
    vendor: VendorDirectory, server: ServerProcess, good: bytes, bad: dict[str, Bad]
) -> None:
    shown = server.cli("license", "show", "-", "--trust", vendor.trust, "--json", given=good)
    assert (shown.status, shown.json()["verified"], shown.json()["customer"]) == (0, True, "Example Industries")
    for name in ("half of it", "changed claims", "a request"):
        told = server.install(bad[name].data, dry_run=True).json()["diagnosis"]
        done = server.cli("license", "show", "-", "--trust", vendor.trust, given=bad[name].data)
        assert (done.status, done.out, done.message) == (1, "", told), name
