"""Signing in with a password, setting one with a link, and changing it; limits by account; what is never told."""

import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from argon2 import PasswordHasher

from builders import EVERYTHING
from console_server import OVERVIEW, SIGN_IN, ConsoleServer, Document, read
from placet.store import audit
from placet.store.credentials import Kind, Role, Visitor, create
from placet.web.access import SESSION_COOKIE
from placet.web.console.hashing import Hashing
from placet.web.console.sign_in_limits import SignInLimits
from placet.web.problems import Problem
from store_support import threads

SET = "/service-center/set-password"
CHANGE = "/service-center/password"
PASSWORD = "four words put together"


def hire(server: ConsoleServer, name: str = "maria", role: Role = Role.DEVELOPER) -> str:
    """Add a user; answers the code that sets a password."""
    server.platform.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    if server.guard.status().license is None:
        server.install(features=EVERYTHING)
    server.platform.people.add(name, role, actor="root")
    return server.platform.people.passwords.make_link(name, actor="root")[0]


def give(client: httpx2.Client, code: str, password: str = PASSWORD, again: str | None = None) -> httpx2.Response:
    return client.post(SET, data={"code": code, "new": password, "again": password if again is None else again})


def enter(client: httpx2.Client, password: str = PASSWORD, name: str = "maria") -> httpx2.Response:
    return client.post(SIGN_IN, data={"name": name, "password": password})


def test_from_the_link_to_the_overview(server: ConsoleServer, stranger: httpx2.Client) -> None:
    code = hire(server)
    for _ in "12":  # looking, as mail filters do, does not use the link up
        answer = stranger.get(SET, params={"code": code})
        assert answer.headers["referrer-policy"] == "same-origin"
        page = read(answer)
    assert "sets the password of the user maria" in page.text
    assert page.one("input", name="new").attributes["autocomplete"] == "new-password"
    assert (
        "The two new passwords differ" in read(give(stranger, code, again="another one, really")).one(role="alert").text
    )
    assert "needs at least 12" in read(give(stranger, code, "short")).one(role="alert").text
    answer = give(stranger, code)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SIGN_IN}?why=password_set")
    assert "Your password is set" in read(stranger.get(answer.headers["location"])).one(role="status").text
    gone = give(stranger, code)
    assert (gone.status_code, code in gone.text) == (404, False)
    assert read(gone).one(data_code="unknown_password_link")
    answer = enter(stranger)
    assert (answer.status_code, answer.headers["location"]) == (303, OVERVIEW)
    assert "maria developer" in read(stranger.get(OVERVIEW)).text


def test_a_wrong_password_an_unknown_name_and_no_password_are_told_alike(
    server: ConsoleServer, stranger: httpx2.Client
) -> None:
    hire(server, "nina")
    give(stranger, hire(server))
    answers = [enter(stranger, "not the password"), enter(stranger, name="nobody"), enter(stranger, name="nina")]
    texts = {read(answer).one(role="alert").text.strip() for answer in answers}
    assert {answer.status_code for answer in answers} == {401}
    assert len(texts) == 1
    assert "That name and password do not fit together" in texts.pop()
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert read(answers[0]).one("input", name="name").attributes["value"] == "maria", "it need not be typed again"


def test_a_deactivated_user_is_told_so_by_the_password_alone(server: ConsoleServer, stranger: httpx2.Client) -> None:
    give(stranger, hire(server))
    server.platform.people.deactivate("maria", actor="root")
    wrong, right = enter(stranger, "not the password"), enter(stranger)
    assert "do not fit together" in read(wrong).one(role="alert").text
    assert "your user on this server is deactivated" in read(right).one(role="alert").text
    assert "set-cookie" not in right.headers


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "password": PASSWORD},
        {"name": "maria"},
        {"name": "maria", "password": ""},
        {"name": "maria", "password": "x" * 1025},
        {"name": "m" * 201, "password": PASSWORD},
        {"name": "\x00", "password": "\x00"},
        {"name": "<script>alert(1)</script>", "password": "\N{RIGHT-TO-LEFT OVERRIDE}"},
        {},
    ],
)
def test_no_nonsense_signs_anybody_in(server: ConsoleServer, stranger: httpx2.Client, form: dict[str, str]) -> None:
    answer = stranger.post(SIGN_IN, data=form)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert read(answer).one(role="alert")


