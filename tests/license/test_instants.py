"""Instants and durations, as people write them and as documents hold them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from placet.license.instants import (
    EARLIEST,
    LATEST,
    from_numeric_date,
    parse_duration,
    parse_when,
    rfc3339,
    to_numeric_date,
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("0s", timedelta(0)),
        (" 30D ", timedelta(days=30)),
        ("2921938d", timedelta(days=2921938)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "30", "d", "-1d", "+1d", "1.5d", "1 d", "1d2h", "30 days", "1y", "1M2", "0x1d", "٣d", "1e3d", "∞d"),
        *("1234567890s", "3000000d", "999999999d", "999999999w", "x" * 100_000),
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not a duration\. Write a number and a unit|longer than the cal"
    ) as refused:
        parse_duration(text)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2027-12-31", utc(2028, 1, 1), id="a_date_is_its_whole_day"),
        pytest.param("2028-02-29", utc(2028, 3, 1), id="leap_day"),
        pytest.param("2027-12-31T18:00:00Z", utc(2027, 12, 31, 18), id="utc"),
        pytest.param("2027-12-31t18:00:00z", utc(2027, 12, 31, 18), id="lower_case"),
        pytest.param("2027-12-31 18:00:00Z", utc(2027, 12, 31, 18), id="space_for_t"),
        pytest.param("2027-12-31T18:00:00+02:00", utc(2027, 12, 31, 16), id="east"),
        pytest.param("2027-12-31T18:00:00-11:30", utc(2028, 1, 1, 5, 30), id="west_into_the_next_year"),
        pytest.param("2027-12-31T18:00:00-00:00", utc(2027, 12, 31, 18), id="unknown_offset"),
        pytest.param("2027-12-31T18:00:00.999999Z", utc(2027, 12, 31, 18), id="fractions_are_dropped"),
        pytest.param("30d", NOW + timedelta(days=30), id="a_duration_from_now"),
        pytest.param(" 12H\n", NOW + timedelta(hours=12), id="with_white_space"),
        pytest.param("0s", NOW, id="now"),
        pytest.param("2000-01-01T00:00:00Z", EARLIEST, id="earliest"),
        pytest.param("9999-12-30", LATEST, id="latest"),
        pytest.param("9999-12-31T00:00:00Z", LATEST, id="latest_instant"),
    ],
)
def test_when(text: str, expected: datetime) -> None:
    assert parse_when(text, NOW) == expected


def test_now_loses_its_fractions_as_well() -> None:
    assert parse_when("1s", NOW.replace(microsecond=999_999)) == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2027-02-29", "'2027-02-29' is not a day of the calendar"),
        ("2027-13-01", "not a day of the calendar"),
        ("2027-00-10", "not a day of the calendar"),
        ("0000-01-01", "not a day of the calendar"),
        ("2027-12-31T18:00:00", r"has no time zone. Write 2027-12-31T18:00:00Z for UTC"),
        ("20271231", "has no time zone"),
        ("1999-12-30", "outside the years 2000 to 9999"),
        ("1970-01-01T00:00:00Z", "outside the years 2000 to 9999"),
        ("0001-01-01T00:00:00+14:00", "outside the years 2000 to 9999"),
        ("9999-12-31T23:59:59-14:00", "outside the years 2000 to 9999"),
        ("9999-12-31T00:00:01Z", "outside the years 2000 to 9999"),
        ("9999-12-31", "past the year 9999"),
        ("9999-12-31T18:00:00Z", "outside the years 2000 to 9999"),
        ("2921000d", "past the year 9999"),
        ("999999999w", "longer than the calendar"),
        ("2027-12-31T24:00:01Z", "is not a time"),
        ("2027-12-31T23:59:60Z", "is not a time"),
        ("31.12.2027", "is not a time"),
        ("tomorrow", "is not a time"),
        ("", "is not a time"),
        ("-30d", "is not a time"),
        ("\ud800", "is not a time"),
        ("٢٠٢٧-12-31", "is not a time"),
        ("2" * 100_000, "is not a time"),
    ],
)
def test_what_is_no_time(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        parse_when(text, NOW)
    assert len(str(refused.value)) < 200


@given(st.text())
def test_any_text_is_a_time_within_the_calendar_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert EARLIEST <= parse_when(text, NOW) <= LATEST


@given(st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)))
def test_a_numeric_date_is_the_whole_second_and_comes_back(naive: datetime) -> None:
    when = naive.replace(tzinfo=UTC)
    assert from_numeric_date(to_numeric_date(when)) == when.replace(microsecond=0)


def test_the_last_microsecond_of_a_far_year_does_not_round_up() -> None:
    assert to_numeric_date(utc(9999, 12, 30, 23, 59, 59, 999_999)) == 253_402_214_399
    assert to_numeric_date(utc(1970, 1, 1)) == 0


@given(st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC)))
def test_what_is_written_is_read_again(when: datetime) -> None:
    assert parse_when(rfc3339(when), NOW) == when.replace(microsecond=0)


def test_instants_are_written_exactly_and_with_their_zone() -> None:
    assert rfc3339(utc(2028, 1, 1)) == "2028-01-01T00:00:00Z"
    assert (
        rfc3339(datetime(2028, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))) == "2027-12-31T20:00:00Z"
    )
