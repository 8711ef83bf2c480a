"""Users who have not been seen for long: who they are, who is spared, and that their seats are freed once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import DAY, EVERYTHING, KEY, NOW, a_license, trust_store
from guard_support.guards import Clock, audited, used
from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.platform.inactive_users import Inactivity
from placet.platform.layout import Layout
from placet.platform.people import People
from placet.platform.product import PLATFORM_SERVER, USERS
from placet.store.credentials import Kind, Role, Visitor
from placet.store.database import Database
from placet.store.users import users_named
from store_support.databases import KINDS, new_databases

QUARTER = Inactivity(lasting=90 * DAY)


class Office:
    """A server's people, and its clock."""

    def __init__(self, url: str, path: Path) -> None:
        self.clock = Clock()
        self.guard = Guard(Database.open(url), PLATFORM_SERVER, trust_store(KEY), clock=self.clock)
        serial = self.guard.status().serial_number
        self.guard.install(a_license(serial_number=serial, features=EVERYTHING), acknowledge=True)
        layout = Layout(path / "office")
        layout.make()
        self.front_end = FrontEnd(self.guard, layout)
        self.front_end.beat()
        self.people = People(self.guard, self.front_end)

    def hire(self, name: str, role: Role = Role.DEVELOPER) -> str:
        """Add a user with a token."""
        self.people.add(name, role, actor="root")
        return self.people.create_token(name, role, actor="root")[1]

    def active(self) -> set[str]:
        return {user.name for user in self.people.users() if user.active}


@pytest.fixture(params=KINDS)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    with new_databases(request.param, tmp_path) as make:
        office = Office(make(), tmp_path)
        yield office
        office.guard.close()


def names(office: Office, inactivity: Inactivity = QUARTER) -> list[str]:
    return [user.name for user in office.people.inactive.find(inactivity)]


def test_who_was_not_seen_for_so_long_is_found_longest_first(office: Office) -> None:
    tokens = {name: office.hire(name) for name in ("ana", "bo", "cy")}
    office.hire("root", Role.ADMINISTRATOR)
    office.clock.go_on(10 * DAY)
    assert office.people.find(Kind.TOKEN, tokens["bo"]) is not None
    office.clock.go_on(70 * DAY)
    assert office.people.find(Kind.TOKEN, tokens["cy"]) is not None
    assert names(office) == []
    office.clock.go_on(10 * DAY + timedelta(microseconds=1))
    assert names(office) == ["ana"]
    office.clock.go_on(10 * DAY)
    assert names(office) == ["ana", "bo"]
    assert names(office, Inactivity(lasting=90 * DAY, excluded=frozenset({"ana"}))) == ["bo"]
    assert names(office, Inactivity(lasting=90 * DAY, administrators=True)) == ["ana", "root", "bo"]
    assert names(office, Inactivity(lasting=90 * DAY, only=frozenset({"bo", "root", "cy"}))) == ["bo"]
    assert [user.name for user in office.people.inactive.find(QUARTER, most=1)] == ["ana"]
    with office.guard.database.read() as connection:
        assert {user.name for user in users_named(connection, ["bo", "cy", "nobody"])} == {"bo", "cy"}
    seen = {user.name: user.last_seen_at for user in office.people.users()}
    assert seen == {"ana": None, "bo": NOW + 10 * DAY, "cy": NOW + 80 * DAY, "root": None}


def test_their_seats_are_freed_and_their_tokens_are_of_no_use_until_they_are_back(office: Office) -> None:
    tokens = {name: office.hire(name) for name in ("ana", "bo")}
    office.hire("root", Role.ADMINISTRATOR)
    session = office.people.sign_ins.with_secret(tokens["ana"], Visitor())
    assert session is not None
    office.clock.go_on(100 * DAY)
    assert [user.name for user in office.people.clean_up(QUARTER, actor="root")] == ["ana", "bo"]
    assert office.people.clean_up(QUARTER, actor="root") == []
    assert (office.active(), used(office.guard, USERS)) == ({"root"}, 1)
    assert office.people.find(Kind.TOKEN, tokens["ana"]) is None
    assert office.people.verified_lately(tokens["ana"]) is None
    assert office.people.sign_ins.with_secret(tokens["ana"], Visitor()) is None
    freed = [event for event in audited(office.guard) if event.event == "user.deactivated"]
    assert {(event.subject, event.actor) for event in freed} == {("ana", "root"), ("bo", "root")}
    office.people.activate("ana", actor="root")
    assert office.people.find(Kind.TOKEN, tokens["ana"]) is not None
    assert names(office) == []


def test_nobody_deactivates_themselves(office: Office) -> None:
    office.hire("root", Role.ADMINISTRATOR)
    office.clock.go_on(100 * DAY)
    assert office.people.clean_up(Inactivity(lasting=DAY, administrators=True), actor="root") == []
    assert office.active() == {"root"}


def test_who_comes_back_while_it_is_done_keeps_the_seat(office: Office) -> None:
    token = office.hire("ana")
    office.clock.go_on(100 * DAY)
    (found,) = office.people.inactive.find(QUARTER)
    office.people.find(Kind.TOKEN, token)
    office.people.inactive.write()
    assert not office.people.inactive._deactivate(found, office.clock.now - QUARTER.lasting, "root")
    assert (office.active(), used(office.guard, USERS)) == ({"ana"}, 1)


def test_seeing_never_goes_back_and_minds_no_strangers(office: Office) -> None:
    token = office.hire("ana")
    stranger = office.people.create_token("nobody", Role.DEVELOPER, actor="root")[1]
    for secret in (token, stranger):
        assert office.people.find(Kind.TOKEN, secret) is not None
    office.people.inactive.write()
    office.clock.now = NOW - DAY
    office.people.find(Kind.TOKEN, token)
    office.people.inactive.write()
    assert [user.last_seen_at for user in office.people.users()] == [NOW]


def test_a_day_is_the_least() -> None:
    with pytest.raises(ValueError, match="a day at least"):
        Inactivity(lasting=timedelta(hours=23))
