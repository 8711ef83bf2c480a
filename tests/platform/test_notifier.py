"""Notifying: one event once, whoever looks, whoever dies; on each database, to a real receiver."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, NOW, PRODUCT, TRUST, a_license, limit
from guard_support.guards import Clock, allocate, audited, license_for
from placet.enforcement import Refused
from placet.guard import Guard
from placet.platform.notifications.channels import Mail, Webhook
from placet.platform.notifications.notifier import BACK_OFF, Notifier, note_refusal
from placet.platform.notifications.rules import Rules
from placet.platform.notifications.settings import MOST_CHANNELS, NotificationSettings, TooManyChannels, UnknownChannel
from placet.store import notifications as store
from placet.store.database import Database
from placet.store.notifications import ChannelNameTaken, DeliveryState
from platform_support.receivers import SECRET, Receiver, receiver
from store_support.children import Child
from store_support.fixtures import database_url, database_urls

__all__ = ["database_url", "database_urls"]

SOON = (timedelta(0),) * len(BACK_OFF)

SENDS = """
import sys, threading
from datetime import timedelta
from guard_support.guards import opened
from placet.platform.notifications.notifier import Notifier
notifier = Notifier(opened(sys.argv[1]), threading.Event(), held=timedelta(0))
print("ready", flush=True)
sys.stdin.readline()
notifier.look()
"""


class House:
    """A server's part in notifying, on a database that others may share."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.clock = clock
        self.guard = Guard(Database.open(url), PRODUCT, TRUST, clock=clock, refused=note_refusal)
        self.stopping = threading.Event()
        self.notifier = Notifier(self.guard, self.stopping, back_off=SOON)
        self.settings = NotificationSettings(self.guard)

    def install(self, **claims: Any) -> None:
        self.guard.install(license_for(self.guard, **claims), acknowledge=True)

    def states(self) -> list[str]:
        return [str(found.state) for found in self.settings.deliveries()]


MakeHouse = Callable[[], House]


@pytest.fixture
def houses(database_url: str) -> Iterator[MakeHouse]:
    clock = Clock()
    with ExitStack() as opened:

        def make() -> House:
            made = House(database_url, clock)
            opened.callback(made.guard.close)
            return made

        yield make


@pytest.fixture
def house(houses: MakeHouse) -> House:
    return houses()


@pytest.fixture
def http() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def hook(to: Receiver, name: str = "hook") -> Webhook:
    return Webhook(name=name, url=f"http://{to.address}/in", secret=SECRET)


