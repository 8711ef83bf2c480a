"""Signing in, passwords and sessions, on each database, beneath every edge."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from builders import DAY, EVERYTHING, KEY, NOW, SECOND, a_license, trust_store
from guard_support.guards import Clock, audited
from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.platform.layout import Layout
from placet.platform.passwords import (
    LONGEST_BYTES,
    PasswordRejected,
    Passwords,
    UnknownPasswordLink,
    UnknownUser,
    UserDeactivated,
    WrongPassword,
    rejection_of,
)
from placet.platform.people import People
from placet.platform.product import PLATFORM_SERVER
from placet.platform.sessions import Lifetimes, UnknownSession
from placet.store.credentials import Credential, Kind, Method, Role, Visitor
from placet.store.database import Database
from placet.store.schema import passwords as table
from store_support import threads
from store_support.databases import KINDS, new_databases

HERE = Visitor(address="192.0.2.1", browser="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
PASSWORD = "four words put together"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Weaker than what is used: what takes time here is proven by what is hashed, not by how long it takes."""


class Office:
    """A server's people, with a cheap hash, and its clock."""

    def __init__(self, url: str, path: Path) -> None:
        self.clock = Clock()
        self.path = path
        self.guard = Guard(Database.open(url), PLATFORM_SERVER, trust_store(KEY), clock=self.clock)
        serial = self.guard.status().serial_number
        self.guard.install(a_license(serial_number=serial, features=EVERYTHING), actor="root")
        self.people = People(self.guard, FrontEnd(self.guard, Layout(path), address="http://127.0.0.1:1"))
        self.people.passwords._hasher = CHEAP
        self.people.add("maria", Role.DEVELOPER, actor="root")

    def give_password(self, name: str = "maria", password: str = PASSWORD) -> None:
        code, _ = self.people.passwords.make_link(name, actor="root")
        self.people.passwords.set_by_link(code, password)

    def find(self, session: str) -> Credential | None:
        return self.people.find(Kind.SESSION, session)

    def events(self, name: str) -> list[tuple[str, str]]:
        return [(event.actor, event.subject) for event in reversed(audited(self.guard)) if event.event == name]

    def hash_of_maria(self) -> str:
        with self.guard.database.read() as connection:
            return str(connection.execute(select(table.c.hash)).scalar_one())


@pytest.fixture(params=KINDS)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    with new_databases(request.param, tmp_path) as new:
        office = Office(new(), tmp_path)
        yield office
        office.guard.close()


def test_a_password_signs_in_as_the_user_is_now(office: Office) -> None:
    assert office.people.sign_ins.with_password("maria", PASSWORD, HERE) is None
    office.give_password()
    for wrong in ("", "four words put together ", PASSWORD.upper(), "x" * 5000, "\ud800" * 20):
        assert office.people.sign_ins.with_password("maria", wrong, HERE) is None
    for nobody in ("", "Maria", "nobody", "\0", "\ud800", "x" * 5000):
        assert not office.people.sign_ins.knows_address(nobody, HERE.address)
        assert office.people.sign_ins.with_password(nobody, PASSWORD, HERE) is None
    who = office.people.sign_ins.with_password("maria", PASSWORD, HERE, failed=3)
    assert who is not None
    assert (who.name, who.role) == ("maria", Role.DEVELOPER)
    session = office.find(who.session)
    assert session is not None
    assert (session.method, session.address, session.browser) == (Method.PASSWORD, HERE.address, HERE.browser)
    told = [event.detail for event in audited(office.guard) if event.event == "session.signed_in"]
    assert told == [{"method": "password", "address": "192.0.2.1", "failed_before": 3}]


