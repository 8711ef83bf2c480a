import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.license.terms import LARGEST_LIMIT, Grant, Period
from placet.vendor.failures import Mistaken
from placet.vendor.words import beginning, duration, end, evaluation_period, feature_name, grants, one_line

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Test Query", "test_query"),
        ("test-query", "test_query"),
        ("  TEST__QUERY ", "test_query"),
        ("Front-end Servers", "front_end_servers"),
        ("run", "run"),
        ("a" * 63, "a" * 63),
    ],
)
def test_feature_names_have_one_form(text: str, name: str) -> None:
    assert feature_name(text) == name


@pytest.mark.parametrize("text", ["", " ", "1st", "-run", "a" * 64, "rün", "run!", "users=", "x\ny\x00", "\u202erun"])
def test_what_is_no_feature_name_is_told(text: str) -> None:
    with pytest.raises(Mistaken, match="is not the name of a feature"):
        feature_name(text)


@given(st.text(max_size=100))
def test_any_text_is_a_valid_feature_name_or_mistaken(text: str) -> None:
    try:
        name = feature_name(text)
    except Mistaken:
        return
    assert feature_name(name) == name
    assert name.isascii()


def test_grants_are_switches_and_limits() -> None:
    assert grants(["Test Query", "run"], ["Software Units=100", "users = 0"], ["software-units=10%", "users=5"]) == {
        "test_query": Grant(kind="switch"),
        "run": Grant(kind="switch"),
        "software_units": Grant(kind="limit", limit=100, tolerance_percent=10),
        "users": Grant(kind="limit", limit=0, tolerance_percent=5),
    }


def test_seats_are_granted_beside_them() -> None:
    assert grants(["run"], ["users=3"], ["desks=50%"], seats=["Desks=4"]) == {
        "run": Grant(kind="switch"),
        "users": Grant(kind="limit", limit=3),
        "desks": Grant(kind="seats", limit=4, tolerance_percent=50),
    }
    for features, limits, seats in ((["desks"], [], ["desks=1"]), ([], ["desks=1"], ["desks=1"])):
        with pytest.raises(Mistaken, match="and as seats"):
            grants(features, limits, [], seats=seats)
    for number in ("-1", "x", ""):
        with pytest.raises(Mistaken):
            grants([], [], [], seats=[f"desks={number}"])


def test_metered_features_may_name_their_period_and_have_a_tolerance() -> None:
    metered = ["Test Queries=500", "pages=1000/day", "reports = 10 / month", "exports=3/term"]
    assert grants([], ["users=5"], ["pages=10%", "users=20%"], metered=metered) == {
        "users": Grant(kind="limit", limit=5, tolerance_percent=20),
        "test_queries": Grant(kind="metered", limit=500),
        "pages": Grant(kind="metered", limit=1000, period=Period.DAY, tolerance_percent=10),
        "reports": Grant(kind="metered", limit=10, period=Period.MONTH),
        "exports": Grant(kind="metered", limit=3, period=Period.TERM),
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("pages=5/week", "The period of pages is 'week'. It can be day, month, term: write pages=5/month"),
        ("pages=5/", "The period of pages is ''"),
        ("pages=/day", "It has to be a whole number from 0 to 1,000,000,000,000, and may name a period"),
        ("pages=many", "The metered feature pages is 'many'"),
        ("pages=-1/day", "The metered feature pages is '-1/day'"),
        ("pages=5/month/day", "The period of pages is 'month/day'"),
        ("pages", "The metered feature 'pages' has no number. Write NAME=500/month, such as test-queries=500/month"),
    ],
)
def test_what_is_no_metered_feature_is_told(given: str, sentence: str) -> None:
    with pytest.raises(Mistaken, match=re.escape(sentence)):
        grants([], [], [], metered=[given])


def test_a_feature_is_of_one_kind() -> None:
    with pytest.raises(Mistaken, match="The feature pages is given as a limit and as metered"):
        grants([], ["pages=1"], [], metered=["pages=2/day"])
    with pytest.raises(Mistaken, match="The metered feature pages is given 2 times"):
        grants([], [], [], metered=["pages=1/day", "Pages=2/day"])
    with pytest.raises(Mistaken, match="The feature pages is given as seats and as metered"):
        grants([], [], [], seats=["pages=1"], metered=["pages=2/day"])
    with pytest.raises(Mistaken, match="There is a tolerance for run, but no limit"):
        grants(["run"], [], ["run=10%"])


