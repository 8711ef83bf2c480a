"""A real Platform Server behind a real HTTP server on loopback, with a clock that stands still, and its pages read."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import uvicorn

from builders import EVERYTHING, KEY, NOW, a_license, trust_store
from placet.guard import Guard
from placet.license import SigningKey, TrustStore
from placet.platform.layout import Layout
from placet.platform.notifications.notifier import note_refusal
from placet.platform.openid import OpenId
from placet.platform.product import PLATFORM_SERVER
from placet.platform.server import PlatformServer
from placet.store import credentials, modules
from placet.store.credentials import Kind, Role
from placet.store.database import Database
from placet.store.modules import ModuleVersion
from placet.web.app import create_app

TRUST = trust_store(KEY, issuer="Acme Software")
OVERVIEW = "/service-center/"
SIGN_IN = "/service-center/sign-in"
LICENSE = "/service-center/license"
LICENSING = "/service-center/licensing"
USAGE = "/service-center/usage"
MODULES = "/service-center/modules"
TIMEOUT = 30.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = NOW.timestamp()

    def __call__(self) -> float:
        return self.seconds

    def go(self, period: timedelta) -> None:
        self.seconds += period.total_seconds()


class ConsoleServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running server; ``url`` is its origin."""

    url: str
    platform: PlatformServer
    clock: Clock

    @property
    def guard(self) -> Guard:
        return self.platform.guard

    @property
    def serial_number(self) -> str:
        return self.guard.status().serial_number

    def a_license(self, *, keys: tuple[SigningKey, ...] = (KEY,), **claims: Any) -> bytes:
        """A license for this server."""
        return a_license(keys=keys, **({"serial_number": self.serial_number} | claims))

    def install(self, **claims: Any) -> None:
        self.guard.install(self.a_license(**claims), acknowledge=True)

    def publish(self, name: str, units: int, *, version: str = "1.2.0", by: str = "maria") -> None:
        """Put a module on the books; nothing of it runs."""
        published = ModuleVersion(
            id=name[:36],
            module=name,
            version=version,
            entrypoint="app:app",
            units=units,
            elements=[],
            digest="0" * 64,
            published_at=NOW,
            published_by=by,
        )
        with self.guard.allocation("publish", name, software_units=units) as grant:
            modules.activate(grant.connection, published, b"zip")

    def caller(self, name: str, role: Role = Role.DEVELOPER) -> httpx2.Client:
        """Somebody with a token of this server."""
        headers = {"Authorization": f"Bearer {self.token(role, name=name)}"}
        return httpx2.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False, headers=headers)

    def code(self, role: Role = Role.ADMINISTRATOR, name: str = "ada") -> str:
        return self.platform.people.one_time_sign_in(name, role)

    def token(self, role: Role = Role.ADMINISTRATOR, name: str = "ada") -> str:
        return self.platform.people.create_token(name, role, actor="test")[1]

    @contextmanager
    def client(self, role: Role | None = None, *, name: str = "ada", **headers: str) -> Iterator[httpx2.Client]:
        """A browser's HTTP: signed in where there is a role, from this site's own pages, no redirect followed."""
        own = {"Accept": "text/html", "Origin": self.url} | headers
        with httpx2.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False, headers=own) as client:
            if role is not None:
                answer = client.get(SIGN_IN, params={"code": self.code(role, name)})
                assert answer.headers["location"] == OVERVIEW
            yield client

    def sessions(self) -> list[str]:
        """Who is signed in."""
        with self.guard.database.read() as connection:
            return [held.name for held in credentials.in_force(connection, Kind.SESSION, self.guard.now())]


