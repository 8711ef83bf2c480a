"""What every view has: its place in the navigation, and changes that are typed, asked about, and told once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import httpx2
import msgspec
import pytest
from litestar import Litestar
from msgspec import Meta

import placet.web.app
import placet.web.console
from console_server import ConsoleServer, Document, read, running
from placet.store.credentials import Kind, Role
from placet.web.access import Access, Caller
from placet.web.console.asking import Asking
from placet.web.console.navigation import MESSAGES, navigation
from placet.web.console.routing import routes_of
from placet.web.console.told import COOKIE, Told
from placet.web.console.view import Change, Confirmation, Shown, View
from placet.web.console.views import VIEWS
from placet.web.problems import Problem

TRIED = "/service-center/tried/{name:str}"
AT = "/service-center/tried/a%20b"
HOSTILE = "<script>alert(1)</script>\u202e"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A form with a field of each type."""

    word: Annotated[str, Meta(title="The word", min_length=1, max_length=20)]
    amount: Annotated[int, Meta(ge=1, le=9)] = 1
    sure: bool = False
    names: list[Annotated[str, Meta(max_length=5)]] = []
    file: Annotated[bytes, Meta(max_length=100)] | None = None


def show(asking: Asking) -> Mapping[str, Any]:
    return {"front_ends": [], "shown": asking.part("name")}


def make(asking: Asking, form: Form) -> Told | Shown:
    if form.word == "refuse":
        raise Problem("unknown_user", title="No such user", status=404, detail=f"There is no {HOSTILE}.")
    if form.word == "once":
        return Shown(context={"told": Told(text="shown once")})
    return Told(text=f"{asking.caller.name} {msgspec.json.encode(form).decode()}")


def question(asking: Asking, form: Form) -> Confirmation | None:
    if form.word != "ask":
        return None
    return Confirmation(title="Really?", sentences=(f"{asking.part('name')} {HOSTILE} goes.",), button="Do it")


