"""The banner: each message of the license's status, letter for letter, in every state."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builders import DAY, KEY, NEW_KEY, NOW, OTHER_SERIAL, limit, numeric, trust_store
from console_server import LICENSING, OVERVIEW, ConsoleServer, read, running
from console_states import (
    clock_set_back,
    expired,
    expiring,
    in_grace,
    not_yet_valid,
    nothing,
    over_limit,
    over_limit_tolerated,
    revoked,
    wrong_server,
)
from placet.store.credentials import Role


class Case(msgspec.Struct, frozen=True):
    """How a state is reached, and what is told in it, as a role, letter for letter, and why."""

    reach: Callable[[ConsoleServer], None]
    role: str
    code: str
    message: str
    diagnosis: str | None = None


STATES = [
    Case(
        nothing,
        "alert",
        "no_license",
        "No license was found for this server",
        "No file: no license has been installed",
    ),
    Case(
        wrong_server,
        "alert",
        "wrong_server",
        "The license found is not valid for this server because it was issued to a server with serial number '{old}'",
        "Wrong server: the license was issued to {old}, and this server is {new}.",
    ),
    Case(
        revoked,
        "alert",
        "license_revoked",
        "This server license was revoked on 2026-05-31T12:00:00Z. Your Service Center administrator must "
        "request a new license",
        "Revoked: Not paid for.",
    ),
    Case(
        clock_set_back,
        "alert",
        "clock_set_back",
        "The clock of this server was set back. It was already 2026-06-01T12:00:00Z when this license was last in use",
        "Clock set back: it was already 2026-06-01T12:00:00Z when this license was last in use.",
    ),
    Case(
        not_yet_valid,
        "alert",
        "not_yet_valid",
        "This server license is not valid yet. It will be valid from 2026-06-02T12:00:00Z",
        "Not valid yet: the license begins at 2026-06-02T12:00:00Z.",
    ),
    Case(
        expired,
        "alert",
        "expired",
        "This server license has expired. Your Service Center administrator must request a new license",
        "Expired: the license ended at 2026-07-11T12:00:00Z, and its grace at 2026-08-10T12:00:00Z.",
    ),
    Case(
        over_limit,
        "alert",
        "over_limit",
        "This server is consuming more resources than allowed by its license. Either the license contract "
        "must be changed or the features usage decreased",
        "Over limit: 30 Software Units are in use, and the license allows 20 and tolerates 22.",
    ),
    Case(
        expiring,
        "status",
        "expiring",
        "This server license will expire within 25 days. Your Service Center administrator should request a "
        "new license",
    ),
    Case(
        in_grace,
        "status",
        "in_grace",
        "This server license has expired. Your Service Center administrator must request a new license within 20 days",
    ),
    Case(
        over_limit_tolerated,
        "status",
        "over_limit_tolerated",
        "This server is consuming more resources than allowed by its license. Either the license contract "
        "should be changed or the features usage decreased",
        "Over limit: 21 Software Units are in use, and the license allows 20 and tolerates 22.",
    ),
]


@pytest.mark.parametrize("case", STATES, ids=[case.code for case in STATES])
def test_a_message_is_told_letter_for_letter_and_keeps_nothing_out_of_reach(server: ConsoleServer, case: Case) -> None:
    old = server.serial_number
    case.reach(server)
    names = {"old": old, "new": server.serial_number}
    with server.client(Role.DEVELOPER) as client:
        answer = client.get(OVERVIEW)
    page = read(answer)
    told = page.one(role=case.role, data_code=case.code)
    assert told.text == case.message.format_map(names)
    assert page.all("a", href=f"/problems/{case.code}")
    assert page.all("a", href=f"{LICENSING}#renewal")
    assert "Whom to ask" in page.text
    assert "Ask your " in page.text
    if case.diagnosis is not None:
        assert case.diagnosis.format_map(names) in page.text
    assert "All is well" not in page.text
    assert page.one(data_state=str(server.guard.status().state))
    with server.client(Role.ADMINISTRATOR) as client:
        page = read(client.get(LICENSING))
    assert page.one(role=case.role, data_code=case.code)
    assert page.one(id="renewal")
    assert page.one("input", type="file", name="license")
    buttons = [button.text for button in page.all("button", name="intent")]
    assert [text for text in buttons if text != "Restore…"] == ["Check", "Install"]
    assert page.one("a", href="/api/v1/license/request")
    assert not [element for element in page.elements if "disabled" in element.attributes]


def test_a_license_that_no_longer_verifies_is_told_with_its_cause(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.install()
    with running(tmp_path / "data", trust=trust_store(NEW_KEY)) as server, server.client(Role.DEVELOPER) as client:
        page = read(client.get(OVERVIEW))
        told = server.guard.status().errors[0]
    assert page.one(role="alert", data_code="no_license").text == "No license was found for this server"
    assert told.diagnosis_code == "unknown_key"
    assert told.diagnosis
    assert told.diagnosis in page.text
    assert KEY.kid in told.diagnosis or "key" in told.diagnosis


def test_several_messages_are_told_each_in_its_own_place(server: ConsoleServer) -> None:
    over_limit(server)
    server.clock.go(250 * DAY)
    with server.client(Role.DEVELOPER) as client:
        page = read(client.get(OVERVIEW))
    assert [told.attributes["data-code"] for told in page.all(role="alert")] == ["over_limit"]
    assert [told.attributes["data-code"] for told in page.all(role="status")] == ["expiring"]


def test_when_all_is_well_one_sentence_says_so(server: ConsoleServer) -> None:
    server.install(exp=numeric(NOW.replace(hour=0) + 600 * DAY))
    with server.client(Role.DEVELOPER) as client:
        page = read(client.get(OVERVIEW))
    assert page.one(role="status").text.strip() == (
        "All is well: the license is in force until the end of 2028-01-21 (UTC), and usage is within its limits."
    )
    assert not page.all(role="alert")


def test_an_administrator_is_told_that_it_is_theirs_and_whom_to_reach_at_the_vendor(server: ConsoleServer) -> None:
    over_limit(server)
    server.install(jti="L-3", sequence=3, features={"software_units": limit(20)}, contact="licensing@acme.example")
    with server.client(Role.ADMINISTRATOR) as administrator, server.client(Role.DEVELOPER) as developer:
        theirs, others = read(administrator.get(OVERVIEW)), read(developer.get(OVERVIEW))
    assert "You look after this, as Service Center administrator. At the vendor: licensing@acme.example" in theirs.text
    assert "Ask your Service Center administrator." in others.text


def test_a_wrong_servers_license_shows_both_numbers(server: ConsoleServer) -> None:
    old = server.serial_number
    wrong_server(server)
    with server.client(Role.DEVELOPER) as client:
        page = read(client.get(LICENSING))
    assert f"Issued to server {old}" in page.text
    assert f"This server {server.serial_number}" in page.text
    assert old != server.serial_number != OTHER_SERIAL