@contextmanager
def running(
    data: Path,
    *,
    trust: TrustStore = TRUST,
    clock: Clock | None = None,
    database_url: str | None = None,
    openid: OpenId | None = None,
) -> Iterator[ConsoleServer]:
    """Serve a data directory on a free port. The socket listens before the server starts; nobody polls."""
    layout = Layout(data)
    layout.make()
    clock = clock or Clock()
    database = Database.open_file(layout.database) if database_url is None else Database.open(database_url)
    platform = PlatformServer(
        Guard(database, PLATFORM_SERVER, trust, clock=clock, refused=note_refusal), layout, openid=openid
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(platform), access_log=False, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        httpx2.get(f"{url}/healthz", timeout=TIMEOUT, trust_env=False).raise_for_status()
        yield ConsoleServer(url=url, platform=platform, clock=clock)
    finally:
        platform.stopping.set()
        server.should_exit = True
        thread.join(TIMEOUT)
        listener.close()
        assert not thread.is_alive()


_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_INLINE = frozenset({"a", "bdi", "code", "path", "rect", "span", "strong", "svg", "time", "var"})
_IN_SVG = frozenset({"path", "rect", "circle"})


class Element(msgspec.Struct):
    """An element with its attributes and all the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class Document(HTMLParser):
    """A page, read strictly: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _INLINE:
            self.handle_data(" ")  # what stands in boxes of their own is read apart
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _IN_SVG, tag
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """The elements with a tag and attributes; ``data_code="x"`` is the attribute ``data-code``."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if tag in {None, element.tag} and wanted.items() <= element.attributes.items()
        ]

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, (tag, attributes, found)
        return found[0]

    @property
    def text(self) -> str:
        """What there is to read, white space as one blank."""
        return " ".join(self.one("body").text.split())


def read(answer: httpx2.Response) -> Document:
    """Read a page, and see that it keeps what all pages of the console promise."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    document = Document(answer.text)
    for script in document.all("script"):
        assert (script.attributes["type"], script.text) == ("module", "")
    assert not document.all("style")
    for element in document.elements:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action"):
            assert element.attributes.get(name, "/")[:1] in {"/", "#"}
            assert not element.attributes.get(name, "/").startswith("//")
    ids = [element.attributes["id"] for element in document.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    see_that_everybody_can_use(document)
    return document


def see_that_everybody_can_use(document: Document) -> None:
    """What every page owes those who do not see it: a language, landmarks, headings in order, and names."""
    assert document.one("html").attributes["lang"]
    assert document.all("title")[0].text.strip(" ·")
    for landmark in ("header", "main"):
        assert document.one(landmark)
    assert document.one("nav", id="navigation")
    assert document.one("a", class_="skip").attributes["href"] == f"#{document.one('main').attributes['id']}"
    levels = [int(element.tag[1]) for element in document.elements if re.fullmatch("h[1-6]", element.tag)]
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise([0, *levels]))
    named = {
        element.attributes["id"]: element.text.strip() for element in document.elements if "id" in element.attributes
    }
    labels = {element.attributes["for"] for element in document.all("label") if element.text.strip()}
    assert labels <= named.keys()
    for element in document.elements:
        told = element.attributes
        for name in ("aria-labelledby", "aria-describedby"):
            assert all(named[id_] for id_ in told.get(name, "").split())
        if element.tag in {"input", "select", "textarea"} and told.get("type") != "hidden":
            assert told["id"] in labels
        if element.tag in {"a", "button", "summary", "h1", "h2", "h3"}:
            assert element.text.strip()
        if element.tag in {"nav", "section"} or told.get("role") == "meter":
            assert "aria-label" in told or "aria-labelledby" in told
        assert element.tag != "img" or "alt" in told
        assert element.tag != "th" or told["scope"] in {"col", "row"}
        if element.tag == "svg" and told.get("aria-hidden") != "true":
            assert (told["role"], bool(told["aria-labelledby"])) == ("img", True)
        assert int(told.get("tabindex", "0")) <= 0


def query_of(location: str) -> dict[str, list[str]]:
    """The query of a redirect's address."""
    return parse_qs(urlsplit(location).query)


LIMITED = {name: grant for name, grant in EVERYTHING.items() if name not in {"software_units", "debugger"}}