def test_two_servers_of_one_database_tell_of_an_event_once(houses: MakeHouse, http: Receiver) -> None:
    one, two = houses(), houses()
    one.settings.add(hook(http), actor="ada")
    one.install(exp=int((NOW + 20 * DAY).timestamp()))
    allocate(one.guard, "orders", 85)
    two.guard.refresh()
    looking = [threading.Thread(target=house.notifier.look) for house in (one, two) for _ in range(3)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    for house in (one, two):  # what somebody's turn was lost to is seen to now
        house.notifier.look()
    told = sorted(
        found["data"].get("threshold_days") or found["data"]["threshold_percent"] for found in http.verified()
    )
    assert told == [30, 80], one.settings.deliveries()
    assert len({headers["webhook-id"] for headers, _ in http.posts}) == 2
    one.clock.go_on(7 * DAY)
    for house in (one, two):
        house.notifier.look()
    assert [found["data"].get("threshold_days") for found in http.verified()][2:] == [14]
    assert one.states() == ["delivered"] * 3


def test_each_channel_is_told_and_the_first_one_of_what_there_is(house: House, http: Receiver) -> None:
    house.install()
    allocate(house.guard, "orders", 95)
    house.notifier.look()
    assert house.settings.deliveries() == []
    for name in ("one", "two"):
        house.settings.add(hook(http, name), actor="ada")
    house.notifier.look()
    house.settings.add(hook(http, "late"), actor="ada")
    house.notifier.look()
    assert sorted(found.channel for found in house.settings.deliveries()) == ["one", "two"]
    assert {found["data"]["threshold_percent"] for found in http.verified()} == {90}


def test_each_refused_upload_is_told_with_its_record(house: House, http: Receiver) -> None:
    def refuse(data: bytes) -> None:
        with pytest.raises(Refused):
            house.guard.install(data, actor="mallory")

    refuse(b"no license")  # nobody is there to be told
    house.settings.add(hook(http), actor="ada")
    refuse(b"no license")
    refuse(b"no license")
    refuse(a_license(serial_number="7QX4-9KD2-M3HT-V8RW-C0WW"))
    house.install()
    allocate(house.guard, "orders", 50)
    refuse(
        license_for(house.guard, jti="L-0002", features={"software_units": limit(10)})
    )  # nobody has acknowledged what it takes away
    house.notifier.look()
    house.notifier.look()
    told = [found["data"] for found in http.verified()]
    assert [found["code"] for found in told] == [
        "no_license",
        "no_license",
        "wrong_server",
        "acknowledgement_required",
    ]
    assert all("mallory tried to install a license" in found["text"] for found in told)
    assert len(http.posts) == sum(event.event == "license.refused" for event in audited(house.guard)) - 1


def test_a_server_that_is_killed_while_it_sends_leaves_an_unknown_end_and_nobody_sends_it_again(
    house: House, http: Receiver, database_url: str
) -> None:
    house.settings.add(hook(http), actor="ada")
    house.install(exp=int((NOW + 20 * DAY).timestamp()))
    http.held.clear()
    child = Child(SENDS, database_url)
    child.wait_until_ready()
    child.go()
    assert http.taken.wait(30)
    child.kill()
    http.held.set()
    house.notifier.look()
    house.notifier.look()
    (found,) = house.settings.deliveries()
    assert (found.state, found.attempts) == (DeliveryState.UNKNOWN, 1)
    assert "It may have arrived; it is not sent again." in str(found.reason)
    assert len(http.posts) == 1


def test_what_failed_is_tried_again_with_the_same_id_until_it_is_given_up(house: House, http: Receiver) -> None:
    house.settings.add(hook(http), actor="ada")
    house.install(exp=int((NOW + 20 * DAY).timestamp()))
    http.status = 500
    for attempt in range(1, len(SOON) + 1):
        house.notifier.look()
        (found,) = house.settings.deliveries()
        assert (found.state, found.attempts) == (DeliveryState.DUE, attempt)
        assert found.next_at is not None
        assert "answered 500" in str(found.reason)
    for _ in range(3):
        house.notifier.look()
    (found,) = house.settings.deliveries()
    assert (found.state, found.attempts, found.next_at) == (DeliveryState.GIVEN_UP, len(SOON) + 1, None)
    assert len(http.posts) == len(SOON) + 1
    assert len({headers["webhook-id"] for headers, _ in http.posts}) == 1


def test_what_failed_once_arrives_later_and_waits_until_then(house: House, http: Receiver) -> None:
    house.settings.add(hook(http), actor="ada")
    house.install(exp=int((NOW + 20 * DAY).timestamp()))
    http.status = 503
    Notifier(house.guard, house.stopping).look()
    http.status = 200
    house.notifier.look()
    (found,) = house.settings.deliveries()
    assert (found.state, found.attempts, len(http.posts)) == (DeliveryState.DUE, 1, 1)
    with house.guard.database.write() as connection:
        connection.execute(store.deliveries.update().values(next_at=NOW - DAY * 365))
    house.notifier.look()
    assert house.states() == ["delivered"]


def test_one_channel_that_fails_keeps_no_other_waiting(house: House, http: Receiver) -> None:
    with receiver() as gone:
        house.settings.add(hook(gone, "gone"), actor="ada")
    house.settings.add(hook(http), actor="ada")
    for _ in range(2):
        with pytest.raises(Refused):
            house.guard.install(b"no license")
    house.notifier.look()
    found = {(item.channel, str(item.state), item.attempts) for item in house.settings.deliveries()}
    assert found == {("gone", "due", 1), ("gone", "due", 0), ("hook", "delivered", 1)}


def test_a_test_is_sent_now_once_and_is_in_the_history(house: House, http: Receiver) -> None:
    channel, told_once = house.settings.add(hook(http), actor="ada")
    assert told_once == {}
    assert house.notifier.test(channel, actor="ada").state is DeliveryState.DELIVERED
    http.status = 404
    failed = house.notifier.test(channel, actor="ada")
    assert (failed.state, failed.attempts, failed.next_at) == (DeliveryState.GIVEN_UP, 1, None)
    assert "answered 404" in str(failed.reason)
    assert [found["type"] for found in http.verified()] == ["test", "test"]
    assert house.states() == ["given_up", "delivered"]


def test_a_channel_that_is_removed_is_told_nothing_more(house: House, http: Receiver) -> None:
    channel, _ = house.settings.add(hook(http), actor="ada")
    with pytest.raises(Refused):
        house.guard.install(b"no license")
    house.settings.remove(channel.id, actor="ada")
    house.notifier.look()
    (found,) = house.settings.deliveries()
    assert (found.state, found.reason, http.posts) == (DeliveryState.GIVEN_UP, "The channel was removed.", [])
    with pytest.raises(UnknownChannel):
        house.settings.find(channel.id)


def test_changes_are_audited_without_secrets(house: House, http: Receiver) -> None:
    secret = "hunter22hunter22"
    mail = Mail(name="m", host="h", sender="a@b", recipients=["c@d"], user="u", password=secret)
    channel, _ = house.settings.add(mail, actor="ada")
    made, told_once = house.settings.add(Webhook(name="w", url=f"http://{http.address}/{secret}"), actor="ada")
    assert told_once["secret"].startswith("whsec_")
    with pytest.raises(ChannelNameTaken):
        house.settings.add(Webhook(name="w", url="http://x/"), actor="ada")
    house.settings.change(
        channel.id, Mail(name="m2", host="h", sender="a@b", recipients=["c@d"], user="u"), actor="ada"
    )
    with pytest.raises(ChannelNameTaken):
        house.settings.change(made.id, Webhook(name="m2"), actor="ada")
    rules = house.settings.set_rules(Rules(expiry_days=(1, 60, 1)), actor="ada")
    assert rules.expiry_days == (60, 1)
    assert house.settings.rules() == house.settings.set_rules(rules, actor="ada") == rules
    house.settings.remove(made.id, actor="ada")
    trail = [event for event in audited(house.guard) if event.event.startswith("notification")]
    assert [event.event.partition(".")[2] for event in trail] == ["removed", *["changed"] * 3, "added", "added"]
    assert secret not in str(trail)
    assert told_once["secret"] not in str(trail)
    (kept,) = house.settings.all_channels()
    assert kept.secrets == {"password": secret}


def test_channels_have_a_cap(house: House) -> None:
    for number in range(MOST_CHANNELS):
        house.settings.add(Webhook(name=str(number), url="http://127.0.0.1:1/"), actor="ada")
    with pytest.raises(TooManyChannels, match=f"There are {MOST_CHANNELS} channels"):
        house.settings.add(Webhook(name="more", url="http://127.0.0.1:1/"), actor="ada")


def test_a_link_leads_to_the_console_where_people_reach_it(house: House, http: Receiver) -> None:
    house.settings.add(hook(http), actor="ada")
    with pytest.raises(Refused):
        house.guard.install(b"no license")
    Notifier(house.guard, house.stopping, public_url="https://placet.example").look()
    (found,) = http.verified()
    assert found["data"]["link"] == "https://placet.example/problems/no_license"


def test_old_deliveries_are_forgotten_and_told_no_second_time(house: House, http: Receiver) -> None:
    house.settings.add(hook(http), actor="ada")
    house.install(exp=int((NOW + DAY).timestamp()))
    house.notifier.look()
    house.clock.go_on(store.KEPT_FOR + DAY)
    with house.guard.database.write() as connection:
        store.prune(connection, house.guard.now())
    house.notifier.look()
    assert (house.settings.deliveries(), len(http.posts)) == ([], 1)


def test_the_deliveries_are_read_page_by_page(house: House, http: Receiver) -> None:
    house.settings.add(hook(http), actor="ada")
    for _ in range(3):
        with pytest.raises(Refused):
            house.guard.install(b"no license")
    newest = house.settings.deliveries(most=2)
    older = house.settings.deliveries(before=newest[-1].id)
    assert [found.id for found in newest + older] == sorted((found.id for found in newest + older), reverse=True)
    assert (len(newest), len(older)) == (2, 1)
