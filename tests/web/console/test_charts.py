"""Usage over time as a picture: its paths, its axes, its words, and the table with the same numbers."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console_server import Document
from placet.store.history import DAY, HOUR, History, Point, Resolution
from placet.web.console.chart_axes import compact, time_marks, unit_marks
from placet.web.console.chart_points import stretches
from placet.web.console.charts import MOST_POINTS, Chart, Range, chart, sparkline
from placet.web.console.pages import _TEMPLATES

FIRST = datetime(2026, 6, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'\u202e"


def days(*told: tuple[int, float, int | None] | None, first: datetime = FIRST) -> History:
    """A history by the day: peak, average, limit; ``None`` is a gap."""
    points = [
        Point(starts_at=first + number * DAY, peak=day[0], average=day[1], limit=day[2])
        for number, day in enumerate(told)
        if day is not None
    ]
    return History(resolution=Resolution.DAY, points=points)


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"[0-9.]+", path)]


# What is drawn


def test_the_paths_are_those_of_the_numbers() -> None:
    found = chart("Units", days((5, 2.5, 10), (10, 5, 10), (10, 7.5, 20)), FIRST, FIRST + 4 * DAY)
    assert [tick.label for tick in found.up] == ["0", "5", "10", "15", "20"]
    assert [tick.place for tick in found.up] == [198, 150.5, 103, 55.5, 8]
    assert found.peak == "M0 150.5H250V103H500H750"
    assert found.ground == "M0 198V150.5H250V103H500V103H750V198Z"
    assert found.average == "M125 174.2L375 150.5L625 126.8"
    assert found.limit == "M0 103H250H500V8H750"
    assert found.note is None
    assert found.summary == "since 2026-06-01, at most 10 and on average 5; lately 10, of 20 allowed"
    told = [(row.at.exact, row.at.words, row.peak, row.average, row.limit) for row in found.rows]
    assert told == [
        ("2026-06-03T00:00:00Z", "2026-06-03", "10", "7.5", "20"),
        ("2026-06-02T00:00:00Z", "2026-06-02", "10", "5", "10"),
        ("2026-06-01T00:00:00Z", "2026-06-01", "5", "2.5", "10"),
    ]
    assert found.each == "day"


def test_a_gap_breaks_the_lines_and_no_limit_is_no_line() -> None:
    found = chart("Units", days((4, 4, None), None, (4, 4, 8), (2, 2, None)), FIRST, FIRST + 4 * DAY)
    assert found.peak == "M0 103H250M500 103H750V150.5H1000"
    assert found.ground.count("M") == found.ground.count("Z") == 2
    assert found.average == "M125 103M625 103L875 150.5"
    assert found.limit == "M500 8H750"
    assert [row.limit for row in found.rows] == ["none", "8", "none"]
    assert found.summary.endswith("lately 2, with no limit")


def test_a_limit_far_above_is_told_and_does_not_press_the_usage_flat() -> None:
    found = chart("Units", days((2, 2, 1_000_000)), FIRST, FIRST + DAY)
    assert (found.limit, found.note) == ("", "The limit of 1,000,000 lies far above this picture.")
    assert found.up[-1].label == "2"
    near = chart("Units", days((2, 2, 16)), FIRST, FIRST + DAY)
    assert (near.limit, near.note) == ("M0 46H1000", None)
    small = sparkline(days((2, 2, 17), (2, 2, 17)), FIRST, FIRST + 2 * DAY)
    assert small is not None
    assert (small.limit, small.peak) == ("", "M0 2H50H100")


def test_what_reaches_over_the_ends_is_cut_there() -> None:
    noon = FIRST + 12 * HOUR
    found = chart("Units", days((4, 4, 4), (2, 2, 4)), noon, noon + DAY)
    assert found.peak == "M0 8H500V103H1000"


def test_nothing_known_is_said() -> None:
    found = chart("Units", days(), FIRST, FIRST + DAY)
    assert (found.rows, found.peak, found.ground, found.average, found.limit) == ((), "", "", "", "")
    assert found.summary == "Nothing is known of usage in this time."
    assert found.note is None
    assert sparkline(days((1, 1, 1)), FIRST, FIRST + DAY) is None


def test_a_sparkline_is_small_and_says_what_it_shows() -> None:
    found = sparkline(days(*((number, float(number), 56) for number in range(1, 29))), FIRST, FIRST + 28 * DAY)
    assert found is not None
    assert found.label == "since 2026-06-01, at most 28 and on average 14.5; lately 28, of 56 allowed"
    assert len(found.peak) + len(found.ground) + len(found.limit) < 1200


def test_a_year_is_as_small_as_a_month() -> None:
    year = chart("Units", days(*((number % 97, 50.5, 100) for number in range(366))), FIRST, FIRST + 366 * DAY)
    assert len(year.rows) <= MOST_POINTS
    assert year.each == "3 days"
    assert max(int(row.peak) for row in year.rows) == 96
    assert sum(map(len, (year.peak, year.ground, year.average, year.limit))) < 6000
    week = [Point(starts_at=FIRST + number * HOUR, peak=number, average=number, limit=None) for number in range(168)]
    found = chart("Units", History(resolution=Resolution.HOUR, points=week), FIRST, FIRST + 7 * DAY)
    assert (found.each, len(found.rows), found.rows[0].peak) == ("2 hours", 84, "167")
    assert found.rows[0].at.words == "2026-06-07 22:00"


point = st.tuples(st.integers(0, 2**62), st.floats(0, 2**62), st.none() | st.integers(0, 2**62))


@given(st.lists(st.none() | point, max_size=60), st.integers(1, 60), st.integers(0, 86_399))
def test_every_path_stays_in_its_box(told: list[tuple[int, float, int | None] | None], most: int, seconds: int) -> None:
    first = FIRST + timedelta(seconds=seconds)
    found = chart("Units", days(*told), first, first + 60 * DAY, most=most)
    assert len(found.rows) <= most + 1
    for path in (found.peak, found.ground, found.average, found.limit):
        assert all(0 <= number <= 1000 for number in numbers(path))
    known = [day for day in told if day is not None]
    assert bool(found.rows) == bool(known)
    if known:
        assert max(int(row.peak.replace(",", "")) for row in found.rows) == max(day[0] for day in known)


@given(st.lists(st.none() | point, max_size=60), st.integers(1, 60))
def test_stretches_follow_one_another_and_lose_nothing(
    told: list[tuple[int, float, int | None] | None], most: int
) -> None:
    found = stretches(days(*told), FIRST, FIRST + 60 * DAY, most)
    assert all(earlier.ends_at <= later.starts_at for earlier, later in pairwise(found.found))
    assert [item for run in found.runs() for item in run] == list(found.found)
    for number, day in enumerate(told):
        at = FIRST + number * DAY
        of = [item for item in found.found if item.starts_at <= at < item.ends_at]
        assert day is None or of[0].peak >= day[0]


# The axes


@given(st.integers(1, 2**63))
def test_the_marks_are_round_few_and_reach_the_top(most: int) -> None:
    marks = unit_marks(most)
    assert 2 <= len(marks) <= 6
    assert marks[0] == 0
    assert marks[-2] < most <= marks[-1]
    assert len({later - earlier for earlier, later in pairwise(marks)}) == 1
    assert all(len(compact(mark)) <= 5 for mark in marks)


@pytest.mark.parametrize(
    ("units", "short"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1500, "1.5k"), (2_000_000, "2M"), (5 * 10**18, "5E"), (10**21, "1000E")],
)
def test_compact(units: int, short: str) -> None:
    assert compact(units) == short


def test_the_marks_of_time_are_days_weeks_months_or_years() -> None:
    noon = FIRST + 12 * HOUR
    week = time_marks(noon, noon + 7 * DAY)
    assert [(tick.label, tick.minor) for tick in week][:3] == [("Jun 2", False), ("Jun 3", True), ("Jun 4", False)]
    assert [tick.place for tick in week] == [7.14, 21.43, 35.71, 50, 64.29, 78.57, 92.86]
    assert [tick.anchor for tick in week] == ["middle"] * 6 + ["end"]
    month = [tick.label for tick in time_marks(FIRST, FIRST + 30 * DAY)]
    assert month == ["Jun 1", "Jun 8", "Jun 15", "Jun 22", "Jun 29"]
    year = time_marks(noon, noon + 365 * DAY)
    assert [tick.label for tick in year][:8] == ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "2027", "Feb"]
    assert [tick.label for tick in year if not tick.minor] == ["Jul", "Oct", "2027", "Apr"]
    assert [tick.label for tick in time_marks(FIRST, FIRST + 3660 * DAY)][::4] == ["2027", "2031", "2035"]


def test_the_ranges() -> None:
    assert [(item, item.words, item.lasting.days) for item in Range] == [
        ("7d", "7 days", 7),
        ("30d", "30 days", 30),
        ("1y", "1 year", 365),
    ]


# The page


def drawn(found: Chart) -> Document:
    macro = "{% import 'charts.html' as charts %}{{ charts.figure(chart, 'x') }}"
    return Document(_TEMPLATES.from_string(macro).render(chart=found))


def test_those_who_do_not_see_it_have_words_and_a_table() -> None:
    page = drawn(chart(HOSTILE, days((5, 2.5, 10), (1500, 5, None)), FIRST, FIRST + 2 * DAY))
    picture = page.one("svg", role="img")
    assert picture.attributes["aria-labelledby"] == "x-title x-words"
    assert page.one("title", id="x-title").text == HOSTILE
    words = "Since 2026-06-01, at most 1,500 and on average 3.8; lately 1,500, with no limit"
    assert page.one("desc", id="x-words").text == words
    assert [" ".join(row.text.split()) for row in page.all("tr")[1:]] == [
        "2026-06-02 1,500 5 none",
        "2026-06-01 5 2.5 10",
    ]
    assert "One row for every day, in UTC" in page.one("caption").text
    hidden = [svg for svg in page.all("svg") if svg is not picture]
    assert {svg.attributes["aria-hidden"] for svg in hidden} == {"true"}
    assert not page.all("script")
    assert not [name for element in page.elements for name in element.attributes if name in {"style", "onclick"}]


def test_an_empty_picture_is_a_sentence() -> None:
    page = drawn(chart("Units", days(), FIRST, FIRST + DAY))
    assert not page.all("svg")
    assert "Nothing is known of usage in this time" in page.one("figure").text
