"""Several guards, in one process or many, on one database."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import event

from builders import DAY, limit, switch
from guard_support.guards import Clock, allocate, install, opened, used
from placet.enforcement import Code, State
from placet.guard import Guard
from placet.guard.snapshot import Snapshot
from store_support.children import children
from store_support.databases import database_traffic

INSTALLS = """
import sys
from guard_support.guards import install, opened
guard = opened(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
install(guard)
guard.close()
print("installed")
"""


@pytest.fixture
def other(database_url: str, guard: Guard) -> Iterator[Guard]:
    """Another guard on the same database, as another process has."""
    found = opened(database_url)
    guard.refresh()
    yield found
    found.close()


def looked(guard: Guard) -> list[str]:
    """What a look for changes costs: SQLite is asked on a connection that is kept, PostgreSQL by one statement."""
    return [] if guard.database.engine.dialect.name == "sqlite" else ["connection taken"]


def test_a_license_installed_elsewhere_is_noticed(guard: Guard, other: Guard) -> None:
    assert guard.check("run").code is Code.OPERATION_NO_LICENSE
    install(other)
    assert guard.check("run").code is Code.OPERATION_NO_LICENSE
    assert guard.refresh()
    assert guard.check("run").allowed


def test_a_serial_number_renewed_elsewhere_is_noticed(licensed: Guard, other: Guard) -> None:
    number = other.renew_serial_number()
    assert licensed.refresh()
    assert licensed.status().serial_number == number
    assert licensed.check("run").code is Code.OPERATION_WRONG_SERVER


def test_usage_elsewhere_is_noticed(licensed: Guard, other: Guard) -> None:
    other.refresh()
    allocate(other, "orders", 100)
    assert licensed.check("publish", software_units=1).allowed
    assert licensed.refresh()
    assert licensed.check("publish", software_units=1).code is Code.SOFTWARE_UNITS_LIMIT


def test_an_allocation_needs_no_refresh(guard: Guard, other: Guard) -> None:
    """It reads what is in force for itself."""
    install(guard)
    assert other.status().state is State.NO_LICENSE
    allocate(other, "orders", 99)
    assert used(guard) == 99
    assert other.status().state is State.ACTIVE


@pytest.mark.parametrize("database_urls", ["sqlite"], indirect=True)
def test_where_nothing_has_changed_nothing_is_read_on_sqlite(guard: Guard, other: Guard) -> None:
    status = guard.status()
    with database_traffic(guard.database) as traffic:
        assert [guard.refresh() for _ in range(3)] == [False] * 3
        assert traffic == looked(guard) * 3
        install(other)
        traffic.clear()
        assert guard.refresh()
        assert traffic != looked(guard)
        traffic.clear()
        assert [guard.refresh() for _ in range(3)] == [False] * 3
    assert traffic == looked(guard) * 3
    assert guard.status() is not status


def test_a_new_guard_has_nothing_to_catch_up_on(database_url: str) -> None:
    guard = opened(database_url)
    assert not guard.refresh()
    guard.close()


def test_a_change_that_bears_on_nothing_leaves_the_answers(licensed: Guard, other: Guard) -> None:
    decision = licensed.check("run")
    with other.database.write() as connection:
        other._record(connection, "query.tested", "me", "orders")  # type: ignore[arg-type]
    assert licensed.refresh() is (licensed.database.engine.dialect.name == "sqlite")
    assert licensed.check("run") is decision


def test_a_refresh_that_fails_is_tried_again(guard: Guard, other: Guard) -> None:
    def fail(*_: object) -> None:
        raise ConnectionError

    install(other)
    event.listen(guard.database.engine, "before_cursor_execute", fail)
    with pytest.raises(ConnectionError):
        guard.refresh()
    assert not guard.check("run").allowed
    event.remove(guard.database.engine, "before_cursor_execute", fail)
    assert guard.refresh()
    assert guard.check("run").allowed


def test_what_another_process_installs_is_noticed(database_url: str, guard: Guard) -> None:
    with children(1, INSTALLS, database_url) as (child,):
        guard.refresh()
        assert guard.status().state is State.NO_LICENSE
        child.go()
        assert child.answer() == "installed"
    assert guard.refresh()
    assert guard.check("run").allowed


def test_each_guard_goes_by_the_clock_and_each_by_the_newest_license(guard: Guard, other: Guard, clock: Clock) -> None:
    install(guard)
    other.refresh()
    install(other, jti="L-2", features={"run": switch(), "software_units": limit(5)})
    clock.go_on(DAY)
    guard.tick()  # which reads anew as well
    assert guard.license_id == other.license_id
    assert guard.check("debug").code is Code.FEATURE_NOT_LICENSED
    assert guard.check("publish", software_units=6).limit == 5


class Interrupted(Guard):
    """A guard whose next look at the facts waits, after it has seen them, until it is let go on."""

    pause: tuple[threading.Event, threading.Event] | None = None

    def _load(self, known: Snapshot | None) -> Snapshot:
        found, pause = super()._load(known), self.pause
        if pause is not None:
            self.pause = None
            pause[0].set()
            assert pause[1].wait(10)
        return found


def test_what_a_guard_has_changed_is_known_to_whoever_asks_while_another_reads_it(licensed: Guard) -> None:
    guard = Interrupted(licensed.database, licensed.product, licensed.trust, clock=licensed.clock)
    allocate(guard, "orders", 100)
    has_seen, go_on = threading.Event(), threading.Event()
    guard.pause = (has_seen, go_on)
    reading = threading.Thread(target=guard.status)
    reading.start()
    assert has_seen.wait(10)
    threading.Timer(0.1, go_on.set).start()
    assert guard.status().features["software_units"].used == 100
    reading.join()


def test_what_is_changed_while_another_reads_is_not_taken_for_known(licensed: Guard) -> None:
    guard = Interrupted(licensed.database, licensed.product, licensed.trust, clock=licensed.clock)
    has_seen, go_on = threading.Event(), threading.Event()
    guard.pause = (has_seen, go_on)
    reading = threading.Thread(target=guard.reload)
    reading.start()
    assert has_seen.wait(10)
    allocate(guard, "orders", 100)
    go_on.set()
    reading.join()
    assert not guard.check("publish", software_units=1).allowed
    assert guard.status().features["software_units"].used == 100
