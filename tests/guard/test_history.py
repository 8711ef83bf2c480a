"""What the minute's tick records of usage, and how long it is kept."""

from datetime import timedelta
from typing import Any

from builders import DAY, NOW, TRUST, limit, switch
from guard_support.guards import Clock, allocate, install, opened
from placet.enforcement import Limit, Metered, Operation, Product, Seats
from placet.guard import Guard, Retention
from placet.license import Grant
from placet.store import holders
from placet.store.database import Database
from placet.store.history import HOUR, History, Point, Resolution, history, samples_of

MINUTE = timedelta(minutes=1)
PRODUCT = Product(
    "counts_everything",
    features=(Limit("projects", "Projects"), Seats("editors", "Editors"), Metered("calls", "Calls")),
    operations=(Operation("save", consumes=("projects",)),),
)
GRANTS = {
    "projects": limit(10),
    "editors": Grant(kind="seats", limit=5),
    "calls": Grant(kind="metered", limit=1000, period="month"),
}


def told(guard: Guard, feature: str, since: Any = NOW - 99 * DAY, until: Any = NOW + 99 * DAY) -> History:
    with guard.database.read() as connection:
        return history(connection, feature, since, until)


def test_a_tick_samples_usage_beside_the_limit(licensed: Guard, clock: Clock) -> None:
    allocate(licensed, "orders", 3)
    licensed.tick()
    allocate(licensed, "orders", 6)
    licensed.tick()
    allocate(licensed, "orders", 0)
    licensed.tick()
    clock.go_on(DAY)
    allocate(licensed, "orders", 5)
    install(licensed, jti="L-2", features={"run": switch()}, acknowledge=True)
    licensed.tick()
    with licensed.database.read() as connection:
        samples = samples_of(connection, "software_units")
        assert [(sample.used, sample.maximum) for sample in samples] == [(6, 100), (5, 0)]
        assert samples[1].sampled_at - samples[0].sampled_at == DAY
        assert [sample.maximum for sample in samples_of(connection, "mailboxes")] == [None, None]
        assert samples_of(connection, "run") == []
    (first, _) = told(licensed, "software_units", NOW, NOW + 2 * DAY).points
    assert (first.peak, first.average) == (6, 3.0)


def test_seats_and_metered_features_are_sampled_too(database_url: str, clock: Clock) -> None:
    guard = Guard(Database.open(database_url), PRODUCT, TRUST, clock=clock)
    install(guard, features=GRANTS)
    for amount in (700, 200):
        guard.consume("calls", amount)
        guard.tick()
        clock.go_on(HOUR)
    assert [point.peak for point in told(guard, "calls", NOW, NOW + DAY).points] == [700, 900]
    assert [point.limit for point in told(guard, "editors", NOW, NOW + DAY).points] == [5, 5]
    assert [point.limit for point in told(guard, "projects", NOW, NOW + DAY).points] == [10, 10]
    guard.close()


def test_the_retention_is_the_guards(database_url: str, clock: Clock) -> None:
    guard = Guard(
        Database.open(database_url), PRODUCT, TRUST, clock=clock, retention=Retention(hourly=2 * DAY, daily=5 * DAY)
    )
    install(guard, features=GRANTS)
    for day in range(8):
        with guard.allocation("save", "mine", projects=day):
            pass
        guard.tick()
        clock.go_on(DAY)
    found = told(guard, "projects")
    assert found.resolution is Resolution.DAY
    assert [point.peak for point in found.points] == [2, 3, 4, 5, 6, 7]
    with guard.database.read() as connection:
        assert [sample.used for sample in samples_of(connection, "projects")] == [5, 6, 7]
        days = holders.holder_history(connection, "projects", "mine", NOW, NOW + 7 * DAY)
        assert [day.amount for day in days] == [2, 3, 4, 5, 6, 7]
    guard.close()


def test_servers_of_one_database_tell_one_history(database_url: str, clock: Clock) -> None:
    guards = [opened(database_url, clock) for _ in range(2)]
    install(guards[0])
    for minute in range(3):
        allocate(guards[0], "orders", minute)
        for guard in guards:
            guard.tick()
        clock.go_on(MINUTE)
    clock.go_on(40 * DAY)
    for guard in guards:
        guard.tick()
    points = told(guards[1], "software_units").points
    assert points[0] == Point(starts_at=NOW - 12 * HOUR, peak=2, average=1.0, limit=100)
    assert [point.peak for point in points] == [2, 2]
    for guard in guards:
        guard.close()


def test_the_tick_tells_who_had_seats_for_as_long_as_days_are_kept(database_url: str) -> None:
    clock = Clock()
    retention = Retention(hourly=DAY, daily=2 * DAY)
    guard = Guard(Database.open(database_url), PRODUCT, TRUST, clock=clock, retention=retention)
    install(guard, features=GRANTS)
    lease = guard.lease("editors", "ann", HOUR, amount=2)
    guard.consume("calls", 7, actor="ann")
    first = NOW

    def amounts(feature: str) -> list[int]:
        with guard.database.read() as connection:
            return [day.amount for day in holders.day_history(connection, feature, "ann", first, clock.now + MINUTE)]

    guard.tick()
    guard.release_lease(lease.id)
    clock.go_on(DAY)
    guard.tick()
    assert (amounts("editors"), amounts("calls")) == ([2, 0], [7, 0])
    clock.go_on(2 * DAY)
    guard.tick()
    assert (amounts("editors"), amounts("calls")) == ([], [])
    guard.close()
