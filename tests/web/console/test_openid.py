"""Signing in with an OpenID provider: a real one, in a process of its own, and a browser's HTTP between the two."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest

from builders import EVERYTHING, limit
from console_server import OVERVIEW, SIGN_IN, ConsoleServer, read, running
from guard_support.guards import used
from openid_support.django_provider_words import PROVIDER, SECRET
from placet.platform.openid import OpenId
from placet.platform.openid_settings import OpenIdSettings
from placet.store import audit
from placet.store.credentials import Role
from placet.web.access import SESSION_COOKIE

BEGIN = f"{SIGN_IN}/openid"
RETURN = f"{BEGIN}/return"
ADDRESSES = count(1)
"""One for each test, since each has failures of its own."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """The provider that runs, and this server's place there."""

    issuer: str
    server: ConsoleServer
    client_id: str

    def has(self, **changes: object) -> None:
        """Let the server be told something else of the provider."""
        told = {"issuer": self.issuer, "client_id": self.client_id, "client_secret": SECRET, "title": "Acme SSO"}
        self.server.platform.openid = OpenId(OpenIdSettings(**(told | changes)))  # type: ignore[arg-type]

    def consent(self, browser: httpx2.Client, name: str) -> httpx2.Response:
        """Sign in at the provider, from the link on this server's page to the answer of this server."""
        page = read(browser.get(SIGN_IN))
        (link,) = [a for a in page.all("a") if "Sign in with" in a.text]
        assert link.text.strip() == "Sign in with Acme SSO"
        there = browser.get(link.attributes["href"])
        assert there.status_code == 303
        with httpx2.Client(trust_env=False, follow_redirects=True, timeout=30) as at_provider:
            login = at_provider.get(there.headers["location"])
            token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', login.text)
            assert token is not None
            form = {
                "csrfmiddlewaretoken": token[1],
                "username": name,
                "password": f"of {name} there",
                "next": parse_qs(urlsplit(str(login.url)).query)["next"][0],
            }
            at_provider.follow_redirects = False
            answer = at_provider.post(str(login.url), data=form)
            answer = at_provider.get(f"{self.issuer.removesuffix('/o')}{answer.headers['location']}")
        assert answer.headers["location"].startswith(f"{self.server.url}{RETURN}?"), answer.headers["location"]
        return browser.get(answer.headers["location"].removeprefix(self.server.url))

    def events(self, name: str) -> list[tuple[str, str]]:
        with self.server.guard.database.read() as connection:
            return [(e.actor, e.subject) for e in audit.events(connection) if e.event == name]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    directory = tmp_path_factory.mktemp("provider")
    command = [sys.executable, str(PROVIDER), str(directory)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        running(directory / "data") as server,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            issuer = f"http://127.0.0.1:{int(process.stdout.readline())}/o"
            process.stdin.write(f"{server.url}{RETURN}\n")
            process.stdin.flush()
            client_id = process.stdout.readline().strip()
            server.install(features=EVERYTHING | {"users": limit(3)})
            provider = Provider(issuer=issuer, server=server, client_id=client_id)
            provider.has()
            server.platform.people.add("maria", Role.DEVELOPER, actor="root")
            yield provider
        finally:
            process.kill()


@pytest.fixture
def browser(provider: Provider) -> Iterator[httpx2.Client]:
    provider.has()
    with provider.server.client(**{"X-Forwarded-For": f"192.0.2.{next(ADDRESSES)}"}) as client:
        yield client


def test_a_user_signs_in_at_the_provider(provider: Provider, browser: httpx2.Client) -> None:
    answer = provider.consent(browser, "maria")
    assert (answer.status_code, answer.headers["location"]) == (303, OVERVIEW)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "maria developer" in read(browser.get(OVERVIEW)).text
    assert "placet_openid" not in browser.cookies
    (session,) = provider.server.platform.people.sessions.in_force("maria")
    assert session.method == "openid"
    assert provider.events("user.identity_linked") == [("maria", "maria")]
    assert provider.consent(browser, "maria").status_code == 303
    assert len(provider.server.platform.people.sessions.in_force("maria")) == 1, (
        "the one that the browser had has ended"
    )
    assert len(provider.events("user.identity_linked")) == 1


def test_what_is_asked_of_the_provider(provider: Provider, browser: httpx2.Client) -> None:
    there = browser.get(BEGIN)
    query = {name: value[0] for name, value in parse_qs(urlsplit(there.headers["location"]).query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"{provider.server.url}{RETURN}"
    cookie = there.headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/", "max-age=600"} <= {part.strip() for part in cookie.split(";")}
    for name in ("state", "nonce", "code_challenge"):
        assert len(query[name]) == 43
    assert browser.get(BEGIN).headers["location"] != there.headers["location"]


def test_who_is_no_user_is_told_whom_to_ask_and_becomes_none(provider: Provider, browser: httpx2.Client) -> None:
    answer = provider.consent(browser, "ada")
    assert answer.status_code == 403
    assert "You are 'ada' to the provider, and there is no user of that name" in read(answer).one(role="alert").text
    assert SESSION_COOKIE not in browser.cookies
    assert [user.name for user in provider.server.platform.people.users()] == ["maria"]


def test_who_is_deactivated_stays_so(provider: Provider, browser: httpx2.Client) -> None:
    provider.has(create=True)
    provider.server.platform.people.deactivate("maria", actor="root")
    try:
        answer = provider.consent(browser, "maria")
        assert answer.status_code == 403
        assert "your user on this server is deactivated" in read(answer).one(role="alert").text
    finally:
        provider.server.platform.people.activate("maria", actor="root")


def test_another_person_of_the_same_name_is_not_let_in(provider: Provider, browser: httpx2.Client) -> None:
    provider.consent(browser, "maria")
    with provider.server.guard.database.write() as connection:
        connection.exec_driver_sql("UPDATE identities SET subject = 'whoever was maria before'")
    answer = provider.consent(browser, "maria")
    assert "is somebody else at the provider" in read(answer).one(role="alert").text
    with provider.server.caller("root", Role.ADMINISTRATOR) as root:
        assert root.post("/api/v1/users/maria/unlink").json() == {"name": "maria", "unlinked": True}
        assert root.post("/api/v1/users/maria/unlink").json() == {"name": "maria", "unlinked": False}
    assert provider.consent(browser, "maria").status_code == 303


def test_the_provider_says_who_is_an_administrator(provider: Provider, browser: httpx2.Client) -> None:
    people = provider.server.platform.people
    provider.has(create=True, administrators=("realm.groups", "placet-admins"))
    with provider.server.client() as other:
        assert provider.consent(other, "ada").headers["location"] == OVERVIEW
        assert "ada administrator" in read(other.get(OVERVIEW)).text
    assert ("OpenID provider", "ada") in provider.events("user.added")
    assert used(provider.server.guard, "users") == 2
    with provider.server.client() as other:
        provider.consent(other, "ada")
        provider.has(administrators=("realm.groups", "another-group"))
        assert provider.consent(browser, "ada").status_code == 303
        assert "ada developer" in read(browser.get(OVERVIEW)).text
        assert other.get(OVERVIEW).status_code == 303, "a session with the role that is taken away ends"
    assert {user.name: user.role for user in people.users()}["ada"] == "developer"
    assert provider.events("user.role_changed") == [("OpenID provider", "ada")]


def test_where_no_more_users_are_licensed_nobody_is_added(provider: Provider, browser: httpx2.Client) -> None:
    provider.server.install(features=EVERYTHING | {"users": limit(0)})
    provider.has(create=True)
    with provider.server.guard.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM identities")
        connection.exec_driver_sql("DELETE FROM users WHERE name = 'ada'")
    try:
        answer = provider.consent(browser, "ada")
        assert answer.status_code == 403
        told = read(answer).one(role="alert").text
        assert "That is why no user was added for you. Ask your Service Center administrator." in told
        assert "Cannot perform the operation" in told
        assert "ada" not in [user.name for user in provider.server.platform.people.users()]
        assert provider.consent(browser, "maria").status_code == 303, (
            "who is a user signs in, whatever the license says"
        )
    finally:
        provider.server.install(features=EVERYTHING | {"users": limit(3)})


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?code=x&state=y", f"?code=x&state={'A' * 43}", "?error=access_denied"]
)
def test_what_nobody_began_ends_nowhere(provider: Provider, browser: httpx2.Client, query: str) -> None:
    for cookie in (None, f"{'A' * 42}B.{'A' * 43}.{'A' * 43}", "nonsense"):
        browser.cookies.clear()
        if cookie is not None:
            browser.cookies.set("placet_openid", cookie)
        answer = browser.get(RETURN + query)
        assert answer.status_code == 403
        assert "Begin again." in read(answer).one(role="alert").text
        assert SESSION_COOKIE not in answer.headers.get("set-cookie", "")


def test_a_code_serves_one_browser_once(provider: Provider, browser: httpx2.Client) -> None:
    """Whoever gets hold of an answer of the provider has neither the state nor the verifier."""
    begun = browser.get(BEGIN).headers["location"]
    state = parse_qs(urlsplit(begun).query)["state"][0]
    answer = browser.get(RETURN, params={"code": "stolen or used", "state": state})
    assert answer.status_code == 403
    assert "does not take the code any more" in read(answer).one(role="alert").text
    assert browser.get(RETURN, params={"code": "stolen or used", "state": state}).status_code == 403


def test_another_secret_is_told_clearly_and_secrets_are_not(
    provider: Provider, browser: httpx2.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.has(client_secret="another secret than the provider knows")
    answer = provider.consent(browser, "maria")
    assert answer.status_code == 502
    told = read(answer).one(role="alert").text
    assert (
        "its token endpoint answered 401 (invalid_client) to this server, so its client id or secret is another" in told
    )
    logged = "".join(capfd.readouterr())
    assert "another secret than" not in logged + told + repr(provider.server.platform.openid.settings)  # type: ignore[union-attr]


def test_a_provider_that_is_down_leaves_the_other_ways(provider: Provider, browser: httpx2.Client) -> None:
    provider.has(issuer="http://127.0.0.1:9/o")
    answer = browser.get(BEGIN)
    assert answer.status_code == 502
    page = read(answer)
    assert "Acme SSO cannot sign you in at the moment" in page.one(role="alert").text
    assert "cannot be reached" in page.one(role="alert").text
    assert page.one("input", name="password")


def test_without_a_provider_there_is_no_link(provider: Provider, browser: httpx2.Client) -> None:
    provider.server.platform.openid = None
    assert "Sign in with Acme" not in browser.get(SIGN_IN).text
    assert browser.get(BEGIN).headers["location"] == SIGN_IN
    assert browser.get(RETURN).headers["location"] == SIGN_IN
