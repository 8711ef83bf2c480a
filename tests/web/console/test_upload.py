"""Uploading a license: check, acknowledge, install; and everything that is no license."""

import httpx2
import pytest

from builders import DAY, NEW_KEY, NOW, OTHER_SERIAL, limit, numeric, switch
from console_server import LICENSE, LICENSING, OVERVIEW, ConsoleServer, Document, read
from placet.license import verify
from placet.store.credentials import Role

SMALL = {"software_units": limit(5), "run": switch()}


def send(client: httpx2.Client, data: bytes, intent: str = "check", *, acknowledge: bool = False) -> httpx2.Response:
    fields = {"intent": intent} | ({"acknowledge": "yes"} if acknowledge else {})
    return client.post(LICENSE, data=fields, files={"license": ("license.json", data)})


def result(answer: httpx2.Response, status: int = 200) -> Document:
    assert answer.status_code == status
    page = read(answer)
    assert page.one("section", id="result")
    return page


def test_checking_shows_what_would_change_and_changes_nothing(
    server: ConsoleServer, administrator: httpx2.Client
) -> None:
    server.install()
    data = server.a_license(
        jti="L-2",
        sequence=2,
        exp=numeric(NOW.replace(hour=0) + 579 * DAY),
        features={"software_units": limit(200, 10), "users": limit(20), "front_end_servers": limit(2), "run": switch()},
    )
    page = result(send(administrator, data))
    assert page.one("h2", id="result-title").text == "What this license would change"
    for row in (
        "Valid until 2027-02-21 12:00:00 UTC the end of 2027-12-31 (UTC) later",
        "Software Units 100 200 + 20 tolerated raised, 0 in use",
        "Debugger on off lost",
        "State License active License active the same",
    ):
        assert row in page.text
    found = server.guard.status().license
    assert found is not None
    assert found.terms.jti == "L-0001"


def test_what_was_checked_is_installed_without_choosing_the_file_again(
    server: ConsoleServer, administrator: httpx2.Client
) -> None:
    page = result(send(administrator, server.a_license()))
    checked = page.one("input", name="document").attributes["value"]
    assert not page.all("input", id="acknowledge-checked")
    # A form's text goes with CRLF, as browsers send it.
    sent = {"intent": (None, "install"), "document": (None, checked.replace("\n", "\r\n"))}
    page = result(administrator.post(LICENSE, files=sent))
    assert page.one("h2", id="result-title").text == "The license is installed"
    assert server.guard.status().usable
    assert page.one(data_state="active")


def test_installing_at_once(server: ConsoleServer, administrator: httpx2.Client) -> None:
    page = result(send(administrator, server.a_license(), "install"))
    assert "L-0001 for Example Industries is in force now." in page.text
    assert "State No license License active changed" in page.text
    assert "Messages 1 error none changed" in page.text
    assert [entry.installed_by for entry in server.guard.history()] == ["ada"]
    assert not page.all(role="alert")


def test_what_would_be_blocked_has_to_be_acknowledged(server: ConsoleServer, administrator: httpx2.Client) -> None:
    server.install()
    server.publish("orders", 9)
    smaller = server.a_license(jti="L-2", sequence=2, features=SMALL)
    page = result(send(administrator, smaller, "install"), 409)
    told = page.one(role="alert", data_code="acknowledgement_required")
    assert told.text == (
        "The license was not installed because operations that are allowed now would be refused. Acknowledge this to "
        "install it"
    )
    assert page.all(data_code="operation_expired_or_over_limit")
    assert "Over limit: 9 Software Units are in use, and the license allows 5." in page.text
    assert page.one("input", id="acknowledge-checked").attributes["required"] == ""
    assert page.one("input", name="document")
    assert server.guard.status().errors == ()
    page = result(send(administrator, smaller, "install", acknowledge=True))
    assert page.one(role="alert", data_code="over_limit")
    assert "Refused from now on" in page.text


