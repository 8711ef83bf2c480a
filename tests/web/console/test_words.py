"""Instants, distances and limits in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from placet.enforcement import FeatureStatus
from placet.web.console.limits import Standing, limit_view
from placet.web.console.words import Moment, browser_of, distance, ending, moment, period, quantity

NEW_YEAR = datetime(2028, 1, 1, tzinfo=UTC)


def test_midnight_is_the_end_of_the_day_before() -> None:
    assert ending(NEW_YEAR) == Moment("2028-01-01T00:00:00Z", "the end of 2027-12-31 (UTC)")
    assert ending(NEW_YEAR.replace(microsecond=7)).words == "the end of 2027-12-31 (UTC)"
    assert ending(NEW_YEAR.replace(second=1)) == Moment("2028-01-01T00:00:01Z", "2028-01-01 00:00:01 UTC")


def test_a_beginning_at_midnight_is_said_as_it_is() -> None:
    assert moment(NEW_YEAR) == Moment("2028-01-01T00:00:00Z", "2028-01-01 00:00:00 UTC")


def test_words_are_of_utc_whatever_zone_an_instant_comes_in() -> None:
    east = NEW_YEAR.astimezone(timezone(timedelta(hours=9)))
    assert ending(east) == ending(NEW_YEAR)
    assert moment(east) == moment(NEW_YEAR)


def test_distance() -> None:
    assert distance(NEW_YEAR, NEW_YEAR - timedelta(days=30)) == "30 days left"
    assert distance(NEW_YEAR, NEW_YEAR + timedelta(hours=3)) == "3 hours ago"


def test_quantity() -> None:
    assert quantity(1_234_567) == "1,234,567"


def feature(used: int, limit: int | None, tolerated: int | None = None) -> FeatureStatus:
    tolerated = limit if tolerated is None else tolerated
    return FeatureStatus(
        name="units",
        title="Units",
        kind="limit",
        licensed=True,
        limit=limit,
        tolerated_limit=tolerated,
        used=used,
        over_limit=limit is not None and used > limit,
        exceeded=tolerated is not None and used > tolerated,
    )


@pytest.mark.parametrize(
    ("used", "limit", "tolerated", "standing", "sentence", "note"),
    [
        (12, 20, 20, Standing.WITHIN, "12 of 20 Units", "8 left"),
        (20, 20, 20, Standing.FULL, "20 of 20 Units", "none left"),
        (12, 20, 22, Standing.WITHIN, "12 of 20 Units", "8 left, with up to 22 tolerated"),
        (21, 20, 22, Standing.TOLERATED, "21 of 20 Units", "1 over the limit of 20, with up to 22 tolerated"),
        (1500, 1000, 1000, Standing.OVER, "1,500 of 1,000 Units", "500 over the limit of 1,000"),
        (0, 0, 0, Standing.FULL, "0 of 0 Units", "none left"),
        (3, None, None, Standing.UNLIMITED, "3 in use", None),
    ],
)
def test_a_limit_in_words(  # noqa: PLR0917
    used: int, limit: int | None, tolerated: int | None, standing: Standing, sentence: str, note: str | None
) -> None:
    view = limit_view(feature(used, limit, tolerated), granted=True, holders=[], most=5)
    assert (view.standing, view.sentence, view.note) == (standing, sentence, note)


def test_the_parts_of_a_bar_fill_it() -> None:
    bar = limit_view(feature(30, 20, 25), granted=True, holders=[], most=5).bar
    assert bar is not None
    assert (bar.scale, bar.used, bar.over) == (30, 66.667, 33.333)
    assert bar.limit + bar.tolerance <= 100
    empty = limit_view(feature(0, 0), granted=True, holders=[], most=5).bar
    assert empty is not None
    assert (empty.scale, empty.used, empty.over, empty.tolerance) == (1, 0, 0, 0)


def test_without_a_license_there_is_no_limit_to_stand_to() -> None:
    view = limit_view(feature(3, 0), granted=False, holders=[], most=5)
    assert (view.standing, view.sentence, view.note, view.bar) == (Standing.UNGRANTED, "3 in use", None, None)


@pytest.mark.parametrize("kind", ["seats", "metered"])
@pytest.mark.parametrize(
    ("used", "standing"),
    [
        (19, Standing.WITHIN),
        (20, Standing.FULL),
        (21, Standing.TOLERATED),
        (22, Standing.TOLERATED),
        (23, Standing.OVER),
    ],
)
def test_seats_and_meters_stand_by_their_numbers(kind: str, used: int, standing: Standing) -> None:
    """Of neither the rules say that it is over its limit."""
    found = FeatureStatus(
        name="units", title="Units", kind=kind, licensed=True, limit=20, tolerated_limit=22, used=used
    )
    assert limit_view(found, granted=True, holders=[], most=5).standing is standing


def test_what_is_metered_is_consumed() -> None:
    found = FeatureStatus(name="units", title="Units", kind="metered", licensed=True, limit=None, used=3)
    assert limit_view(found, granted=True, holders=[], most=5).sentence == "3 consumed"
    one = FeatureStatus(name="units", title="Units", kind="metered", licensed=True, limit=1, tolerated_limit=1, used=1)
    assert limit_view(one, granted=True, holders=[], most=5).sentence == "1 of 1 consumed"


@pytest.mark.parametrize(
    ("lasting", "told"),
    [
        (timedelta(hours=12), "12 hours"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(days=90), "90 days"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=5, seconds=1), "301 seconds"),
    ],
)
def test_how_long_something_lasts_is_told_exactly(lasting: timedelta, told: str) -> None:
    assert period(lasting) == told


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 200, "x" * 60),
        ("", "not known"),
        (None, "not known"),
    ],
)
def test_a_browser_is_told_by_what_it_says_of_itself(agent: str | None, told: str) -> None:
    assert browser_of(agent) == told
