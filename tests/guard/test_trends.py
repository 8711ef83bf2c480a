"""The trend of a feature from what is stored of its usage: by the day and by the hour, by its kind."""

from datetime import UTC, datetime, timedelta

from placet.enforcement import FeatureStatus
from placet.enforcement.trend import Outlook
from placet.guard import Guard
from placet.guard.trends import recent, trend_of
from placet.store import history
from placet.store.history import DAY, HOUR, History, Retention

NOW = datetime(2026, 6, 29, 15, tzinfo=UTC)


def feature(kind: str = "limit", used: int | None = 10, limit: int | None = 20, **more: datetime) -> FeatureStatus:
    return FeatureStatus(name="units", title="Units", kind=kind, licensed=True, used=used, limit=limit, **more)


def sampled(guard: Guard, peaks: dict[timedelta, int]) -> History:
    """The usage at moments before now, folded where it is old."""
    with guard.database.write() as connection:
        for ago, used in peaks.items():
            history.sample(connection, [feature(used=used)], NOW - ago)
        history.fold(connection, NOW, Retention(hourly=7 * DAY))
        return recent(connection, "units", NOW)


def test_a_trend_is_of_days_however_they_are_kept(guard: Guard) -> None:
    by_hour = {number * DAY + hours * HOUR: 20 - number for number in range(20) for hours in (0, 3)}
    known = sampled(guard, by_hour | {50 * DAY: 10**6})
    found = trend_of(feature(used=20, limit=30), known, NOW)
    assert found is not None
    assert (found.per_day, found.days, found.reached_at) == (1.0, 20, NOW + 10 * DAY)
    assert found.since == datetime(2026, 6, 10, tzinfo=UTC)


def test_seats_count_from_the_peak_of_today_and_yesterday(guard: Guard) -> None:
    known = sampled(guard, {number * DAY + 6 * HOUR: 20 - number for number in range(10)} | {timedelta(): 0})
    at_night = {kind: trend_of(feature(kind, used=0, limit=30), known, NOW) for kind in ("seats", "limit")}
    assert [found and found.reached_at for found in at_night.values()] == [NOW + 10 * DAY, NOW + 30 * DAY]


def test_what_is_metered_has_the_trend_of_its_period(guard: Guard) -> None:
    known = sampled(guard, {number * DAY: 20 for number in range(10)})
    period = {"period_starts_at": NOW - 2 * DAY, "period_ends_at": NOW + 8 * DAY}
    found = trend_of(feature("metered", used=10, limit=20, **period), known, NOW)
    assert found is not None
    assert (found.outlook, found.per_day, found.reached_at) == (Outlook.EXPECTED, 5.0, NOW + 2 * DAY)
    unlicensed = trend_of(feature("metered", used=10, limit=None), known, NOW)
    assert unlicensed is not None
    assert (unlicensed.outlook, unlicensed.days) == (Outlook.UNLIMITED, 10)


def test_a_switch_has_none(guard: Guard) -> None:
    assert trend_of(feature("switch", used=None), sampled(guard, {}), NOW) is None