@pytest.mark.parametrize("intent", ["check", "install"])
def test_another_servers_license_is_refused_and_the_old_one_stays(
    server: ConsoleServer, administrator: httpx2.Client, intent: str
) -> None:
    server.install()
    page = result(send(administrator, server.a_license(jti="L-2", serial_number=OTHER_SERIAL), intent), 403)
    assert page.one(role="alert", data_code="wrong_server").text == (
        "The license found is not valid for this server because it was issued to a server with serial number "
        f"'{OTHER_SERIAL}'"
    )
    assert "Nothing was changed." in page.text
    assert server.guard.status().usable


def test_a_refused_license_tells_both_serial_numbers(server: ConsoleServer, administrator: httpx2.Client) -> None:
    page = result(send(administrator, server.a_license(serial_number=OTHER_SERIAL)), 403)
    told = " ".join(page.one("dl", class_="words serials").text.split())
    assert told == f"Issued to server {OTHER_SERIAL} This server {server.guard.status().serial_number}"


def test_a_pasted_license_is_checked_like_a_file(server: ConsoleServer, administrator: httpx2.Client) -> None:
    pasted = f"  {server.a_license().decode()}\r\n\r\n"
    answer = administrator.post(
        LICENSE, files={"license": ("", b""), "document": (None, pasted), "intent": (None, "x")}
    )
    assert result(answer).one("h2", id="result-title").text == "What this license would change"


def test_a_license_before_is_restored_after_a_look(server: ConsoleServer, administrator: httpx2.Client) -> None:
    server.install()
    server.publish("orders", 9)
    server.install(jti="L-2", sequence=2, features={"software_units": limit(50), "run": switch()})
    server.guard.install(server.a_license(jti="L-3", sequence=3, features=SMALL), acknowledge=True)
    page = read(administrator.get(LICENSING))
    assert [button.attributes["aria-label"] for button in page.all("button") if button.text == "Restore…"] == [
        "Restore license 2",
        "Restore license 1",
    ]
    sent = {"entry": (None, "2"), "intent": (None, "check")}
    page = result(administrator.post(LICENSE, files=sent))
    assert "Software Units 5 50 raised, 9 in use" in page.text
    assert len(page.all("input", name="entry", type="hidden", value="2")) == 2  # the preview's, and the history's
    assert server.guard.license_id == 3
    page = result(administrator.post(LICENSE, files=sent | {"intent": (None, "install")}))
    assert page.one("h2", id="result-title").text == "The license is installed"
    assert next((entry.jti, entry.restored_from) for entry in server.guard.history()) == ("L-2", 2)
    answer = administrator.post(LICENSE, files={"entry": (None, "4711"), "intent": (None, "install")})
    assert answer.status_code == 404


def test_restoring_what_would_block_is_acknowledged_first(server: ConsoleServer, administrator: httpx2.Client) -> None:
    server.install(features=SMALL)
    server.install(jti="L-2", sequence=2)
    server.publish("orders", 9)
    sent = {"entry": (None, "1"), "intent": (None, "install")}
    page = result(administrator.post(LICENSE, files=sent), 409)
    assert len(page.all("input", name="entry", type="hidden", value="1")) == 2
    assert page.one("input", id="acknowledge-checked")
    result(administrator.post(LICENSE, files=sent | {"acknowledge": (None, "yes")}))
    assert server.guard.license_id == 3


def test_a_license_of_the_history_is_downloaded_as_it_was_installed(
    server: ConsoleServer, administrator: httpx2.Client
) -> None:
    server.install()
    answer = administrator.get("/api/v1/license/history/1")
    assert answer.headers["content-disposition"] == 'attachment; filename="license-1.json"'
    assert verify(answer.content, server.guard.trust).terms.jti == "L-0001"
    assert administrator.get("/api/v1/license/history/2").status_code == 404


NOT_LICENSES = {
    "empty": b"",
    "not_json": b"this is no license",
    "not_text": b"\xff\xfe\x00",
    "not_jws": b"{}",
    "too_large": b"{" + b" " * (256 * 1024) + b"}",
}


