"""Usage over time: by the hour, folded to days, and what a chart of it reads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select, text

from builders import DAY, SECOND
from placet.enforcement.status import FeatureStatus
from placet.store import history
from placet.store.database import Database
from placet.store.history import HOUR, History, Point, Resolution, Retention, Sample
from placet.store.hot import Hot
from placet.store.installation import ensure_installation, lock_installation
from placet.store.schema import usage_days, usage_samples
from store_support import threads
from store_support.databases import dump

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = 60 * SECOND
TICK = timedelta(microseconds=1)
KEPT = Retention(hourly=2 * DAY, daily=30 * DAY)


def feature(used: int | None, limit: int | None = 100, name: str = "software_units") -> FeatureStatus:
    return FeatureStatus(name=name, title=name, kind="limit", licensed=True, limit=limit, used=used)


def sampled(connection: Connection, *samples: tuple[datetime, int], limit: int | None = 100) -> None:
    for now, used in samples:
        history.sample(connection, [feature(used, limit)], now)


def read(connection: Connection, since: datetime, until: datetime, name: str = "software_units") -> History:
    return history.history(connection, name, since, until)


def point(starts_at: datetime, peak: int, average: float, limit: int | None = 100) -> Point:
    return Point(starts_at=starts_at, peak=peak, average=average, limit=limit)


def count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_an_hour_keeps_its_peak_its_average_and_its_last_limit(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (NOON, 3), (NOON + MINUTE, 9))
        sampled(connection, (NOON + 2 * MINUTE, 4), limit=5)
        sampled(connection, (NOON + HOUR - TICK, 0), limit=None)
        sampled(connection, (NOON - TICK, 7), (NOON + HOUR, 8))
        assert read(connection, NOON - HOUR, NOON + 2 * HOUR) == History(
            resolution=Resolution.HOUR,
            points=[point(NOON - HOUR, 7, 7.0), point(NOON, 9, 4.0, None), point(NOON + HOUR, 8, 8.0)],
        )


def test_what_has_no_usage_is_not_sampled(database: Database) -> None:
    with database.write() as connection:
        features = [feature(None, name="run"), feature(0, 5, "seats"), feature(7, None, "calls")]
        history.sample(connection, features, NOON)
        assert read(connection, NOON, NOON + HOUR, "run").points == []
        assert read(connection, NOON, NOON + HOUR, "seats").points == [point(NOON, 0, 0.0, 5)]
        assert read(connection, NOON, NOON + HOUR, "calls").points == [point(NOON, 7, 7.0, None)]


def test_a_period_begins_with_its_first_hour_and_ends_before_its_last_instant(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, *((NOON + number * HOUR, number) for number in range(-2, 3)))
        hours = read(connection, NOON - MINUTE, NOON + HOUR).points
        assert [item.starts_at for item in hours] == [NOON - HOUR, NOON]
        assert [item.starts_at for item in read(connection, NOON, NOON + TICK).points] == [NOON]
        assert read(connection, NOON + 3 * HOUR, NOON + 4 * HOUR).points == []


def test_the_newest_hours_are_told_in_the_order_of_time(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (NOON + DAY, 3), (NOON, 2), (NOON + MINUTE, 5), (NOON - DAY, 1))
        assert history.samples_of(connection, "software_units") == [
            Sample(sampled_at=NOON - DAY, used=1, maximum=100),
            Sample(sampled_at=NOON, used=5, maximum=100),
            Sample(sampled_at=NOON + DAY, used=3, maximum=100),
        ]
        assert [item.used for item in history.samples_of(connection, "software_units", most=1)] == [3]
        assert history.samples_of(connection, "nothing") == []


# Folding


def test_a_day_is_folded_once_all_of_it_is_past_the_retention(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (MIDNIGHT - TICK, 9), (MIDNIGHT, 2), (MIDNIGHT + DAY - TICK, 6), (MIDNIGHT + DAY, 7))
        history.fold(connection, MIDNIGHT + DAY + KEPT.hourly - TICK, KEPT)
        assert history.samples_of(connection, "software_units")[0].sampled_at == MIDNIGHT
        history.fold(connection, MIDNIGHT + DAY + KEPT.hourly, KEPT)
        assert [item.sampled_at for item in history.samples_of(connection, "software_units")] == [MIDNIGHT + DAY]
        assert read(connection, MIDNIGHT - DAY, MIDNIGHT + 2 * DAY) == History(
            resolution=Resolution.DAY,
            points=[point(MIDNIGHT - DAY, 9, 9.0), point(MIDNIGHT, 6, 4.0), point(MIDNIGHT + DAY, 7, 7.0)],
        )


def test_folding_again_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (MIDNIGHT, 2), (MIDNIGHT + HOUR, 6), (MIDNIGHT + 9 * DAY, 7))
        history.fold(connection, MIDNIGHT + 9 * DAY, KEPT)
    before = dump(database)
    with database.write() as connection:
        for hours in range(3):
            history.fold(connection, MIDNIGHT + 9 * DAY + hours * HOUR, KEPT)
    assert dump(database) == before


def test_folding_that_is_cut_short_has_done_nothing(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (MIDNIGHT, 2), (MIDNIGHT + HOUR, 6))
    before = dump(database)

    def fold_and_fail() -> None:
        with database.write() as connection:
            history.fold(connection, MIDNIGHT + 9 * DAY, KEPT)
            raise KeyError

    with pytest.raises(KeyError):
        fold_and_fail()
    assert dump(database) == before


def test_days_are_forgotten_past_their_retention(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (MIDNIGHT - TICK, 1), (MIDNIGHT, 2))
        history.fold(connection, MIDNIGHT + KEPT.daily - TICK, KEPT)
        assert count(connection, usage_days) == 2
        history.fold(connection, MIDNIGHT + KEPT.daily, KEPT)
        assert [item.starts_at for item in read(connection, MIDNIGHT - 9 * DAY, NOON).points] == [MIDNIGHT]


def test_the_limit_of_a_day_is_its_last(database: Database) -> None:
    with database.write() as connection:
        sampled(connection, (NOON + HOUR, 1), limit=50)
        sampled(connection, (NOON, 1), limit=10)
        history.fold(connection, NOON + 9 * DAY, KEPT)
        assert [item.limit for item in read(connection, NOON, NOON + DAY).points] == [50]


@pytest.mark.parametrize(
    ("hourly", "daily", "sentence"),
    [
        (DAY - SECOND, 30 * DAY, "by the hour for 1 to 36,500 days, not for 0.99998"),
        (timedelta(0), 30 * DAY, "by the hour for 1 to 36,500 days, not for 0"),
        (DAY, 36_501 * DAY, "by the day for 1 to 36,500 days, not for 36,501"),
        (14 * DAY, 13 * DAY, "by the day for 13 days, which is shorter than the 14 days by the hour"),
    ],
)
def test_a_retention_has_bounds(hourly: timedelta, daily: timedelta, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Retention(hourly=hourly, daily=daily)


def test_the_bounds_themselves_are_allowed() -> None:
    assert Retention(hourly=DAY, daily=DAY).daily == DAY
    assert Retention(daily=36_500 * DAY).hourly == 14 * DAY


TICKS = st.lists(st.tuples(st.integers(0, 6 * 24 * 4 - 1), st.integers(0, 20)), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example takes back what it did
@given(TICKS, st.lists(st.integers(0, 8), max_size=6), st.randoms(use_true_random=False))
def test_in_any_order_of_ticks_the_peak_is_the_highest_and_the_average_the_mean(
    database: Database, ticks: list[tuple[int, int]], folds: list[int], random: Any
) -> None:
    steps: list[tuple[str, Any]] = [*(("tick", tick) for tick in ticks), *(("fold", days) for days in folds)]
    random.shuffle(steps)
    with database.engine.connect() as connection:
        transaction = connection.begin()
        for kind, step in steps:
            if kind == "tick":
                sampled(connection, (MIDNIGHT + step[0] * 15 * MINUTE, step[1]))
            else:
                history.fold(connection, MIDNIGHT + step * DAY, KEPT)
        history.fold(connection, MIDNIGHT, KEPT)
        expected: dict[datetime, list[int]] = {}
        for quarter, used in ticks:
            expected.setdefault(MIDNIGHT + quarter // 96 * DAY, []).append(used)
        found = read(connection, MIDNIGHT, MIDNIGHT + 40 * DAY)
        assert found.resolution is Resolution.DAY
        assert [item.starts_at for item in found.points] == sorted(expected)
        for item in found.points:
            assert item.peak == max(expected[item.starts_at])
            assert item.average == pytest.approx(_mean(expected[item.starts_at]), abs=0.0005)
        transaction.rollback()


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def test_servers_that_tick_and_fold_at_once_lose_nothing(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(4)]

    def tick(number: int) -> None:
        for step in range(12):
            with databases[number].write() as connection:
                ensure_installation(connection, MIDNIGHT)
                lock_installation(connection)
                sampled(connection, (MIDNIGHT + step * 6 * HOUR, number + step))
                history.fold(connection, MIDNIGHT + step * DAY, KEPT)

    threads.race(4, tick)
    with databases[0].read() as connection:
        days = read(connection, MIDNIGHT, MIDNIGHT + 40 * DAY).points
        assert [item.peak for item in days] == [6, 10, 14]
        assert [item.average for item in days] == [3.0, 7.0, 11.0]
    for database in databases:
        database.close()


# What a chart reads

A_TENTH_OF_A_MILLION = """
INSERT INTO usage_days (feature, day, peak, total, samples, maximum)
WITH RECURSIVE days(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM days WHERE n < 999),
     features(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM features WHERE n < 99)