def test_forms_have_a_cap_and_come_from_this_site(server: ConsoleServer, stranger: httpx2.Client) -> None:
    code = hire(server)
    assert enter(stranger, "x" * 10_000).status_code == 413
    assert give(stranger, code, "x" * 20_000).status_code == 413
    stranger.headers["origin"] = "https://evil.example"
    for answer in (enter(stranger), give(stranger, code)):
        assert read(answer).one(data_code="cross_site_request")


def test_changing_asks_for_the_old_one_and_ends_the_other_sessions(
    server: ConsoleServer, stranger: httpx2.Client
) -> None:
    give(stranger, hire(server))
    with server.client() as other:
        enter(other)
        enter(stranger)
        new = "other words put together"
        wrong = stranger.post(CHANGE, data={"old": "not the password", "new": new, "again": new})
        assert "The old password is another" in read(wrong).one(role="alert").text
        differ = stranger.post(CHANGE, data={"old": PASSWORD, "new": new, "again": PASSWORD})
        assert "The two new passwords differ" in read(differ).one(role="alert").text
        done = stranger.post(CHANGE, data={"old": PASSWORD, "new": new, "again": new})
        assert done.status_code == 303
        assert "Your password is changed" in read(stranger.get(done.headers["location"])).one(role="status").text
        assert other.get(OVERVIEW).status_code == 303
        assert stranger.get(OVERVIEW).status_code == 200
        assert enter(other).status_code == 401
        assert enter(other, new).status_code == 303


def test_who_has_no_password_is_told_how_to_get_one(developer: httpx2.Client) -> None:
    page = read(developer.get(CHANGE))
    assert "placet user password-link NAME" in page.text
    assert not page.all("input", name="old")


# Limits


def test_guessing_at_one_account_is_slowed_down_wherever_it_comes_from(server: ConsoleServer) -> None:
    code = hire(server)
    with server.client() as owner:
        give(owner, code)
        for number in range(10):
            with server.client(**{"X-Forwarded-For": f"198.51.100.{number}"}) as guesser:
                assert enter(guesser, "guess").status_code == 401
        with server.client(**{"X-Forwarded-For": "198.51.100.99"}) as guesser:
            answer = enter(guesser, PASSWORD)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 300
            told = read(answer).one(data_code="too_many_sign_ins").text
            assert told.startswith("Too many attempts to sign in with this name have failed. Wait ")
            assert "one-time link" in told
            by_link = guesser.get(SIGN_IN, params={"code": server.code(name="maria")})
            assert by_link.headers["location"] == OVERVIEW, "nobody is locked out for good"
    events = server_events(server)
    assert events.count("session.sign_in_failed") == 1


def test_where_the_owner_has_signed_in_before_guesses_from_elsewhere_do_not_count(server: ConsoleServer) -> None:
    code = hire(server)
    with server.client(**{"X-Forwarded-For": "203.0.113.7"}) as owner:
        give(owner, code)
        assert enter(owner).status_code == 303
        for number in range(11):
            with server.client(**{"X-Forwarded-For": f"198.51.100.{number}"}) as guesser:
                status = enter(guesser, "guess").status_code
        assert status == 429
        assert enter(owner).status_code == 303


def server_events(server: ConsoleServer) -> list[str]:
    with server.guard.database.read() as connection:
        return [event.event for event in audit.events(connection)]


