"""Modules that nobody has used for long: which they are, what is spared, and that their units are given back once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import DAY, EVERYTHING, KEY, NOW, a_license, trust_store
from guard_support.guards import Clock, audited, used
from placet.guard import Guard
from placet.platform.layout import Layout
from placet.platform.obsolete_modules import MOST_AT_ONCE, Disuse
from placet.platform.product import PLATFORM_SERVER
from placet.platform.published import ModuleInUse
from placet.platform.server import PlatformServer
from placet.store import module_use, modules
from placet.store.database import Database
from placet.store.modules import ModuleVersion
from store_support.databases import KINDS, new_databases

QUARTER = Disuse(lasting=90 * DAY)


class Shelf:
    """A server with modules on its books, none of which runs, and its clock."""

    def __init__(self, url: str, path: Path) -> None:
        self.clock = Clock()
        guard = Guard(Database.open(url), PLATFORM_SERVER, trust_store(KEY), clock=self.clock)
        guard.install(a_license(serial_number=guard.status().serial_number, features=EVERYTHING), acknowledge=True)
        layout = Layout(path / "shelf")
        layout.make()
        self.server = PlatformServer(guard, layout)
        self.server.front_end.beat()

    def publish(self, name: str, *kinds: str) -> None:
        elements = [{"kind": kind, "name": kind, "weight": 1, "why": "it counts"} for kind in kinds]
        version = ModuleVersion(
            id=name,
            module=name,
            version="1.0",
            entrypoint="app:app",
            units=len(kinds),
            elements=elements,
            digest="0" * 64,
            published_at=self.clock.now,
            published_by="maria",
        )
        with self.server.guard.allocation("publish", name, software_units=len(kinds)) as grant:
            modules.activate(grant.connection, version, b"zip")

    def obsolete(self, disuse: Disuse = QUARTER) -> list[str]:
        return [use.module for use in self.server.obsolete.find(disuse)]

    def clean_up(self, disuse: Disuse = QUARTER) -> list[str]:
        return [use.module for use in self.server.obsolete.clean_up(disuse, actor="root")]

    def there(self) -> set[str]:
        with self.server.guard.database.read() as connection:
            return set(modules.active_ids(connection))


@pytest.fixture(params=KINDS)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    with new_databases(request.param, tmp_path) as make:
        shelf = Shelf(make(), tmp_path)
        yield shelf
        shelf.server.guard.close()


def test_what_was_not_used_for_so_long_is_found_longest_first(shelf: Shelf) -> None:
    for name in ("asked", "idle", "new"):
        shelf.publish(name, "screen")
    shelf.clock.go_on(10 * DAY)
    shelf.server.obsolete.see("asked")
    shelf.clock.go_on(70 * DAY)
    with shelf.server.guard.database.write() as connection:
        modules.reactivate(connection, "new", "new", shelf.clock.now)
    assert shelf.obsolete() == []
    shelf.clock.go_on(10 * DAY + timedelta(microseconds=1))
    assert shelf.obsolete() == ["idle"]
    shelf.clock.go_on(10 * DAY)
    assert shelf.obsolete() == ["idle", "asked"]
    assert shelf.obsolete(Disuse(lasting=90 * DAY, excluded=frozenset({"idle"}))) == ["asked"]
    idle, asked = shelf.server.obsolete.find(QUARTER)
    assert (idle.last_served_at, idle.last_used_at, idle.units) == (None, NOW, 1)
    assert (asked.last_served_at, asked.last_used_at) == (NOW + 10 * DAY, NOW + 10 * DAY)
    with shelf.server.guard.database.read() as connection:
        assert module_use.last_served(connection) == {"asked": NOW + 10 * DAY}
        found = module_use.uses_of(connection, ["asked", "idle", "nobody"])
    assert found == {"asked": ("1.0", NOW, NOW + 10 * DAY), "idle": ("1.0", NOW, None)}


def test_they_are_deleted_and_their_units_given_back_once(shelf: Shelf) -> None:
    shelf.publish("idle", "screen", "operation")
    shelf.clock.go_on(100 * DAY)
    shelf.publish("fresh", "screen")
    assert shelf.clean_up() == ["idle"]
    assert shelf.clean_up() == []
    assert (shelf.there(), used(shelf.server.guard)) == ({"fresh"}, 1)
    (event,) = [event for event in audited(shelf.server.guard) if event.event == "module.deleted"]
    assert (event.subject, event.actor) == ("idle", "root")
    assert event.detail == {"unused_since": (shelf.clock.now - 90 * DAY).isoformat()}


def test_a_name_is_no_timer(shelf: Shelf) -> None:
    shelf.publish("odd", '"kind":"timer"')
    shelf.clock.go_on(100 * DAY)
    (use,) = shelf.server.obsolete.find(QUARTER)
    assert not use.has_timers


def test_what_has_timers_works_without_being_asked(shelf: Shelf) -> None:
    shelf.publish("nightly", "timer", "screen", "timer")
    shelf.clock.go_on(100 * DAY)
    assert shelf.obsolete() == []
    with_timers = Disuse(lasting=90 * DAY, timers=True)
    assert [use.has_timers for use in shelf.server.obsolete.find(with_timers)] == [True]
    assert (shelf.clean_up(), shelf.clean_up(with_timers)) == ([], ["nightly"])


def test_what_is_used_or_worked_on_meanwhile_stays(shelf: Shelf) -> None:
    for name in ("back", "busy"):
        shelf.publish(name, "screen")
    shelf.clock.go_on(100 * DAY)
    since = shelf.clock.now - QUARTER.lasting
    found = shelf.server.obsolete.find(QUARTER)
    shelf.server.obsolete.see("back")
    shelf.server.obsolete.write()
    with pytest.raises(ModuleInUse, match="'back' is used again"):
        shelf.server.publisher.delete("back", actor="root", unused_since=since)
    with shelf.server.publisher.work.on("busy", "publish", actor="maria"):
        assert [shelf.server.obsolete._delete(use, since, "root") for use in found] == [False, False]
    assert (shelf.there(), used(shelf.server.guard)) == ({"back", "busy"}, 2)


def test_a_hundred_at_once_are_the_most(shelf: Shelf) -> None:
    for number in range(MOST_AT_ONCE + 2):
        shelf.publish(f"m{number:03}")
    shelf.clock.go_on(100 * DAY)
    assert len(shelf.clean_up()) == MOST_AT_ONCE
    assert shelf.obsolete() == ["m100", "m101"]


def test_nothing_goes_back_and_strangers_are_minded_by_nobody(shelf: Shelf) -> None:
    shelf.publish("shop", "screen")
    for name in ("shop", "nobody"):
        shelf.server.obsolete.see(name)
    shelf.server.obsolete.write()
    shelf.clock.now = NOW - DAY
    shelf.server.obsolete.see("shop")
    shelf.server.obsolete.write()
    with shelf.server.guard.database.read() as connection:
        assert module_use.last_served(connection) == {"shop": NOW}


def test_a_day_is_the_least() -> None:
    with pytest.raises(ValueError, match="a day without use at least"):
        Disuse(lasting=timedelta(hours=23))