def test_the_largest_limit_and_no_larger_one() -> None:
    assert grants([], [f"users={LARGEST_LIMIT}"], [])["users"].limit == LARGEST_LIMIT
    with pytest.raises(Mistaken, match="from 0 to 1,000,000,000,000"):
        grants([], [f"users={LARGEST_LIMIT + 1}"], [])


@pytest.mark.parametrize("number", ["", "-1", "1.5", "1e3", "ten", "+1", "0x10", "1_000", "٣", "9" * 400, "10%"])
def test_a_limit_is_a_whole_number(number: str) -> None:
    with pytest.raises(Mistaken, match="The limit of users is"):
        grants([], [f"users={number}"], [])


@pytest.mark.parametrize("percent", ["", "%", "-1%", "2.5%", "1001%", "10%%", "ten", "9" * 400])
def test_a_tolerance_is_whole_percents(percent: str) -> None:
    with pytest.raises(Mistaken, match="The tolerance of users is"):
        grants([], ["users=1"], [f"users={percent}"])


@pytest.mark.parametrize(
    ("features", "limits", "tolerances", "sentence"),
    [
        (["run", "Run"], [], [], "The feature run is given 2 times"),
        ([], ["users=1", "Users=2"], [], "The limit users is given 2 times"),
        ([], ["users=1"], ["users=1%", "users=2%"], "The tolerance users is given 2 times"),
        (["users"], ["users=1"], [], "as a switch and as a limit"),
        (["users"], [], ["users=10%"], "There is a tolerance for users, but no limit"),
        ([], ["users"], [], "has no number. Write NAME=25"),
        ([], ["users=1"], ["users"], "has no number. Write NAME=10%"),
        ([], ["=5"], [], "is not the name of a feature"),
        ([f"f{number}" for number in range(1001)], [], [], "1,001 features were given"),
    ],
)
def test_grants_that_make_no_sense(
    features: list[str], limits: list[str], tolerances: list[str], sentence: str
) -> None:
    with pytest.raises(Mistaken, match=sentence):
        grants(features, limits, tolerances)


@pytest.mark.parametrize(
    "text", ["", "  \n", "two\nlines", "tab\there", "\x1b[31mred", "x\udcff", "a\u2028b", "x" * 201]
)
def test_a_line_is_printable_and_capped(text: str) -> None:
    with pytest.raises(Mistaken, match="The customer "):
        one_line("customer", text, 200)


def test_a_line_keeps_its_letters() -> None:
    assert one_line("customer", " Müller & 株式会社 🏭 ", 200) == "Müller & 株式会社 🏭"


def test_a_date_is_the_whole_day_at_both_ends() -> None:
    assert beginning("--not-before", "2027-12-31", NOW) == datetime(2027, 12, 31, tzinfo=UTC)
    assert end("--expires", "2027-12-31", NOW) == datetime(2028, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2027-12-31T18:00:00+02:00", datetime(2027, 12, 31, 16, tzinfo=UTC)),
        ("2027-12-31T18:00:00.9Z", datetime(2027, 12, 31, 18, tzinfo=UTC)),
        ("90s", NOW + timedelta(seconds=90)),
        ("12h", NOW + timedelta(hours=12)),
        ("30d", NOW + timedelta(days=30)),
    ],
)
def test_instants_and_durations(text: str, when: datetime) -> None:
    assert end("--expires", text, NOW) == when
    assert beginning("--not-before", text, NOW) == when


@pytest.mark.parametrize(
    "text", ["", "never", "2027-02-30", "2027-12-31T18:00", "31.12.2027", "1999-01-01", "9999-12-31"]
)
def test_what_is_no_time_names_its_option(text: str) -> None:
    with pytest.raises(Mistaken, match=r"^--expires: "):
        end("--expires", text, NOW)


def test_durations_name_their_option() -> None:
    assert duration("--grace", "30d") == timedelta(days=30)
    with pytest.raises(Mistaken, match=r"^--grace: '30' is not a duration"):
        duration("--grace", "30")


@pytest.mark.parametrize("text", ["0s", "3661d", "soon"])
def test_an_evaluation_lasts_a_second_to_ten_years(text: str) -> None:
    assert evaluation_period("3660d") == timedelta(days=3660)
    with pytest.raises(Mistaken, match=r"^--evaluation: "):
        evaluation_period(text)
