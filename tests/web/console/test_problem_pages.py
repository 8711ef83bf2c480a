"""A page for every problem there is, and problems as pages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import placet.web
from builders import limit, switch
from console_server import ConsoleServer, read
from placet.enforcement import Code, catalogue
from placet.platform.problems import PROBLEM_KINDS
from placet.web import problems
from placet.web.console.explanations import explanations

KNOWN = explanations()
# Told by the edge without a status of their own: they are written out where they happen.
SPOKEN = {**problems._SIMPLE}

# The thirteen fixed messages in order, E1 to E9 and W1 to W4, with their placeholders.
MESSAGES = {
    "no_license": "No license was found for this server",
    "operation_no_license": "Cannot perform the operation. No license was found for this server",
    "wrong_server": (
        "The license found is not valid for this server because it was issued to a server with serial number '<number>'"
    ),
    "operation_wrong_server": "Cannot perform the operation. The license found is not valid for this server",
    "expired": ("This server license has expired. Your Service Center administrator must request a new license"),
    "over_limit": (
        "This server is consuming more resources than allowed by its license. Either the license "
        "contract must be changed or the features usage decreased"
    ),
    "operation_expired_or_over_limit": (
        "Cannot perform the operation. Either this server license has expired or it is consuming more "
        "resources than allowed"
    ),
    "software_units_limit": (
        "You cannot publish more modules because you reached the limit of <number> Software Units that "
        "this server license allows"
    ),
    "feature_not_licensed": (
        "Cannot perform the operation. The <feature> feature is not licensed in this server. To change "
        "the license contract ask your Service Center administrator"
    ),
    "expiring": (
        "This server license will expire within <period of time>. Your Service Center administrator "
        "should request a new license"
    ),
    "in_grace": (
        "This server license has expired. Your Service Center administrator must request a new license "
        "within <period of time>"
    ),
    "over_limit_tolerated": (
        "This server is consuming more resources than allowed by its license. Either the license "
        "contract should be changed or the features usage decreased"
    ),
    "software_units_limit_tolerated": (
        "You should not publish more modules because you reached the limit of <number> Software Units "
        "that this server license allows"
    ),
}
SYMBOLS = ("E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "W1", "W2", "W3", "W4")


def literal_problems() -> Iterator[tuple[str, str | None, int | None]]:
    """Code, title and status of every ``Problem("...")`` of the web edge."""
    for path in Path(placet.web.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            if name != "Problem" or not isinstance(node, ast.Call) or not node.args:
                continue
            if isinstance(node.args[0], ast.Constant):
                told = {key.arg: key.value.value for key in node.keywords if isinstance(key.value, ast.Constant)}
                title, status = told.get("title"), told.get("status")
                yield str(node.args[0].value), title and str(title), status and int(str(status))


def test_every_problem_of_the_edge_is_explained_under_its_title_and_status() -> None:
    found = list(literal_problems())
    assert len(found) > 8
    for code, title, status in [*found, *SPOKEN.values()]:
        assert code in KNOWN
        assert title in {None, KNOWN[code].title}
        assert status in {None, KNOWN[code].http_status}


def test_every_message_and_every_problem_of_modules_is_explained() -> None:
    assert {*Code, *PROBLEM_KINDS} <= KNOWN.keys()
    for code, kind in PROBLEM_KINDS.items():
        assert (KNOWN[code].title, KNOWN[code].http_status) == (kind.title, kind.status)


def test_every_explanation_is_whole() -> None:
    for entry in KNOWN.values():
        assert entry.meaning.endswith(".")
        assert entry.remedy.endswith(".")
        assert "{" not in f"{entry.text}{entry.remedy}{entry.meaning}"


def test_every_code_has_its_page(server: ConsoleServer, stranger: httpx2.Client) -> None:
    for code, entry in KNOWN.items():
        answer = stranger.get(f"/problems/{code}")
        assert answer.status_code == 200
        page = read(answer)
        assert page.one("h1").text == entry.title
        for words in (entry.symbol, entry.text, entry.meaning, entry.remedy, entry.contact, str(entry.http_status)):
            assert words is None or words in page.text


def test_the_page_of_each_message_tells_it_letter_for_letter(stranger: httpx2.Client) -> None:
    for symbol, (code, text) in zip(SYMBOLS, MESSAGES.items(), strict=True):
        page = read(stranger.get(f"/problems/{code}"))
        assert page.one("blockquote").text == text
        assert page.one(class_="symbol").text == symbol


def test_the_same_as_json(server: ConsoleServer, stranger: httpx2.Client) -> None:
    entry = catalogue().entries[Code.OVER_LIMIT]
    answer = stranger.get("/problems/over_limit", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "type": "/problems/over_limit",
        "code": "over_limit",
        "subject": "The license",
        "title": entry.title,
        "severity": "error",
        "meaning": entry.meaning,
        "remedy": entry.remedy.format(vendor="the vendor"),
        "contact": "Service Center administrator",
        "http_status": 403,
        "symbol": "E6",
        "text": entry.text,
        "in_force": [],
    }


def test_the_index_names_them_all(stranger: httpx2.Client) -> None:
    page = read(stranger.get("/problems/"))
    for code in KNOWN:
        assert page.one("a", href=f"/problems/{code}")
    listed = stranger.get("/problems/", headers={"Accept": "application/json"}).json()
    assert [entry["code"] for entry in listed] == list(KNOWN)


@pytest.mark.parametrize("code", ["nope", "<script>alert(1)<", "x" * 5000, "%00", "..%2f..", "\u202eevil"])
def test_an_unknown_code_is_a_page_that_says_so(stranger: httpx2.Client, code: str) -> None:
    answer = stranger.get(f"/problems/{code}")
    assert answer.status_code == 404
    page = read(answer)
    assert page.one("h1").text in {"No such problem", "Not Found"}
    assert len(page.text) < 1000


def test_an_unknown_code_as_json(stranger: httpx2.Client) -> None:
    answer = stranger.get("/problems/nope", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unknown_problem"


def test_signed_in_callers_see_this_servers_own_numbers(
    server: ConsoleServer, developer: httpx2.Client, stranger: httpx2.Client
) -> None:
    server.install()
    server.publish("orders", 30)
    server.install(jti="L-2", sequence=2, features={"software_units": limit(20), "run": switch()})
    numbers = "Over limit: 30 Software Units are in use, and the license allows 20."
    for code in ("over_limit", "operation_expired_or_over_limit"):
        answer = developer.get(f"/problems/{code}")
        assert numbers in read(answer).text
        assert answer.headers["cache-control"] == "no-store"
        told = developer.get(f"/problems/{code}", headers={"Accept": "application/json"}).json()["in_force"]
        assert told[0]["diagnosis"] == numbers
        answer = stranger.get(f"/problems/{code}")
        assert numbers not in read(answer).text
        assert "Acme" not in answer.text
        assert answer.headers["cache-control"] == "no-cache"
    assert "On this server it is not the case now." in read(developer.get("/problems/expired")).text


def test_the_exact_refusal_of_an_operation_is_shown(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"run": switch()})
    page = read(developer.get("/problems/feature_not_licensed"))
    assert [told.text for told in page.all(role="alert")] == [
        f"Cannot perform the operation. The {feature} feature is not licensed in this server. To change the license "
        "contract ask your Service Center administrator"
        for feature in ("Debugger", "Test Query")
    ]


# Problems as pages, wherever a browser meets one


def test_a_refusal_met_in_a_browser_is_a_page_with_its_numbers(
    server: ConsoleServer, administrator: httpx2.Client
) -> None:
    server.install(features={"users": limit(1), "software_units": limit(5)})
    administrator.post("/api/v1/users", json={"name": "maria", "role": "developer"}).raise_for_status()
    answer = administrator.post("/api/v1/users", json={"name": "jonas", "role": "developer"})
    assert answer.status_code == 403
    page = read(answer)
    assert page.one(role="alert", data_code="limit_reached").text == (
        "Cannot perform the operation because you reached the limit of 1 Users that this server license allows"
    )
    for words in ("Used 1", "Limit 1", "Requested 1", "Diagnosis Limit reached", "Whom to ask You look after this"):
        assert words in page.text
    assert page.one("a", href="/problems/limit_reached")


def test_a_page_that_is_not_there(stranger: httpx2.Client) -> None:
    answer = stranger.get("/service-center/nowhere")
    assert answer.status_code == 404
    assert read(answer).one("a", href="/problems/not_found")


def test_the_api_in_a_browser_leads_to_sign_in(stranger: httpx2.Client) -> None:
    answer = stranger.get("/api/v1/license")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert read(answer).one("a", href="/service-center/sign-in", class_="button primary")


def test_what_is_inside_stays_inside(
    server: ConsoleServer, administrator: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(server.guard, "status", fails)
    answer = administrator.get("/service-center/")
    assert answer.status_code == 500
    assert "secret of the house" not in answer.text
    assert read(answer).one(data_code="internal_error")