SELECT 'f' || :some || features.n, :newest - days.n * 86400000000, 5, 1440, 1440, 9 FROM days CROSS JOIN features
"""


def test_a_chart_of_a_year_reads_little_of_a_million_rows(database: Database) -> None:
    newest = history.microseconds(MIDNIGHT - 14 * DAY)
    with database.write() as connection:
        for some in "0123456789":
            connection.execute(text(A_TENTH_OF_A_MILLION), {"some": some, "newest": newest})
        rows = [
            {"feature": "f77", "sampled_at": MIDNIGHT - number * HOUR, "used": 3, "total": 180, "samples": 60}
            for number in range(-12, 13 * 24)
        ]
        connection.execute(insert(usage_samples), rows)
        connection.execute(text("ANALYZE"))
    with database.read() as connection:
        found = read(connection, NOON - 365 * DAY, NOON, "f77")
        assert found.resolution is Resolution.DAY
        assert len(found.points) == 366
        assert {item.peak for item in found.points} == {3, 5}
        assert reads_by_key(connection, history._READ_DAYS, "f77", newest - 365 * 86_400_000_000, newest)
        assert reads_by_key(connection, history._IS_FOLDED, "f77", newest - 365 * 86_400_000_000, newest)


def reads_by_key(connection: Connection, statement: Hot, *parameters: object) -> bool:
    """Whether the database finds the rows of ``usage_days`` by their key, and looks at no others."""
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    told = str(Hot(f"{word} {statement._text['qmark']}").run(connection, *parameters).fetchall())
    return "Seq Scan" not in told and ("pk_usage_days" in told or "(feature=? AND day>? AND day<?)" in told)


@pytest.mark.parametrize(("period", "resolution"), [(400 * HOUR, Resolution.HOUR), (400 * HOUR + TICK, Resolution.DAY)])
def test_a_long_period_is_told_by_the_day(database: Database, period: timedelta, resolution: Resolution) -> None:
    with database.write() as connection:
        sampled(connection, *((NOON - number * HOUR, 3) for number in range(410)))
        found = read(connection, NOON - period, NOON)
        assert found.resolution is resolution
        assert len(found.points) <= 400
