"""The overview: who may see it, the license in words, usage against limits, and text that means harm."""

import httpx2
import pytest
from sqlalchemy import insert

from builders import DAY, KEY, NOW, limit, numeric, switch
from console_server import LICENSING, MODULES, OVERVIEW, SIGN_IN, USAGE, ConsoleServer, Document, query_of, read
from placet.license import Enforcement
from placet.store.credentials import Role
from placet.store.history import day_of
from placet.store.schema import usage_days

MIDNIGHT = NOW.replace(hour=0)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\u2067evil {{ 7*7 }} &amp;"


def overview(client: httpx2.Client, path: str = OVERVIEW) -> Document:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return read(answer)


def test_somebody_not_signed_in_is_led_to_sign_in_and_told_why(stranger: httpx2.Client) -> None:
    answer = stranger.get(OVERVIEW)
    assert answer.status_code == 303
    page = read(stranger.get(answer.headers["location"]))
    assert page.one(role="status").text.startswith("Sign in first.")
    assert page.one("input", name="secret")


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
def test_the_overview_is_a_page_whatever_a_browser_accepts(server: ConsoleServer, accept: str) -> None:
    with server.client(Accept=accept) as client:
        answer = client.get(OVERVIEW)
    assert answer.status_code == 303
    assert query_of(answer.headers["location"]) == {"why": ["needed"]}


def test_a_program_that_asks_for_json_is_answered_in_json(server: ConsoleServer) -> None:
    with server.client(Accept="application/json") as client:
        answer = client.get(OVERVIEW)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_bearer_token_works_as_well(server: ConsoleServer) -> None:
    with server.client(Authorization=f"Bearer {server.token(name='robot')}") as client:
        page = overview(client)
    assert "robot administrator" in page.text
    assert not page.all(action="/service-center/sign-out")  # a token has no session to end


def test_with_or_without_the_slash(administrator: httpx2.Client) -> None:
    assert administrator.get("/service-center").text == administrator.get(OVERVIEW).text


