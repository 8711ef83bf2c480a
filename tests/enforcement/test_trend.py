"""When a limit is reached at the current trend: by the numbers, robustly, or not said at all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from placet.enforcement.trend import HORIZON, WINDOW, Day, Outlook, Trend, period_trend, trend

DAY = timedelta(days=1)
TODAY = datetime(2026, 6, 29, tzinfo=UTC)
NOW = TODAY + timedelta(hours=15)
MOST = 2**62


def days(peaks: Sequence[int | None], *, last: datetime = TODAY) -> list[Day]:
    """The peaks of the days that end with ``last``; ``None`` is a day without a sample."""
    first = last - (len(peaks) - 1) * DAY
    return [Day(first + number * DAY, peak) for number, peak in enumerate(peaks) if peak is not None]


def rising(count: int, by: int = 1, start: int = 0) -> list[int]:
    return [start + by * number for number in range(count)]


# By example


def test_a_steady_rise_tells_the_day() -> None:
    found = trend(days(rising(10)), level=9, limit=20, now=NOW)
    assert found == Trend(
        outlook=Outlook.EXPECTED, per_day=1.0, days=10, since=TODAY - 9 * DAY, reached_at=NOW + 11 * DAY
    )


@pytest.mark.parametrize(
    ("peaks", "why"),
    [
        ([], "no history"),
        (rising(6), "six days"),
        ([3, None, *rising(4, start=4)], "five days of six"),
        ([5], "one day"),
    ],
)
def test_too_little_history_is_said(peaks: list[int], why: str) -> None:
    found = trend(days(peaks), level=9, limit=20, now=NOW)
    assert (found.outlook, found.per_day, found.reached_at) == (Outlook.TOO_LITTLE_HISTORY, None, None), why
    assert found.days == sum(peak is not None for peak in peaks)


def test_seven_days_are_enough_wherever_the_gaps_are() -> None:
    assert trend(days(rising(7)), level=6, limit=8, now=NOW).reached_at == NOW + 2 * DAY
    gaps = [0, None, None, 3, 4, None, 6, 7, 8, None, 10]
    assert trend(days(gaps), level=10, limit=12, now=NOW).reached_at == NOW + 2 * DAY


@pytest.mark.parametrize("peaks", [[5] * 20, rising(20)[::-1], [5] * 19 + [15], [5] * 14 + [12] * 5])
def test_what_does_not_rise_is_no_trend(peaks: list[int]) -> None:
    """Neither a level, nor a fall, nor a single jump."""
    found = trend(days(peaks), level=peaks[-1], limit=20, now=NOW)
    assert (found.outlook, found.reached_at, found.days) == (Outlook.NOT_RISING, None, len(peaks))


def test_what_lies_further_than_a_year_ahead_is_not_told_as_a_date() -> None:
    peaks = days(rising(14))
    assert trend(peaks, level=13, limit=13 + 365, now=NOW).reached_at == NOW + HORIZON
    late = trend(peaks, level=13, limit=13 + 366, now=NOW)
    assert (late.outlook, late.per_day, late.reached_at) == (Outlook.NOT_WITHIN_A_YEAR, 1.0, None)
    assert trend(peaks, level=13, limit=MOST, now=NOW).outlook is Outlook.NOT_WITHIN_A_YEAR


def test_what_is_reached_or_not_limited_needs_no_history() -> None:
    for level in (20, 21, MOST):
        assert trend([], level=level, limit=20, now=NOW).outlook is Outlook.REACHED
    assert trend([], level=5, limit=None, now=NOW).outlook is Outlook.UNLIMITED
    assert trend(days(rising(9)), level=8, limit=None, now=NOW) == Trend(
        outlook=Outlook.UNLIMITED, per_day=1.0, days=9, since=TODAY - 8 * DAY
    )
    assert trend([], level=0, limit=0, now=NOW).outlook is Outlook.REACHED


def test_days_before_the_window_and_after_now_do_not_count() -> None:
    old = days([1000] * 30, last=TODAY - WINDOW)
    assert trend(old, level=5, limit=20, now=NOW).days == 0
    assert trend([*old, *days(rising(8))], level=7, limit=20, now=NOW).per_day == 1.0
    ahead = days([500] * 5, last=TODAY + 5 * DAY)
    assert trend([*days(rising(8)), *ahead], level=7, limit=20, now=NOW).per_day == 1.0


def test_a_clean_up_counts_from_what_is_in_use_now() -> None:
    found = trend(days([*rising(20, by=2), 2]), level=2, limit=40, now=NOW)
    assert found.per_day == 2.0
    assert found.reached_at == NOW + 19 * DAY


# What is metered

FIRST, END = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def test_consumption_so_far_leads_to_the_limit_within_the_period_or_not() -> None:
    tenth = FIRST + 10 * DAY
    found = period_trend(100, 150, FIRST, END, tenth)
    assert found == Trend(outlook=Outlook.EXPECTED, per_day=10.0, days=10, since=FIRST, reached_at=FIRST + 15 * DAY)
    late = period_trend(100, 300, FIRST, END, tenth)
    assert (late.outlook, late.per_day, late.reached_at) == (Outlook.NOT_IN_THIS_PERIOD, 10.0, None)
    assert period_trend(100, MOST, FIRST, END, tenth).outlook is Outlook.NOT_IN_THIS_PERIOD
    assert period_trend(0, 300, FIRST, END, tenth).outlook is Outlook.NOT_RISING
    assert period_trend(300, 300, FIRST, END, tenth).outlook is Outlook.REACHED
    assert period_trend(300, None, FIRST, END, tenth).outlook is Outlook.UNLIMITED


@pytest.mark.parametrize("over", [timedelta(), timedelta(hours=35, minutes=59)])
def test_the_beginning_of_a_period_says_nothing(over: timedelta) -> None:
    found = period_trend(100, 150, FIRST, END, FIRST + over)
    assert (found.outlook, found.per_day) == (Outlook.TOO_LITTLE_HISTORY, None)
    assert period_trend(100, 150, FIRST, END, FIRST + timedelta(hours=36)).outlook is Outlook.EXPECTED


def test_a_period_that_is_none_or_has_not_begun_says_nothing() -> None:
    """A clock that was set back, or a term that ended before it began."""
    assert period_trend(1, 150, FIRST, END, FIRST - DAY).outlook is Outlook.TOO_LITTLE_HISTORY
    assert period_trend(1, 150, FIRST, FIRST, FIRST).outlook is Outlook.TOO_LITTLE_HISTORY


# Whatever the history is

peaks_of = st.lists(st.one_of(st.none(), st.integers(0, 10**6)), max_size=40)
levels = st.integers(0, 10**6)
limits = st.one_of(st.none(), st.integers(0, 10**7))


@given(peaks_of, levels, limits)
def test_a_date_is_told_only_where_it_is_expected(peaks: list[int | None], level: int, limit: int | None) -> None:
    found = trend(days(peaks), level=level, limit=limit, now=NOW)
    assert (found.reached_at is not None) == (found.outlook is Outlook.EXPECTED)
    assert (found.outlook is Outlook.UNLIMITED) == (limit is None)
    assert (found.outlook is Outlook.REACHED) == (limit is not None and level >= limit)
    if found.reached_at is not None:
        assert limit is not None
        assert found.per_day is not None
        assert NOW < found.reached_at <= NOW + HORIZON
        grown = level + found.per_day * ((found.reached_at - NOW) / DAY)
        assert grown == pytest.approx(limit, rel=1e-9, abs=1e-3)


@given(st.integers(7, 28), st.integers(-1000, 1000), st.data())
def test_a_third_of_the_days_may_be_anything(count: int, by: int, data: st.DataObject) -> None:
    """The slope stays among those of days that are on the line, however far off the others are.

    With fewer than 29 in 100 days off it, more than half of the pairs are on it.
    """
    line = [10**6 + by * number for number in range(count)]
    odd = data.draw(st.sets(st.integers(0, count - 1), max_size=int(count * 0.25)))
    off = [data.draw(st.integers(0, 10**12)) if number in odd else peak for number, peak in enumerate(line)]
    on = count - len(odd)
    assume(on * (on - 1) > count * (count - 1) / 2)
    assert trend(days(off), level=0, limit=None, now=NOW).per_day == by


@given(peaks_of, levels, st.integers(1, 10**6), st.integers(0, 10**6))
def test_more_room_is_never_reached_earlier(peaks: list[int | None], level: int, room: int, more: int) -> None:
    less = trend(days(peaks), level=level, limit=level + room, now=NOW)
    wider = trend(days(peaks), level=level, limit=level + room + more, now=NOW)
    if wider.reached_at is not None:
        assert less.reached_at is not None
        assert less.reached_at <= wider.reached_at


@given(peaks_of, st.integers(0, 10**6))
def test_a_higher_level_on_all_days_changes_no_slope(peaks: list[int | None], by: int) -> None:
    higher = [None if peak is None else peak + by for peak in peaks]
    slopes = [trend(days(some), level=0, limit=None, now=NOW).per_day for some in (peaks, higher)]
    assert slopes[0] == slopes[1]
