"""Front-ends on one database: who is alive, who holds a place, and whose identity is whose."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from builders import EVERYTHING, KEY, a_license, limit, trust_store
from guard_support.guards import Clock, audited, used
from placet.enforcement import Code, Refused
from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.platform.layout import Layout
from placet.platform.product import FRONT_END_SERVERS, PLATFORM_SERVER
from placet.store import front_ends, usage
from placet.store.database import Database
from store_support.databases import KINDS, new_databases

BEAT = timedelta(seconds=0.05)
MakeFrontEnd = Callable[..., FrontEnd]


@pytest.fixture(params=KINDS)
def new_front_end(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeFrontEnd]:
    """Makes servers' front-ends on one database; each with a guard of its own, as each process has."""
    with new_databases(request.param, tmp_path) as make, ExitStack() as opened:
        url = make()

        def new(name: str, beat: timedelta = timedelta(seconds=5)) -> FrontEnd:
            guard = Guard(Database.open(url), PLATFORM_SERVER, trust_store(KEY), clock=Clock())
            opened.callback(guard.close)
            layout = Layout(tmp_path / name)
            layout.make()
            return FrontEnd(guard, layout, address=f"http://{name}", beat=beat)

        yield new


def guard_of(front_end: FrontEnd) -> Guard:
    return front_end._guard


def license_for(front_end: FrontEnd, places: int) -> None:
    guard = guard_of(front_end)
    features = EVERYTHING | {FRONT_END_SERVERS: limit(places)}
    license_ = a_license(serial_number=guard.status().serial_number, jti=f"for {places}", features=features)
    guard.install(license_, acknowledge=True)


def entered(front_end: FrontEnd) -> dict[str, bool]:
    """Who is entered, and whether it holds a place."""
    with guard_of(front_end).database.read() as connection:
        found = front_ends.all_front_ends(connection, FRONT_END_SERVERS)
    return {item.address.removeprefix("http://"): item.registered for item in found}


def test_without_a_license_it_is_entered_and_counts_nothing(new_front_end: MakeFrontEnd) -> None:
    one = new_front_end("one")
    one.beat()
    assert entered(one) == {"one": False}
    assert used(guard_of(one), FRONT_END_SERVERS) == 0
    assert one.decide("run").code is Code.OPERATION_NO_LICENSE


def test_the_limit_counts_servers(new_front_end: MakeFrontEnd) -> None:
    one, two, three = (new_front_end(name) for name in ("one", "two", "three"))
    license_for(one, 2)
    for front_end in (one, two, three):
        front_end.beat()
    assert entered(one) == {"one": True, "two": True, "three": False}
    two.require()
    with pytest.raises(Refused) as caught:
        three.require()
    decision = caught.value.decision
    assert (decision.code, decision.feature, decision.used, decision.limit) == (
        Code.LIMIT_REACHED,
        FRONT_END_SERVERS,
        2,
        2,
    )
    assert three.decide("run") == decision
    assert three.decide("publish") == decision
    assert two.decide("run").allowed
    two.leave()
    three.require()
    assert three.decide("run").allowed
    assert entered(one) == {"one": True, "three": True}


def test_a_larger_license_lets_another_in_as_soon_as_it_is_noticed(new_front_end: MakeFrontEnd) -> None:
    one, two = new_front_end("one"), new_front_end("two")
    license_for(one, 1)
    one.beat()
    two.beat()
    assert not two.registered
    license_for(one, 2)
    assert guard_of(two).refresh()
    two.notice()
    assert two.registered
    with guard_of(one).database.read() as connection:
        digests = {item.license_digest for item in front_ends.all_front_ends(connection, FRONT_END_SERVERS)}
    one.notice()
    assert digests >= {two.license_digest}


def test_the_dead_are_taken_out_and_their_places_free(new_front_end: MakeFrontEnd) -> None:
    killed, other = new_front_end("killed", BEAT), new_front_end("other")
    license_for(killed, 1)
    killed.beat()
    other.beat()
    assert not other.registered
    time.sleep(BEAT.total_seconds() * 5)
    other.beat()
    assert other.registered
    assert entered(other) == {"other": True}
    events = [event for event in audited(guard_of(other)) if event.event == "front_end.removed"]
    assert [(event.detail["id"], event.detail["by"]) for event in events] == [(killed.id, other.id)]
    assert not killed.registered
    killed.beat()
    assert entered(other) == {"killed": False, "other": True}


def test_a_server_started_again_is_the_same(new_front_end: MakeFrontEnd) -> None:
    killed = new_front_end("one")
    license_for(killed, 1)
    killed.beat()
    again = new_front_end("one")
    again.beat()
    assert again.id == killed.id
    assert again.registered
    assert entered(again) == {"one": True}


def test_of_two_with_one_identity_the_earlier_takes_a_new_one(new_front_end: MakeFrontEnd) -> None:
    earlier = new_front_end("one")
    license_for(earlier, 1)
    earlier.beat()
    copy = new_front_end("one")
    copy.beat()
    earlier.beat()
    assert earlier.id != copy.id
    assert (copy.registered, earlier.registered) == (True, False)
    copy.beat()
    assert copy.registered


def test_a_place_that_is_no_front_ends_is_given_back(new_front_end: MakeFrontEnd) -> None:
    one = new_front_end("one")
    with guard_of(one).database.write() as connection:
        usage.lock(connection, [FRONT_END_SERVERS])
        now = guard_of(one).now()
        usage.set_amount(connection, FRONT_END_SERVERS, "this server", 1, limit=None, now=now)
    license_for(one, 1)
    one.beat()
    assert one.registered
    assert used(guard_of(one), FRONT_END_SERVERS) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": 7}', '{"id": "no"}'])
def test_an_identity_that_cannot_be_read_is_made_anew(
    new_front_end: MakeFrontEnd, tmp_path: Path, content: str
) -> None:
    first = new_front_end("one").id
    (tmp_path / "one" / "front-end.json").write_text(content)
    made = new_front_end("one").id
    assert made != first
    assert new_front_end("one").id == made
