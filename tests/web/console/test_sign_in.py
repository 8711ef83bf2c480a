"""Signing in and out: links, codes, tokens, cookies, other sites, and guessing."""

import httpx2
import pytest

from builders import DAY
from console_server import OVERVIEW, SIGN_IN, ConsoleServer, query_of, read
from placet.store.credentials import Role
from placet.web.access import SESSION_COOKIE
from placet.web.console.attempts import Attempts

SIGN_OUT = "/service-center/sign-out"


def by_link(client: httpx2.Client, code: str) -> httpx2.Response:
    return client.get(SIGN_IN, params={"code": code})


def by_form(client: httpx2.Client, secret: str, **headers: str) -> httpx2.Response:
    return client.post(SIGN_IN, data={"secret": secret}, headers=headers)


def test_the_page_explains_how_to_get_a_code(stranger: httpx2.Client) -> None:
    answer = stranger.get(SIGN_IN)
    assert answer.status_code == 200
    page = read(answer)
    assert "placet admin sign-in --data DIR" in page.text
    assert page.one("input", name="secret").attributes["type"] == "password"


def test_a_one_time_link_signs_in_and_leaves_nothing_in_the_address(
    server: ConsoleServer, stranger: httpx2.Client
) -> None:
    answer = by_link(stranger, server.code())
    assert answer.status_code == 303
    assert answer.headers["location"] == OVERVIEW
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=plc_")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly",
        "samesite=lax",
        "path=/",
        "max-age=43200",
    }
    assert stranger.get(OVERVIEW).status_code == 200


def test_over_https_the_cookie_is_for_https_alone(server: ConsoleServer) -> None:
    with server.client(**{"X-Forwarded-Proto": "https"}) as client:
        cookie = by_link(client, server.code()).headers["set-cookie"]
        assert cookie.startswith("__Host-placet_session=plc_")
        assert {"secure", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "domain" not in cookie.lower()
        held = cookie.partition("=")[2].partition(";")[0]
        client.headers["cookie"] = f"{SESSION_COOKIE}={held}"
        assert client.get(OVERVIEW).status_code == 303, "one that any page over http could have set"
        client.headers["cookie"] = f"__Host-{SESSION_COOKIE}={held}"
        assert client.get(OVERVIEW).status_code == 200


def test_a_link_works_once_and_says_so_kindly(server: ConsoleServer, stranger: httpx2.Client) -> None:
    code = server.code()
    by_link(stranger, code)
    stranger.cookies.clear()
    answer = by_link(stranger, code)
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert code not in answer.headers["location"]
    page = read(stranger.get(answer.headers["location"]))
    assert "This one-time link does not work any more." in page.one(role="alert").text
    assert "placet admin sign-in --data DIR" in page.text


def test_a_link_works_for_a_day(server: ConsoleServer, stranger: httpx2.Client) -> None:
    code = server.code()
    server.clock.go(DAY)
    assert query_of(by_link(stranger, code).headers["location"]) == {"why": ["code"]}


def test_a_token_does_not_belong_in_an_address(server: ConsoleServer, stranger: httpx2.Client) -> None:
    answer = by_link(stranger, server.token())
    assert "set-cookie" not in answer.headers
    assert query_of(answer.headers["location"]) == {"why": ["token"]}
    assert "paste it below instead" in read(stranger.get(answer.headers["location"])).one(role="alert").text


@pytest.mark.parametrize("kind", ["code", "token"])
def test_a_code_or_a_token_signs_in_by_the_form(server: ConsoleServer, stranger: httpx2.Client, kind: str) -> None:
    secret = server.code(Role.DEVELOPER) if kind == "code" else server.token(Role.DEVELOPER)
    answer = by_form(stranger, f"  {secret}\r\n")
    assert answer.status_code == 303
    assert answer.headers["location"] == OVERVIEW
    assert "ada developer" in read(stranger.get(OVERVIEW)).text


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 101, "x" * 3000, "\x00", "é" * 90])
def test_what_is_no_secret_signs_nobody_in(stranger: httpx2.Client, secret: str) -> None:
    answer = by_form(stranger, secret)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "That is no code or token in force." in read(answer).one(role="alert").text


def test_a_form_of_any_size_is_refused_past_its_cap(stranger: httpx2.Client) -> None:
    assert by_form(stranger, "x" * 9000).status_code == 413


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_another_site_signs_nobody_in(server: ConsoleServer, stranger: httpx2.Client, origin: str) -> None:
    answer = by_form(stranger, server.token(), Origin=origin)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert read(answer).one(data_code="cross_site_request")