CHANGE = Change(path="make", form=Form, do=make, confirm=question, largest=2000)
VIEW = View(
    path=TRIED,
    template="front_ends.html",
    access=Access.SIGNED_IN,
    title="Tried",
    show=show,
    below="/service-center/front-ends",
    changes=(CHANGE,),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    """A server with one view more, whose form does nothing but tell what it was sent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placet.web.app, "ROUTES", [*placet.web.console.ROUTES, *routes_of(VIEW)])
        with running(tmp_path_factory.mktemp("views") / "data") as server:
            yield server


@pytest.fixture
def client(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.client(Role.ADMINISTRATOR) as client:
        yield client


def send(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    return client.post(f"{AT}/make", data=fields)


def told(page: Document) -> list[str]:
    return [
        " ".join(element.text.split()) for element in page.all("p") if "told" in element.attributes.get("class", "")
    ]


def test_the_navigation_names_what_somebody_may_see_and_marks_the_page(client: httpx2.Client) -> None:
    for view in (view for view in VIEWS if view.group is not None):
        page = read(client.get(view.path))
        marked = page.one("a", aria_current="page")
        assert marked.attributes["href"] == (view.below or view.path)
        assert marked.text == view.title or view.below
        assert page.one("button", popovertarget="navigation")
        assert page.one("nav", id="navigation")
    assert read(client.get(AT)).one("a", aria_current="page").text == "Front-ends"


PATHS = [view.path.replace("{name:str}", "software_units") for view in VIEWS]


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.DEVELOPER])
def test_every_page_keeps_what_all_pages_promise_to_whoever_asks(server: ConsoleServer, role: Role) -> None:
    with server.client(role) as client, server.client() as nobody:
        for view, path in zip(VIEWS, PATHS, strict=True):
            answer = client.get(path)
            may = view.access is Access.SIGNED_IN or role is Role.ADMINISTRATOR
            assert answer.status_code == (200 if may else 403), path
            read(answer)  # its headers, nothing inline, nothing from elsewhere, names and landmarks
            assert answer.headers["cache-control"] == "no-store"
            assert nobody.get(path).status_code == 303


def test_what_somebody_may_not_see_is_not_in_the_navigation(server: ConsoleServer) -> None:
    secret = msgspec.structs.replace(VIEWS[0], path="/service-center/secret", access=Access.ADMINISTRATOR)
    views = (*VIEWS, secret)
    for role, seen in ((Role.ADMINISTRATOR, True), (Role.DEVELOPER, False)):
        found = server.platform.people.find(Kind.TOKEN, server.token(role), for_reading=True)
        assert found is not None
        links = hrefs(views, Caller(found))
        assert (secret.path in links) is seen
        theirs = [view for view in VIEWS if seen or view.access is not Access.ADMINISTRATOR]
        assert {view.path for view in theirs if view.group is not None} <= links
        assert not {view.path for view in VIEWS if view not in theirs} & links
    assert hrefs(views, None) == {MESSAGES}


def hrefs(views: Sequence[View], reader: Caller | None) -> set[str]:
    return {link.href for part in navigation(views, reader, "") for link in part.links}


def test_a_change_leads_back_to_its_view_which_tells_it_once(client: httpx2.Client) -> None:
    answer = send(client, word=" ü ", amount="7", sure="yes", names=["a", "b"])
    assert (answer.status_code, answer.headers["location"]) == (303, AT)
    assert told(read(client.get(AT))) == ['ada {"word":"ü","amount":7,"sure":true,"names":["a","b"],"file":null}']
    assert told(read(client.get(AT))) == []


def test_what_is_told_is_believed_of_the_session_alone(server: ConsoleServer, client: httpx2.Client) -> None:
    send(client, word="w")
    sealed = client.cookies[COOKIE]
    with server.client(Role.ADMINISTRATOR, name="other") as other:
        for forged in (sealed, sealed[:-2], "x", "=", "\u00e9".encode().hex(), "A" * 7000):
            other.cookies.set(COOKIE, forged, domain="127.0.0.1", path="/service-center")
            assert told(read(other.get(AT))) == []
            other.cookies.delete(COOKIE)
    assert len(told(read(client.get(AT)))) == 1


def test_what_asks_first_does_nothing_before_it_is_confirmed(client: httpx2.Client) -> None:
    page = read(send(client, word="ask", amount="3"))
    assert page.one("h1").text == "Really?"
    assert f"a b {HOSTILE} goes." in page.text
    form = page.one("form", action=f"{AT}/make")
    assert form.attributes["method"] == "post"
    fields = {field.attributes["name"]: field.attributes["value"] for field in page.all("input", type="hidden")}
    assert fields == {"word": "ask", "amount": "3", "confirmed": "yes"}
    assert page.one("a", href=AT, class_="button").text == "Leave it"
    assert told(read(client.get(AT))) == []
    assert send(client, **fields).status_code == 303
    assert len(told(read(client.get(AT)))) == 1


def test_a_refused_change_is_told_by_its_view_with_its_own_status(client: httpx2.Client) -> None:
    answer = send(client, word="refuse")
    assert answer.status_code == 404
    page = read(answer)
    assert page.one(role="alert", data_code="unknown_user").text == f"There is no {HOSTILE}."
    assert page.one("h1").text == "Front-ends"
    answer = client.post(f"{AT}/make", data={"word": "refuse"}, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


def test_what_is_shown_once_is_the_answer_itself(client: httpx2.Client) -> None:
    answer = send(client, word="once")
    assert answer.status_code == 200
    assert told(read(answer)) == ["shown once"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "The word is missing."),
        ({"word": ""}, "The word has to be text of 1 to 20 characters."),
        ({"word": "x" * 21}, "The word has to be text of 1 to 20 characters."),
        ({"word": "w", "amount": "ten"}, "Amount has to be a whole number from 1 to 9."),
        ({"word": "w", "amount": "0"}, "Amount has to be a whole number from 1 to 9."),
        ({"word": "w", "amount": "9" * 1000}, "Amount has to be a whole number from 1 to 9."),
        ({"word": "w", "names": ["a", "toolong"]}, "Names has to be a list, each entry text of at most 5 characters."),
    ],
)
def test_a_field_that_is_not_what_is_asked_for_is_named(
    client: httpx2.Client, fields: dict[str, Any], said: str
) -> None:
    answer = send(client, **fields)
    assert answer.status_code == 400
    assert read(answer).one(data_code="bad_request").text.startswith(said)


def test_files_are_capped_and_forms_as_well(client: httpx2.Client) -> None:
    for size, status in ((100, 303), (101, 400), (5000, 413)):
        answer = client.post(f"{AT}/make", data={"word": "w"}, files={"file": ("f", b"x" * size)})
        assert answer.status_code == status
    assert "This form is larger than" in read(answer).text


def test_the_address_of_a_change_opened_again_leads_to_its_view(client: httpx2.Client) -> None:
    assert client.get(f"{AT}/make").headers["location"] == AT


def test_changes_are_administrators_unless_they_say_otherwise(server: ConsoleServer) -> None:
    with server.client(Role.DEVELOPER, name="dan") as developer:
        assert send(developer, word="w").status_code == 403


def posts(application: Litestar) -> list[str]:
    """The path of every change of the console."""
    return [
        route.path
        for route in application.routes
        if route.path.startswith("/service-center") and "POST" in getattr(route, "methods", ())
    ]


@pytest.mark.parametrize(
    "said", [{"Origin": "https://evil.example"}, {"Origin": "", "Sec-Fetch-Site": "cross-site"}, {}]
)
def test_no_change_is_made_for_a_page_of_another_site(server: ConsoleServer, said: dict[str, str]) -> None:
    application = placet.web.app.create_app(server.platform)._api
    found = posts(application)
    assert {"/service-center/license", "/service-center/sign-out", "/service-center/sign-in"} < {*found}
    with server.client(Role.ADMINISTRATOR) as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {"Cookie": cookie, "Accept": "application/json"} | {name: value for name, value in said.items() if value}
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as browser:
        for path in found:
            answer = browser.post(path.replace("{", "").replace("}", "").replace(":", ""), data={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request"), path
    assert len(server.sessions()) >= 1


def test_pages_are_told_that_something_changed(server: ConsoleServer, client: httpx2.Client) -> None:
    with client.stream("GET", "/service-center/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"
        next(line for line in lines if line == ": here")
        server.install()
        assert next(line for line in lines if line.startswith("event")) == "event: changed"
    with server.client() as nobody:
        assert nobody.get("/service-center/live").status_code == 303