def test_nobodys_name_costs_the_same_hashing_as_somebodys(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.give_password()
    office.people.sign_ins.with_password("nobody", PASSWORD, HERE)
    counted: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002
            counted.append(str(hash).rsplit("$", 2)[0])
            return super().verify(hash, password)

    monkeypatch.setattr(office.people.passwords, "_hasher", Counting(time_cost=1, memory_cost=64, parallelism=1))
    for name in ("maria", "nobody"):
        office.people.sign_ins.with_password(name, "not the password", HERE)
    assert len(counted) == 2
    assert counted[0] == counted[1], "the same parameters"


def test_who_is_deactivated_is_told_so_by_the_right_password_alone(office: Office) -> None:
    office.give_password()
    office.people.deactivate("maria", actor="root")
    assert office.people.sign_ins.with_password("maria", "not the password", HERE) is None
    with pytest.raises(UserDeactivated, match="your user on this server is deactivated"):
        office.people.sign_ins.with_password("maria", PASSWORD, HERE)
    with pytest.raises(UserDeactivated, match="Activate the user first"):
        office.people.passwords.make_link("maria", actor="root")
    with pytest.raises(UnknownUser):
        office.people.passwords.make_link("nobody", actor="root")


def test_a_link_sets_a_password_once_and_ends_sessions_and_older_links(office: Office) -> None:
    older, _ = office.people.passwords.make_link("maria", actor="root")
    code, ends_at = office.people.passwords.make_link("maria", actor="root")
    assert ends_at == NOW + DAY
    with pytest.raises(UnknownPasswordLink):
        office.people.passwords.set_by_link(older, PASSWORD)
    with pytest.raises(PasswordRejected, match="needs at least 12"):
        office.people.passwords.set_by_link(code, "short")
    assert office.people.passwords.of_link(code) == "maria"
    begun = office.people.sign_ins.with_secret(office.people.one_time_sign_in("maria", Role.DEVELOPER), HERE)
    assert begun is not None
    assert office.people.passwords.set_by_link(code, PASSWORD) == "maria"
    assert office.find(begun.session) is None
    with pytest.raises(UnknownPasswordLink):
        office.people.passwords.set_by_link(code, "another password altogether")
    assert office.events("password.link_made") == [("root", "maria")] * 2
    assert office.events("password.set") == [("maria", "maria")]


def test_a_link_is_over_after_a_day_and_with_its_user(office: Office) -> None:
    code, _ = office.people.passwords.make_link("maria", actor="root")
    office.people.deactivate("maria", actor="root")
    with pytest.raises(UnknownPasswordLink):
        office.people.passwords.of_link(code)
    office.people.activate("maria", actor="root")
    office.clock.go_on(DAY)
    with pytest.raises(UnknownPasswordLink):
        office.people.passwords.set_by_link(code, PASSWORD)


def test_a_link_that_many_use_at_once_sets_one_password(office: Office) -> None:
    code, _ = office.people.passwords.make_link("maria", actor="root")

    def use(number: int) -> bool:
        try:
            office.people.passwords.set_by_link(code, f"{PASSWORD} {number}")
        except UnknownPasswordLink:
            return False
        return True

    assert threads.race(4, use).count(True) == 1


def test_a_change_needs_the_old_password_and_ends_the_other_sessions(office: Office) -> None:
    office.give_password()
    here, there = [office.people.sign_ins.with_password("maria", PASSWORD, HERE) for _ in "12"]
    assert here is not None
    assert there is not None
    own = office.find(here.session)
    assert own is not None
    with pytest.raises(WrongPassword):
        office.people.passwords.change("maria", "not the password", "another one altogether", spared=own.id)
    with pytest.raises(PasswordRejected):
        office.people.passwords.change("maria", PASSWORD, "maria", spared=own.id)
    assert office.people.passwords.change("maria", PASSWORD, "another one altogether", spared=own.id) == 1
    assert office.find(here.session) is not None
    assert office.find(there.session) is None
    assert office.people.sign_ins.with_password("maria", PASSWORD, HERE) is None
    assert office.people.sign_ins.with_password("maria", "another one altogether", HERE) is not None
    assert office.events("password.changed") == [("maria", "maria")]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("eleven byte", "has 11 bytes and needs at least 12"),
        ("x" * (LONGEST_BYTES + 1), "may have 1,024 at most"),
        ("é" * 513, "has 1,026 bytes"),
        ("aaaabbbbcccc", "fewer than 5 different"),
        ("Maria Fernandez", "is the user's name"),
    ],
)
def test_which_passwords_are_not_taken(password: str, why: str) -> None:
    assert why in (rejection_of("maria fernandez", password) or "")


def test_which_passwords_are_taken() -> None:
    for password in ("twelve bytes", "é€𝄞é€𝄞ab1", "x" * (LONGEST_BYTES - 4) + "abcd", " spaces  count "):
        assert rejection_of("maria", password) is None


def test_one_password_typed_on_two_keyboards_is_one(office: Office) -> None:
    office.give_password(password="caf\u00e9 au lait, please")
    assert office.people.sign_ins.with_password("maria", "cafe\u0301 au lait, please", HERE) is not None


def test_a_hash_that_is_weaker_than_todays_is_replaced_at_the_next_sign_in(office: Office) -> None:
    office.give_password()
    before = office.hash_of_maria()
    assert "m=64,t=1" in before
    office.people.passwords._hasher = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    assert office.people.sign_ins.with_password("maria", PASSWORD, HERE) is not None
    assert "m=128,t=2" in office.hash_of_maria()
    assert office.people.sign_ins.with_password("maria", PASSWORD, HERE) is not None


def test_what_is_used_is_what_rfc_9106_recommends(office: Office) -> None:
    office.people.passwords = Passwords(office.guard, office.people.sessions)
    office.give_password()
    assert office.hash_of_maria().startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in office.hash_of_maria()


# Sessions


def test_a_session_ends_when_it_has_lasted_or_was_not_used(office: Office) -> None:
    lifetimes = office.people.sessions.lifetimes
    begun = office.people.sign_ins.with_secret(office.people.one_time_sign_in("maria", Role.DEVELOPER), HERE)
    assert begun is not None
    for _ in range(11):
        office.clock.go_on(DAY / 24)
        assert office.find(begun.session) is not None
    assert [session.name for session in office.people.sessions.in_force()] == ["maria"]
    office.clock.go_on(DAY / 24)
    assert office.find(begun.session) is None
    begun = office.people.sign_ins.with_secret(office.people.one_time_sign_in("maria", Role.DEVELOPER), HERE)
    assert begun is not None
    office.clock.go_on(lifetimes.idle - SECOND)
    assert office.find(begun.session) is not None
    office.clock.go_on(lifetimes.idle)
    assert office.find(begun.session) is None
    assert office.people.sessions.in_force() == []