def test_behind_a_proxy_that_ends_tls_this_site_is_this_site(server: ConsoleServer, stranger: httpx2.Client) -> None:
    secure = {"Host": "center.example", "Origin": "https://center.example"}
    assert by_form(stranger, server.token(), **secure).status_code == 303


def test_without_an_origin_the_browser_has_to_say_that_it_is_this_site(server: ConsoleServer) -> None:
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        assert by_form(client, server.token()).status_code == 403
        assert by_form(client, server.token(), **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert by_form(client, server.token(), **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_guessing_is_slowed_down(server: ConsoleServer, stranger: httpx2.Client) -> None:
    for _ in range(5):
        assert by_form(stranger, "guess").status_code == 401
        assert by_link(stranger, "guess").status_code == 303
    for answer in (by_form(stranger, server.token()), by_link(stranger, server.code())):
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
        told = read(answer).one(data_code="too_many_sign_ins").text
        assert told.startswith("Too many attempts to sign in from your address have failed. Wait ")


def test_signing_in_is_no_failed_attempt(server: ConsoleServer, stranger: httpx2.Client) -> None:
    token = server.token()
    for _ in range(12):
        assert by_form(stranger, token).status_code == 303


def test_signing_out_ends_the_session(server: ConsoleServer, administrator: httpx2.Client) -> None:
    held = administrator.cookies[SESSION_COOKIE]
    answer = administrator.post(SIGN_OUT)
    assert answer.status_code == 303
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert "You are signed out." in read(administrator.get(answer.headers["location"])).text
    assert server.sessions() == []
    with server.client(Cookie=f"{SESSION_COOKIE}={held}") as thief:
        assert thief.get(OVERVIEW).status_code == 303


def test_another_site_signs_nobody_out(server: ConsoleServer, administrator: httpx2.Client) -> None:
    assert administrator.post(SIGN_OUT, headers={"Origin": "https://evil.example"}).status_code == 403
    assert server.sessions() == ["ada"]


def test_a_session_lasts_twelve_hours(server: ConsoleServer, administrator: httpx2.Client) -> None:
    server.clock.go(DAY / 2)
    assert administrator.get(OVERVIEW).status_code == 303


def test_a_reason_out_of_nowhere_is_not_shown(stranger: httpx2.Client) -> None:
    page = read(stranger.get(SIGN_IN, params={"why": "<script>"}))
    assert not page.all(role="alert")
    assert not page.all(role="status")


# Counting attempts


def test_attempts_are_taken_again_as_time_passes() -> None:
    attempts = Attempts(most=2, period=60)
    assert attempts.begin("192.0.2.1", 0.0) == 0
    assert attempts.begin("192.0.2.1", 10.0) == 0
    assert attempts.begin("192.0.2.1", 10.5) == 50
    assert attempts.begin("192.0.2.1", 59.9) == 1
    assert attempts.begin("192.0.2.1", 60.0) == 0
    assert attempts.begin("192.0.2.1", 60.0) == 10


def test_addresses_are_counted_apart_and_a_network_of_ipv6_as_one() -> None:
    attempts = Attempts(most=1)
    assert attempts.begin("192.0.2.1", 0.0) == 0
    assert attempts.begin("192.0.2.2", 0.0) == 0
    assert attempts.begin("::ffff:192.0.2.2", 0.0) > 0
    assert attempts.begin("2001:db8::1", 0.0) == 0
    assert attempts.begin("2001:db8::ffff:1", 0.0) > 0
    assert attempts.begin("2001:db8:0:1::1", 0.0) == 0
    assert attempts.begin("fe80::1%eth0", 0.0) == 0
    assert attempts.begin("not an address", 0.0) == 0


def test_what_succeeded_does_not_count_and_taking_back_twice_is_harmless() -> None:
    attempts = Attempts(most=1)
    for moment in (0.0, 1.0):
        assert attempts.begin("192.0.2.1", moment) == 0
        attempts.succeeded("192.0.2.1", moment)
        attempts.succeeded("192.0.2.1", moment)
    attempts.succeeded("192.0.2.9", 0.0)


def test_the_memory_is_bounded() -> None:
    attempts = Attempts(most=1, addresses=100)
    for number in range(1000):
        assert attempts.begin(f"10.0.{number // 250}.{number % 250}", 0.0) == 0
    assert len(attempts._failed) == 100