def test_a_failure_is_told_in_the_trail_when_no_more_is_taken(server: ConsoleServer) -> None:
    limits = SignInLimits(server.platform.people.sign_ins)

    async def fail() -> None:
        for number in range(3):
            visitor = Visitor(address=f"192.0.2.{number}")
            for _ in range(3):
                await limits.end(await limits.begin(visitor, "maria"), visitor, succeeded=False)

    threads.race(1, lambda _: anyio.run(fail))
    assert "session.sign_in_failed" not in server_events(server)
    visitor = Visitor(address="192.0.2.9")

    async def last() -> None:
        await limits.end(await limits.begin(visitor, "maria"), visitor, succeeded=False)
        with pytest.raises(Problem, match="Wait 300 seconds, then try again"):
            await limits.begin(visitor, "maria")

    threads.race(1, lambda _: anyio.run(last))
    assert server_events(server).count("session.sign_in_failed") == 1


def test_two_hash_at_once_and_past_a_number_of_them_nobody_waits() -> None:
    most, together, done = 0, 0, 0
    lock, two, go = threading.Lock(), threading.Event(), threading.Event()

    def work() -> None:
        nonlocal most, together, done
        with lock:
            together += 1
            most = max(most, together)
            if together == 2:
                two.set()
        two.wait(30)
        go.wait(30)
        with lock:
            together -= 1
            done += 1

    async def many() -> int:
        hashing, refused = Hashing(at_once=2, waiting=3), 0

        async def one(work: Callable[[], None]) -> None:
            nonlocal refused
            try:
                await hashing.run(work)
            except Problem as problem:
                refused += (problem.status, problem.headers["Retry-After"]) == (503, "5")
                if refused == 4:
                    go.set()

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(one, work)
        await hashing.run(lambda: None)
        return refused

    assert threads.race(1, lambda _: anyio.run(many)) == [4]
    assert (most, done) == (2, 5)


# What is never told


