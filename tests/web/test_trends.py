"""Trends in words: each with its numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from placet.enforcement import FeatureStatus
from placet.enforcement.trend import Outlook, Trend
from placet.web.trends import trend_members, trend_words

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SINCE = datetime(2026, 5, 4, tzinfo=UTC)
SOON = NOW + timedelta(days=11)
REACHED = "At this trend the limit of 1,500 is reached about 2026-06-12, in 11 days"
NOT = "At this trend the limit of 1,500 is not"
KNOWN = {"days": 28, "since": SINCE}


def feature(limit: int | None = 1500, *, metered: bool = False) -> FeatureStatus:
    ends_at = datetime(2026, 7, 1, tzinfo=UTC) if metered else None
    kind = "metered" if metered else "limit"
    return FeatureStatus(name="f", title="F", kind=kind, licensed=True, limit=limit, used=5, period_ends_at=ends_at)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Trend(outlook=Outlook.EXPECTED, per_day=1.25, reached_at=SOON, **KNOWN),
            (f"{REACHED}: about 1.25 more a day in the last 28 days known."),
        ),
        (
            Trend(outlook=Outlook.NOT_WITHIN_A_YEAR, per_day=0.0004, **KNOWN),
            (f"{NOT} reached within a year: less than 0.001 more a day in the last 28 days known."),
        ),
        (Trend(outlook=Outlook.NOT_RISING, per_day=0.0, **KNOWN), "Usage has not risen in the last 28 days known."),
        (Trend(outlook=Outlook.NOT_RISING, per_day=-3.0, **KNOWN), "Usage has not risen in the last 28 days known."),
        (Trend(outlook=Outlook.REACHED), "The limit of 1,500 is reached."),
        (
            Trend(outlook=Outlook.TOO_LITTLE_HISTORY, days=1, since=SINCE),
            "No trend yet: usage is known of 1 day, and it takes 7.",
        ),
    ],
)
def test_a_limit(found: Trend, words: str) -> None:
    assert trend_words(feature(), found, NOW) == words


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Trend(outlook=Outlook.EXPECTED, per_day=12_345.6, reached_at=SOON, **KNOWN),
            (f"{REACHED}: about 12,346 a day in this period so far."),
        ),
        (
            Trend(outlook=Outlook.NOT_IN_THIS_PERIOD, per_day=10.0, **KNOWN),
            f"{NOT} reached before the period ends: about 10 a day in this period so far.",
        ),
        (Trend(outlook=Outlook.NOT_RISING, per_day=0.0, **KNOWN), "Nothing was consumed in this period."),
        (Trend(outlook=Outlook.TOO_LITTLE_HISTORY), "No trend yet: too little of the period is over."),
    ],
)
def test_what_is_metered(found: Trend, words: str) -> None:
    assert trend_words(feature(metered=True), found, NOW) == words


def test_what_is_not_limited() -> None:
    told = [Trend(outlook=Outlook.UNLIMITED), Trend(outlook=Outlook.UNLIMITED, per_day=2.0, **KNOWN)]
    assert [trend_words(feature(None), found, NOW) for found in told] == [
        "There is no limit to reach.",
        "There is no limit to reach; about 2 more a day in the last 28 days known.",
    ]


def test_members() -> None:
    found = Trend(outlook=Outlook.EXPECTED, per_day=1 / 3, reached_at=SOON + timedelta(microseconds=5), **KNOWN)
    members = trend_members(feature(), found, NOW)
    assert members is not None
    assert members.pop("sentence").startswith("At this trend the limit of 1,500 is reached about 2026-06-12")
    assert members == {
        "outlook": "expected",
        "reached_at": "2026-06-12T12:00:00Z",
        "per_day": 0.3333,
        "days": 28,
        "since": "2026-05-04T00:00:00Z",
    }
    assert trend_members(feature(), None, NOW) is None