@pytest.mark.parametrize("diagnosis", NOT_LICENSES)
def test_what_is_no_license_is_refused_with_its_diagnosis(
    server: ConsoleServer, administrator: httpx2.Client, diagnosis: str
) -> None:
    page = result(send(administrator, NOT_LICENSES[diagnosis], "install"), 403)
    assert {told.text for told in page.all(role="alert")} == {"No license was found for this server"}
    with server.guard.database.read() as connection:
        from placet.store import audit  # noqa: PLC0415

        refused = [event for event in audit.events(connection) if event.event == "license.refused"]
    assert [event.detail["diagnosis"] for event in refused] == [diagnosis]


def test_a_license_of_an_unknown_vendor_is_refused(server: ConsoleServer, administrator: httpx2.Client) -> None:
    page = result(send(administrator, server.a_license(keys=(NEW_KEY,))), 403)
    assert page.one("h2", id="result-title").text == "This license cannot be installed"


def test_no_file_chosen(administrator: httpx2.Client) -> None:
    answer = administrator.post(LICENSE, files={"license": ("", b""), "intent": (None, "check")})
    assert "No file was chosen" in result(answer, 400).text


def test_far_too_large_is_told_so(server: ConsoleServer, administrator: httpx2.Client) -> None:
    answer = send(administrator, b"x" * (8 * 1024 * 1024), "install")
    assert answer.status_code == 413
    page = read(answer)
    assert page.one(data_code="request_too_large").text.startswith(
        "The file is larger than 256 KiB. Nothing was changed."
    )
    assert page.one("a", href="/problems/request_too_large")
    assert administrator.get(OVERVIEW).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=license\r\n\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="document"\r\n\r\n\xff\r\n--b--',
        ),
        (
            "multipart/form-data; boundary=b",
            (
                b'--b\r\nContent-Disposition: form-data; name="document"\r\nContent-Type: text/plain; charset=no'
                b"\r\n\r\nx\r\n--b--"
            ),
        ),
        ("multipart/form-data; boundary=b", b"no boundary at all"),
        ("application/json", b"{}"),
        ("text/plain", b"x"),
        (
            "multipart/form-data; boundary=b",
            b"".join(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(2000)),
        ),
    ],
)
def test_what_is_no_form_is_the_senders_mistake(administrator: httpx2.Client, content_type: str, body: bytes) -> None:
    answer = administrator.post(LICENSE, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    read(answer)


def test_a_developer_may_not_install(server: ConsoleServer, developer: httpx2.Client) -> None:
    answer = send(developer, server.a_license(), "install")
    assert answer.status_code == 403
    assert read(answer).one(data_code="role_required")
    assert server.guard.history() == []


def test_another_sites_page_may_not_install(server: ConsoleServer) -> None:
    with server.client(Role.ADMINISTRATOR, Origin="https://evil.example") as client:
        answer = send(client, server.a_license(), "install")
    assert answer.status_code == 403
    assert read(answer).one(data_code="cross_site_request")
    assert server.guard.history() == []


def test_somebody_not_signed_in_may_not_install(server: ConsoleServer, stranger: httpx2.Client) -> None:
    answer = send(stranger, server.a_license(), "install")
    assert answer.status_code == 303
    assert server.guard.history() == []


def test_a_program_with_a_token_may_use_the_form(server: ConsoleServer) -> None:
    with server.client(Authorization=f"Bearer {server.token()}") as client:
        result(send(client, server.a_license(), "install"))
    assert server.guard.status().usable


def test_the_address_of_an_answer_opened_again_leads_back(administrator: httpx2.Client) -> None:
    assert administrator.get(LICENSE).headers["location"] == LICENSING


def test_hostile_terms_in_an_upload_are_text(server: ConsoleServer, administrator: httpx2.Client) -> None:
    hostile = "</textarea><script>alert(1)</script>\u202e"
    features = {"unheard_of": switch()}
    data = server.a_license(customer=hostile, features=features, other_claims={hostile: hostile})
    page = result(send(administrator, data))
    assert "names what this server does not know, and grants nothing here: unheard_of." in page.text
    page = result(send(administrator, data, "install"))
    assert hostile in [element.text for element in page.all("bdi")]
