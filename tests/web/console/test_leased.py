"""The overview of seats and of metered features: who has them, who waits, who was refused, which blocks are open."""

from collections.abc import Mapping
from datetime import timedelta

import httpx2
import pytest

from builders import EVERYTHING
from console_server import OVERVIEW, USAGE, ConsoleServer, Document, read, see_that_everybody_can_use
from placet.enforcement import Refused
from placet.enforcement.seating import SubjectKind
from placet.guard import Queued
from placet.license import Grant

SEATS, METER = "private_instances", "test_queries"
FIVE_MINUTES = timedelta(minutes=5)
HOSTILE = "<script>alert(1)</script>\"'><img src=x>\u202e" + "W" * 150
FEATURES: Mapping[str, Grant] = {
    **EVERYTHING,
    SEATS: Grant(kind="seats", limit=2),
    METER: Grant(kind="metered", limit=1_000, tolerance_percent=10),
}


@pytest.fixture(autouse=True)
def licensed(server: ConsoleServer) -> None:
    server.install(features=dict(FEATURES))


def overview(client: httpx2.Client) -> Document:
    answer = client.get(USAGE)
    assert answer.status_code == 200
    page = read(answer)
    see_that_everybody_can_use(page)
    return page


def told(client: httpx2.Client, feature: str) -> str:
    return words(overview(client), feature)


def words(page: Document, feature: str) -> str:
    return " ".join(page.one("div", data_feature=feature).text.split())


def test_seats_in_use_and_who_has_them(server: ConsoleServer, developer: httpx2.Client) -> None:
    assert "within the limit 0 of 2 Private Instances 2 left 0 waiting, 0 borrowed, 0 reserved" in told(
        developer, SEATS
    )
    server.guard.lease(SEATS, "ann", FIVE_MINUTES)
    server.guard.borrow(SEATS, "bob", timedelta(days=1))
    found = told(developer, SEATS)
    assert "limit reached 2 of 2 Private Instances none left 0 waiting, 1 borrowed, 0 reserved" in found
    assert "Who holds Private Instances Holder Units ann 1 bob 1" in found
    meter = overview(developer).one(role="meter", aria_label="Private Instances")
    assert meter.attributes["aria-valuetext"] == "2 of 2 Private Instances, none left"


def test_who_waits_and_who_was_refused(
    server: ConsoleServer, administrator: httpx2.Client, developer: httpx2.Client
) -> None:
    server.guard.lease(SEATS, "ann", FIVE_MINUTES, amount=2)
    with pytest.raises(Queued):
        server.guard.lease(SEATS, "carl", FIVE_MINUTES, queue=True)
    with pytest.raises(Refused):
        server.guard.lease(SEATS, "dora", FIVE_MINUTES)
    found = told(administrator, SEATS)
    assert "1 waiting, 0 borrowed, 0 reserved Who waits for Private Instances Holder Units carl 1" in found
    assert "dora" in found.split("Who was refused Private Instances")[1]
    assert "1 asked for; 2 of 2 were taken" in found
    assert overview(administrator).all("a", href="/problems/limit_reached")
    others = told(developer, SEATS)
    assert "carl 1" in others
    assert ("dora" in others, "refused" in others) == (False, False)


def test_reserved_seats_are_counted(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.guard.reserve_seats(SEATS, SubjectKind.GROUP, "design", 2)
    assert "0 waiting, 0 borrowed, 2 reserved" in told(developer, SEATS)


def test_consumption_of_the_period(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.guard.consume(METER, 400, key="k")
    found = told(developer, METER)
    assert "within the limit 400 of 1,000 Test Queries 600 left, with up to 1,100 tolerated" in found
    assert "Counted since 2026-06-01 00:00:00 UTC; from zero again after the end of 2026-06-30 (UTC)" in found
    assert "open block" not in found
    server.guard.consume(METER, 650, key="more")
    page = overview(developer)
    assert "over the limit, tolerated 1,050 of 1,000" in words(page, METER)
    page = read(developer.get(OVERVIEW))
    assert "All is well: the license is in force until" in page.text
    assert "usage is within its limits" not in page.text


def test_open_blocks(server: ConsoleServer, administrator: httpx2.Client, developer: httpx2.Client) -> None:
    number = server.guard.take_block(METER, 300, holder="worker 7").id
    server.guard.take_block(METER, 30, holder="worker 8")
    found = told(administrator, METER)
    assert "330 of 1,000 Test Queries" in found
    assert "2 open blocks with 330 units, all of which count as used" in found
    assert f"worker 7 {number} 300 2026-06-01 12:00:00 UTC" in found
    assert "placet meter settle BLOCK --used N" in found
    assert "settle" not in told(developer, METER)
    server.guard.return_block(number, 100)
    assert "1 open block with 30 units" in told(developer, METER)


def test_many_blocks_and_many_who_wait_are_counted_not_listed(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.guard.lease(SEATS, "ann", FIVE_MINUTES, amount=2)
    for number in range(23):
        server.guard.take_block(METER, 1, holder=f"worker {number}")
        with pytest.raises(Queued):
            server.guard.lease(SEATS, f"user-{number}", FIVE_MINUTES, queue=True)
    assert "And 3 more." in told(developer, METER)
    found = told(developer, SEATS)
    assert "23 waiting" in found
    assert "And 3 more." in found


def test_hostile_text_is_text(server: ConsoleServer, administrator: httpx2.Client) -> None:
    server.guard.lease(SEATS, HOSTILE, FIVE_MINUTES, amount=2)
    server.guard.take_block(METER, 5, holder=HOSTILE)
    with pytest.raises(Queued):
        server.guard.lease(SEATS, HOSTILE + "2", FIVE_MINUTES, queue=True)
    page = overview(administrator)
    foreign = [element.text for element in page.all("bdi")]
    assert (foreign.count(HOSTILE), foreign.count(HOSTILE + "2")) == (2, 2)
    assert not [element for element in page.all("img") if element.attributes["src"] == "x"]


def test_what_the_license_does_not_name_is_not_limited(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.install(jti="L-2", sequence=2, features=dict(EVERYTHING))
    assert "not limited 0 in use" in told(developer, SEATS)
    assert "not limited 0 consumed Counted since" in told(developer, METER)