def test_the_license_in_words(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(
        exp=numeric(MIDNIGHT + 579 * DAY),
        grace_until=numeric(MIDNIGHT + 609 * DAY + DAY / 2),
        nbf=numeric(NOW - DAY),
        customer="Example Industries",
        edition="Enterprise",
        enforcement=Enforcement.PER_FEATURE,
        contact="licensing@acme.example",
        evaluation_seconds=40 * 86_400,
    )
    page = overview(developer, LICENSING)
    found = server.guard.status().license
    assert found is not None
    for words in (
        "Customer Example Industries",
        "Issued by Acme Software",
        "Edition Enterprise",
        "Valid from 2026-05-31 12:00:00 UTC 2026-05-31T12:00:00Z",
        "Valid until 2026-07-11 12:00:00 UTC 2026-07-11T12:00:00Z",  # the evaluation ends before the license does
        "Evaluation 40 days from its first installation on this server",
        "per feature: an exceeded limit blocks what uses it",
        "Contact licensing@acme.example",
        f"Key {KEY.kid}",
        f"Digest {found.digest[:16]}",
    ):
        assert words in page.text
    assert f"Server {server.serial_number}" in page.text
    assert overview(developer).one(id="serial-number").text == server.serial_number


def test_an_expiry_at_midnight_is_the_end_of_the_day_before(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(exp=numeric(MIDNIGHT + 579 * DAY), grace_until=numeric(MIDNIGHT + 609 * DAY + DAY / 2))
    page = overview(developer, LICENSING)
    assert "Valid until the end of 2027-12-31 (UTC) 2028-01-01T00:00:00Z 579 days left" in page.text
    assert page.all("time", datetime="2028-01-01T00:00:00Z")
    assert "Grace until 2028-01-31 12:00:00 UTC 2028-01-31T12:00:00Z" in page.text


def test_usage_against_limits(server: ConsoleServer, developer: httpx2.Client) -> None:
    features = {"software_units": limit(20, 10), "users": limit(2), "run": switch(), "test_query": switch()}
    server.install(features=features)
    server.publish("orders", 9, version="1.2.0")
    server.publish("hello", 3, version="0.1.0")
    server.platform.people.add("maria", Role.DEVELOPER, actor="ada")
    for path in (OVERVIEW, USAGE):
        page = overview(developer, path)
        meter = page.one(role="meter", aria_label="Software Units")
        assert meter.attributes["aria-valuenow"] == "12"
        assert meter.attributes["aria-valuemax"] == "22"
        assert meter.attributes["aria-valuetext"] == "12 of 20 Software Units, 8 left, with up to 22 tolerated"
        assert "12 of 20 Software Units 8 left, with up to 22 tolerated" in page.text
    assert "Who holds Software Units Holder Units orders 9 hello 3" in page.text
    told = "No trend yet: usage is known of 1 day, and it takes 7."
    assert f"within the limit 1 of 2 Users 1 left {told} Who holds Users Holder Units maria 1" in page.text
    page = overview(developer, LICENSING)
    switches = {
        name: next(word for word in page.one("tr", data_feature=name).text.split() if word in {"on", "off"})
        for name in ("run", "debugger", "test_query")
    }
    assert switches == {"run": "on", "debugger": "off", "test_query": "on"}


def test_the_modules_and_what_they_hold(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install()
    server.publish("orders", 9, version="1.2.0")
    server.publish("hello", 3, version="0.1.0")
    page = overview(developer, MODULES)
    assert "12 Software Units, and which module holds them" in page.text
    assert [row.attributes["data-module"] for row in page.all("tr") if "data-module" in row.attributes] == [
        "orders",
        "hello",
    ]
    assert "orders 1.2.0 9 2026-06-01 12:00:00 UTC by maria" in page.text
    assert page.one("a", href="/apps/orders/").text == "orders"
    page = overview(developer)
    assert "Published last hello 0.1.0 2026-06-01 12:00:00 UTC by maria orders 1.2.0" in page.text
    assert "Modules 2 published" in page.text


def test_where_usage_is_going(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"software_units": limit(30)})
    today = day_of(server.guard.now())
    with server.guard.database.write() as connection:
        for ago in range(10):
            row = {"feature": "software_units", "day": today - ago * DAY, "peak": 20 - ago}
            connection.execute(insert(usage_days).values(total=20 - ago, samples=1, maximum=30, **row))
    server.publish("orders", 20)
    for path in (OVERVIEW, USAGE):
        page = overview(developer, path)
        assert (
            "At this trend the limit of 30 is reached about 2026-06-11, in 10 days: about 1 more a day in the last 10 "
            "days known." in page.text
        )
        picture = page.one("title", id="spark-software_units").text
        assert "Software Units since 2026-05-23, at most 20 and on average 14.5; lately 20, of 0 allowed" in picture
        assert page.one("svg", role="img", aria_labelledby="spark-software_units")


def test_what_happened_last_is_told_to_administrators(
    server: ConsoleServer, administrator: httpx2.Client, developer: httpx2.Client
) -> None:
    server.install(jti=HOSTILE)
    server.platform.people.add("maria", Role.DEVELOPER, actor=HOSTILE)
    page = overview(administrator)
    assert f"User added: maria 2026-06-01 12:00:00 UTC by {HOSTILE}" in page.text
    assert "What happened last" not in overview(developer).text


def test_many_modules_are_shown_by_pages_and_found_by_name(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"software_units": limit(10_000)})
    for number in range(205):
        server.publish(f"module-{number:03}", 1)
    page = overview(developer, MODULES)
    assert "1 to 100 of 205" in page.text
    assert len([row for row in page.all("tr") if "data-module" in row.attributes]) == 100
    assert not page.all("a", rel="prev")
    page = overview(developer, page.one("a", rel="next").attributes["href"])
    page = overview(developer, page.one("a", rel="next").attributes["href"])
    assert "201 to 205 of 205" in page.text
    assert page.all("tr", data_module="module-204")
    assert page.one("a", rel="prev").attributes["href"] == f"{MODULES}?page=2"
    page = overview(developer, f"{MODULES}?find=MODULE-1")
    assert "1 to 100 of 100" not in page.text  # one page needs no way through it
    assert page.one("input", name="find").attributes["value"] == "MODULE-1"
    page = overview(developer, f"{MODULES}?find=%22%3E%3Cb%3E&page=2")
    assert 'No module has “"><b>” in its name.' in page.text
    for nonsense in ("0", "-1", "x", "9" * 300, "1e9", "%00", "²"):
        assert overview(developer, f"{MODULES}?page={nonsense}")


def test_one_of_a_kind_is_not_told_in_the_plural(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"software_units": limit(20), "users": limit(1)})
    server.publish("hello", 1)
    assert "1 Software Unit, and which module holds it" in overview(developer, MODULES).text
    page = overview(developer)
    assert "within the limit 0 of 1 in use 1 left" in page.text