def test_another_server_knows_when_a_session_was_last_used(office: Office) -> None:
    begun = office.people.sign_ins.with_secret(office.people.one_time_sign_in("maria", Role.DEVELOPER), HERE)
    assert begun is not None
    office.clock.go_on(DAY / 24)
    assert office.find(begun.session) is not None
    office.people.sessions.keep_up()
    other = People(office.guard, FrontEnd(office.guard, Layout(office.path), address="http://127.0.0.1:2"))
    (session,) = other.sessions.in_force("maria")
    assert session.last_used_at == NOW + DAY / 24
    office.clock.go_on(DAY / 24)
    assert other.find(Kind.SESSION, begun.session) is not None


def test_sessions_are_ended_by_their_owner_or_an_administrator(office: Office) -> None:
    office.people.add("bo", Role.DEVELOPER, actor="root")
    for name in ("maria", "maria", "bo"):
        office.people.sign_ins.with_secret(office.people.one_time_sign_in(name, Role.DEVELOPER), HERE)
    first, second, bos = [session.id for session in office.people.sessions.in_force()]
    with pytest.raises(UnknownSession):
        office.people.sessions.end(bos, actor="maria", owner="maria")
    assert len(office.people.sessions.in_force("bo")) == 1, "it was not ended, and not recorded either"
    assert office.events("session.ended") == []
    office.people.sessions.end(bos, actor="root", owner=None)
    assert [s.id for s in office.people.sessions.end_all(actor="maria", name="maria", spared=first)] == [second]
    assert [session.id for session in office.people.sessions.in_force()] == [first]
    assert office.events("session.ended") == [("root", "bo"), ("maria", "maria")]


def test_signing_in_again_ends_the_session_that_the_browser_had(office: Office) -> None:
    token = office.people.create_token("maria", Role.DEVELOPER, actor="root")[1]
    one = office.people.sign_ins.with_secret(token, HERE)
    assert one is not None
    two = office.people.sign_ins.with_secret(token, HERE, replacing=office.find(one.session))
    assert two is not None
    assert two.session != one.session
    assert office.find(one.session) is None
    assert office.find(two.session) is not None


def test_what_has_been_over_for_long_is_deleted(office: Office) -> None:
    token = office.people.create_token("maria", Role.DEVELOPER, actor="root")[1]
    office.people.sign_ins.with_secret(token, HERE)
    office.people.passwords.make_link("maria", actor="root")
    office.people.one_time_sign_in("maria", Role.DEVELOPER)
    office.clock.go_on(90 * DAY)
    office.people.sessions.keep_up()
    assert office.people.sign_ins.knows_address("maria", HERE.address)
    office.clock.go_on(2 * DAY)
    office.people.sessions.keep_up()
    assert not office.people.sign_ins.knows_address("maria", HERE.address)
    assert office.people.find(Kind.TOKEN, token) is not None


@pytest.mark.parametrize(
    ("idle", "lasting"), [(DAY / 24 / 60, DAY), (DAY, DAY / 2), (91 * DAY, 91 * DAY)], ids=["short", "more", "long"]
)
def test_lifetimes_that_cannot_be(idle: object, lasting: object) -> None:
    with pytest.raises(ValueError, match="5 minutes at least, last for 90 days at most"):
        Lifetimes(idle=idle, lasting=lasting)  # type: ignore[arg-type]


# Who has failed, and the first administrator


def test_a_name_that_nobody_has_is_not_recorded_since_it_may_be_a_password(office: Office) -> None:
    for name in ("maria", "my secret password\0", None):
        office.people.sign_ins.note_failures(name, HERE, 10)
    assert office.events("session.sign_in_failed") == [("a stranger", s) for s in ("maria", *["nobody known"] * 2)]


def test_the_first_administrator_gets_one_code_until_there_is_an_administrator(office: Office) -> None:
    first, second = office.people.sign_ins.first(), office.people.sign_ins.first()
    assert first is not None
    assert second is not None
    assert first.code is not None
    assert (second.code, second.ends_at) == (None, first.ends_at)
    office.clock.go_on(DAY)
    anew = office.people.sign_ins.first()
    assert anew is not None
    assert anew.code is not None
    begun = office.people.sign_ins.with_secret(anew.code, HERE)
    assert begun is not None
    assert office.people.sign_ins.first() is None
    office.people.add("ada", Role.ADMINISTRATOR, actor="administrator")
    office.clock.go_on(DAY)
    again = office.people.sign_ins.first()
    assert again is not None, "ada has no way to sign in"
    office.give_password("ada")
    assert office.people.sign_ins.first() is None
    office.people.deactivate("ada", actor="administrator")
    assert office.people.sign_ins.first() is not None


def test_of_servers_that_start_at_once_one_has_the_first_administrators_code(office: Office) -> None:
    found = threads.race(4, lambda _: office.people.sign_ins.first())
    assert sum(first is not None and first.code is not None for first in found) == 1
