"""Requesting a license in the console: what is needed, as a file and to be copied."""

from collections.abc import Iterator

import httpx2
import pytest

from builders import limit, switch
from console_server import ConsoleServer, read
from placet.license.request import verify_request
from placet.license.terms import Grant
from placet.store.credentials import Role

AT = "/service-center/licensing/request"
ASKED = {"ask": "yes", "software_units": "50", "run": "yes", "until": "2040-12-31", "wishes": "Soon,\r\nplease."}


@pytest.fixture
def developer(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client(Role.DEVELOPER) as client:
        yield client


def test_the_form_begins_with_what_is_granted_now(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"software_units": limit(20), "run": switch()})
    page = read(developer.get(AT))
    assert page.one("input", name="software_units").attributes["value"] == "20"
    assert page.one("input", name="users").attributes["value"] == ""
    assert "checked" in page.one("input", name="run").attributes
    assert "checked" not in page.one("input", name="debugger").attributes
    assert page.one("input", name="until").attributes["value"] > "2027"
    assert not page.all("textarea", id="document")


def test_what_is_asked_for_is_signed_to_be_copied_and_as_a_file(developer: httpx2.Client) -> None:
    page = read(developer.get(AT, params=ASKED))
    shown, _ = verify_request(page.one("textarea", id="document").text.encode())
    answer = developer.get(f"{AT}/file", params=ASKED)
    assert answer.headers["content-disposition"].startswith('attachment; filename="license-request-')
    saved, _ = verify_request(answer.content)
    for request in (shown, saved):
        assert request.wanted == {"run": Grant(kind="switch"), "software_units": Grant(kind="limit", limit=50)}
        assert (request.wanted_until, request.wishes) == (2240611200, "Soon,\nplease.")
    assert page.one("input", name="software_units").attributes["value"] == "50"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"software_units": "-1"}, "Software Units is wanted as '-1'."),
        ({"software_units": "<script>"}, "Software Units is wanted as '<script>'."),
        ({"until": "soon"}, "'soon'"),
        ({"wishes": "x" * 1001}, "The wishes are longer than 1,000 characters."),
    ],
)
def test_what_cannot_be_asked_for_is_told_above_the_form(
    developer: httpx2.Client, wrong: dict[str, str], told: str
) -> None:
    page = read(developer.get(AT, params=ASKED | wrong))
    assert told in page.one(role="alert").text
    assert page.one("input", name="until").attributes["value"] == (ASKED | wrong)["until"]
    assert not page.all("textarea", id="document")
    assert developer.get(f"{AT}/file", params=ASKED | wrong).status_code == 400


def test_nobody_signed_in_is_led_to_the_sign_in(server: ConsoleServer) -> None:
    for path in (AT, f"{AT}/file"):
        assert (
            httpx2.get(f"{server.url}{path}", trust_env=False).headers["location"].startswith("/service-center/sign-in")
        )