def test_over_the_limit_is_said_in_words(
    server: ConsoleServer, administrator: httpx2.Client, developer: httpx2.Client
) -> None:
    server.install()
    server.publish("orders", 30)
    server.install(jti="L-2", sequence=2, features={"software_units": limit(20)})
    page = overview(developer)
    assert "Software Units over the limit 30 of 20 Software Units 10 over the limit of 20" in page.text
    assert page.one(role="meter", aria_label="Software Units").attributes["aria-valuemax"] == "30"
    assert page.one("a", href=f"{USAGE}/software_units#holders").text == "See who holds what"
    page = overview(administrator)
    assert page.one("a", href=f"{USAGE}/software_units#clean-up").text == "See who holds what, and clean up"


def test_without_a_license_usage_is_not_measured_against_anything(
    server: ConsoleServer, developer: httpx2.Client
) -> None:
    page = overview(developer)
    assert not page.all(role="meter")
    assert "Front-end Servers no license says how many 0 in use" in page.text
    assert "over the limit" not in page.text


def test_what_holds_units_without_being_published_is_shown(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install()
    with server.guard.allocation("publish", "ghost", software_units=7):
        pass
    assert "ghost not published, and holds units \N{EN DASH} 7" in overview(developer, MODULES).text


def test_the_way_to_a_license_carries_this_servers_number(server: ConsoleServer, developer: httpx2.Client) -> None:
    page = overview(developer, LICENSING)
    assert f"--serial {server.serial_number}" in page.text
    assert f"PLACET_SERVER={server.url}" in page.text
    assert "placet license install license.json --dry-run" in page.text
    assert page.one("a", href="/api/v1/license/request")
    assert not page.all("input", type="file")
    assert "Licenses are installed by administrators." in page.text


def test_hostile_text_is_text(server: ConsoleServer) -> None:
    long = "x" * 700 + HOSTILE
    server.install(customer=HOSTILE, contact=long, edition=HOSTILE, jti=HOSTILE, iss=HOSTILE)
    server.publish(HOSTILE, 3, version=HOSTILE, by=HOSTILE)
    with server.client(Role.ADMINISTRATOR, name=HOSTILE) as client:
        for path, count in ((OVERVIEW, 4), (LICENSING, 5), (USAGE, 2), (MODULES, 4)):
            page = overview(client, path)
            foreign = [element.text for element in page.all("bdi")]
            assert foreign.count(HOSTILE) >= count, path
            see_that_it_stays_text(page, foreign)
        assert long in [element.text for element in overview(client, LICENSING).all("bdi")]


def see_that_it_stays_text(page: Document, foreign: list[str]) -> None:
    assert not [element for element in page.all("img") if element.attributes["src"].startswith("x")]
    outside = page.text
    for text in foreign:
        outside = outside.replace(" ".join(text.split()), "")
    assert "\u202e" not in outside


def test_a_hostile_host_header_is_text(server: ConsoleServer) -> None:
    with server.client(Authorization=f"Bearer {server.token()}", Host="<b>x</b>") as client:
        answer = client.get(LICENSING)
    assert "<b>x</b>" not in answer.text


def test_many_holders_are_counted_not_listed(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(features={"users": limit(100)})
    for number in range(25):
        server.platform.people.add(f"user-{number}", Role.DEVELOPER, actor="ada")
    assert "And 5 more." in overview(developer, USAGE).text


def test_the_page_of_somebody_whose_session_ended_is_the_way_back(
    server: ConsoleServer, developer: httpx2.Client
) -> None:
    server.clock.go(DAY / 2)
    assert developer.get(OVERVIEW).headers["location"] == f"{SIGN_IN}?why=needed"