def test_neither_a_password_nor_its_hash_is_told_anywhere(
    server: ConsoleServer, stranger: httpx2.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    code = hire(server)
    give(stranger, code)
    enter(stranger, "a wrong password here")
    enter(stranger)
    with server.caller("ada", Role.ADMINISTRATOR) as administrator:
        told = [
            administrator.get(f"/api/v1/{name}").text for name in ("users", "tokens", "audit", "sessions?everybody")
        ]
    told += [stranger.get("/service-center/credentials").text, *capfd.readouterr()]
    session = stranger.cookies[SESSION_COOKIE]
    for secret in (PASSWORD, "a wrong password here", "argon2", code, session):
        assert not [text for text in told if secret in text], secret


# The page of credentials

CREDENTIALS = "/service-center/credentials"


def ids_in(page: Document, change: str) -> list[str]:
    """What the page's forms for a change are about."""
    found, inside = [], False
    for element in page.elements:
        if element.tag == "form":
            inside = element.attributes["action"] == f"{CREDENTIALS}/{change}"
        elif inside and element.attributes.get("name") == "id":
            found.append(element.attributes["value"])
    return found


def test_a_session_is_listed_and_ended_on_the_page(server: ConsoleServer, stranger: httpx2.Client) -> None:
    give(stranger, hire(server))
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    with server.client(**{"User-Agent": agent}) as other:
        enter(other)
        enter(stranger)
        page = read(stranger.get(CREDENTIALS))
        for told in ("Firefox on Linux", "password", "127.0.0.1", "(this one)"):
            assert told in page.one("table").text
        assert "Tokens" not in [heading.text for heading in page.all("h2")]
        (its,) = ids_in(page, "end")
        done = stranger.post(f"{CREDENTIALS}/end", data={"id": its})
        assert (
            f"Session {its} of maria has ended." in read(stranger.get(done.headers["location"])).one(role="status").text
        )
        assert other.get(OVERVIEW).status_code == 303
        gone = stranger.post(f"{CREDENTIALS}/end", data={"id": its})
        assert gone.status_code == 404
        assert read(gone).one(data_code="unknown_session")
        enter(other)
        stranger.post(f"{CREDENTIALS}/end-all", data={"everybody": "yes"})
        assert other.get(OVERVIEW).status_code == 303
        assert stranger.get(OVERVIEW).status_code == 200


def test_an_administrator_makes_tokens_and_links_which_are_shown_once(
    server: ConsoleServer, administrator: httpx2.Client, stranger: httpx2.Client
) -> None:
    hire(server)
    answer = administrator.post(f"{CREDENTIALS}/token", data={"name": "ci <b>", "role": "developer"})
    assert answer.headers["cache-control"] == "no-store"
    token = read(answer).one("section", aria_labelledby="once-title").text.split("plt_")[1].split()[0]
    held = {"Authorization": f"Bearer plt_{token}"}
    assert stranger.get("/api/v1/license", headers=held).status_code == 200
    listed = administrator.get(CREDENTIALS)
    assert token not in listed.text
    (its,) = ids_in(read(listed), "revoke")
    asked = read(administrator.post(f"{CREDENTIALS}/revoke", data={"id": its}))
    assert f"Revoke token {its}?" in asked.one("h1").text
    assert stranger.get("/api/v1/license", headers=held).status_code == 200
    administrator.post(f"{CREDENTIALS}/revoke", data={"id": its, "confirmed": "yes"})
    assert stranger.get("/api/v1/license", headers=held).status_code == 401
    told = read(administrator.post(f"{CREDENTIALS}/password-link", data={"name": "maria"}))
    link = next(code.text.strip() for code in told.all("code") if SET in code.text)
    assert link.startswith(f"{server.url}{SET}?code=plp_")
    assert give(stranger, parse_qs(urlsplit(link).query)["code"][0]).status_code == 303
    for data in ({"name": "nobody"}, {"name": ""}, {"name": "x" * 201}, {}):
        assert read(administrator.post(f"{CREDENTIALS}/password-link", data=data)).one(role="alert")
    for data in (
        {"name": "", "role": "developer"},
        {"name": "x", "role": "root"},
        {"name": "a/b", "role": "developer"},
    ):
        assert read(administrator.post(f"{CREDENTIALS}/token", data=data)).one(role="alert")


def test_an_administrator_sees_and_ends_everybodys(server: ConsoleServer, administrator: httpx2.Client) -> None:
    with server.client(Role.DEVELOPER, name="dan") as dan:
        assert "dan" in read(administrator.get(f"{CREDENTIALS}?everybody")).one("table").text
        assert "ada" not in read(dan.get(f"{CREDENTIALS}?everybody")).one("table").text
        (his,) = ids_in(read(administrator.get(f"{CREDENTIALS}?everybody")), "end")
        done = administrator.post(f"{CREDENTIALS}/end", data={"id": his, "everybody": "yes"})
        assert done.headers["location"] == f"{CREDENTIALS}?everybody"
        assert dan.get(OVERVIEW).status_code == 303
        dan.get(SIGN_IN, params={"code": server.code(Role.DEVELOPER, "dan")})
        asked = read(administrator.post(f"{CREDENTIALS}/end-all", data={"everybody": "yes"}))
        assert "Everybody who is signed in but you has to sign in again: 1 in all." in asked.text
        administrator.post(f"{CREDENTIALS}/end-all", data={"everybody": "yes", "confirmed": "yes"})
        assert dan.get(OVERVIEW).status_code == 303
        assert administrator.get(OVERVIEW).status_code == 200


@pytest.mark.parametrize("change", ["token", "revoke", "password-link"])
def test_a_developer_makes_and_revokes_nothing(developer: httpx2.Client, change: str) -> None:
    data = {"name": "eve", "role": "administrator", "id": "1"}
    assert read(developer.post(f"{CREDENTIALS}/{change}", data=data)).one(data_code="role_required")


def test_long_lists_come_by_pages(server: ConsoleServer, administrator: httpx2.Client) -> None:
    with server.guard.database.write() as connection:
        for number in range(101):
            for kind in (Kind.TOKEN, Kind.SESSION):
                create(connection, kind, name=f"robot {number}", role=Role.DEVELOPER, now=server.guard.now())
    for query, last in (("page=2", "robot 100"), ("everybody&page=2", "robot 100")):
        first = read(administrator.get(f"{CREDENTIALS}?{query.replace('2', '1')}"))
        second = read(administrator.get(f"{CREDENTIALS}?{query}"))
        assert last not in first.text
        assert last in second.text
        assert "of 10" in second.one("nav", class_="pages").text
