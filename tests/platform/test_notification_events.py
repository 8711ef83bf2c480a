"""What there is to tell, moment by moment: pure values in, pure values out."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import DAY, NOW, OTHER_SERIAL, PRODUCT, SERIAL, a_status, a_verified_license, limit, numeric
from placet.enforcement import Meter, Metered, Product, State
from placet.license import Grant
from placet.license.diagnosis import Diagnosis, Rejection
from placet.license.terms import Period
from placet.platform.notifications.events import Step, steps
from placet.platform.notifications.message import Kind
from placet.platform.notifications.rules import Rules
from placet.store.notifications import Mark

RULES = Rules()
COUNTED = Product("counted", features=(Metered("queries", "Queries", period=Period.MONTH),), operations=())


class Told:
    """What is told over time, with the marks as the database keeps them."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.marks: dict[str, Mark] = {}
        self.events: list[str] = []

    def at(self, **status: Any) -> list[Step]:
        """What there is to tell now."""
        found = list(steps(a_status(**status), self.rules, self.marks))
        for step in found:
            assert self.marks.get(step.subject) == step.known
            self.marks[step.subject] = step.to
        told = [step for step in found if step.event is not None]
        self.events += [str(step.event) for step in told]
        return told


def expiring(left: timedelta, **claims: Any) -> Any:
    return a_verified_license(**({"exp": numeric(NOW + left)} | claims))


def using(units: int, most: int = 100) -> dict[str, Any]:
    return {"license": a_verified_license(features={"software_units": limit(most)}), "usage": {"software_units": units}}


def test_nothing_is_told_of_a_license_with_much_time_and_space() -> None:
    assert Told().at(usage={"software_units": 79, "users": 3}) == []


def test_each_threshold_before_expiry_is_told_once() -> None:
    told, license_ = Told(), expiring(91 * DAY)
    for day in range(93):
        for half in (0, 12):
            told.at(license=license_, now=NOW + day * DAY + timedelta(hours=half))
    prefix = f"expiry:{license_.digest}"
    assert told.events == [f"{prefix}:{days}" for days in (90, 30, 14, 7, 1)]


@pytest.mark.parametrize(
    ("left", "threshold"),
    [
        (90 * DAY, 90),
        (timedelta(days=30, seconds=1), 90),
        (30 * DAY, 30),
        (10 * DAY, 14),
        (timedelta(minutes=1), 1),
        (timedelta(0), 1),
        (-400 * DAY, 1),
    ],
)
def test_of_the_thresholds_that_were_jumped_over_the_closest_is_told(left: timedelta, threshold: int) -> None:
    license_ = expiring(left, iat=numeric(NOW - 500 * DAY))
    (step,) = Told().at(license=license_)
    assert step.event == f"expiry:{license_.digest}:{threshold}"


def test_just_before_a_threshold_nothing_is_told() -> None:
    assert Told().at(license=expiring(timedelta(days=90, seconds=1))) == []


def test_a_clock_that_goes_back_a_little_tells_nothing_again() -> None:
    told, license_ = Told(), expiring(10 * DAY)
    told.at(license=license_, now=NOW + 4 * DAY)
    told.at(license=license_, now=NOW)
    assert len(told.events) == 1


def test_another_license_is_told_anew() -> None:
    told = Told()
    told.at(license=expiring(5 * DAY))
    told.at(license=expiring(6 * DAY, jti="L-0002"))
    assert len(set(told.events)) == 2


def test_expiry_is_told_in_the_words_of_the_catalogue_with_the_numbers() -> None:
    (step,) = Told().at(license=expiring(89 * DAY, customer="Ex\u202eample\u2028"))
    message = step.message
    assert message is not None
    assert message.title == (
        "This server license will expire within 89 days. Your Service Center administrator should request a new license"
    )
    assert "License: L-0001, issued by Acme Software to Ex ample\n" in message.text
    assert "Expiry: 2026-08-29T12:00:00Z, in 89 days\n" in message.text
    assert f"Server: {SERIAL}\n" in message.text
    assert "What to do: " in message.text
    assert (message.kind, message.path) == (Kind.LICENSE_EXPIRING, "/service-center/license")
    assert message.data["code"] == "expiring"
    assert message.data["threshold_days"] == 90


def test_after_expiry_it_is_told_as_what_it_is() -> None:
    in_grace = expiring(-DAY, grace_until=numeric(NOW + 3 * DAY))
    (step,) = Told().at(license=in_grace)
    assert step.message is not None
    assert step.message.data["code"] == "in_grace"
    assert "within 3 days" in step.message.title
    (step,) = Told().at(license=expiring(-DAY))
    assert step.message is not None
    assert step.message.data["code"] == "expired"
    assert "1 day ago" in step.message.text or "24 hours ago" in step.message.text


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"license": None}, State.NO_LICENSE),
        ({"license": Rejection(diagnosis=Diagnosis.NOT_JSON, explanation="It is not JSON.")}, State.UNREADABLE),
        ({"license": expiring(5 * DAY, serial_number=OTHER_SERIAL)}, State.WRONG_SERVER),
        ({"license": expiring(5 * DAY), "newest_moment": NOW + 2 * DAY}, State.CLOCK_SET_BACK),
        ({"license": expiring(5 * DAY, nbf=numeric(NOW + DAY))}, State.NOT_YET_VALID),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_license_that_is_not_in_force_is_not_about_to_expire(facts: dict[str, Any], state: State) -> None:
    told = Told()
    facts = {"usage": {"software_units": 1000}} | facts
    assert a_status(**facts).state is state
    told.marks["limit:software_units"] = Mark(told=90, crossing=4)
    assert told.at(**facts) == []
    assert told.marks["limit:software_units"].told == 90


def test_a_limit_is_told_at_each_threshold_and_the_highest_where_it_jumps() -> None:
    told = Told()
    for units in (70, 80, 85, 89, 90, 95, 100, 100):
        told.at(**using(units))
    assert told.events == ["limit:software_units:80:1", "limit:software_units:90:2", "limit:software_units:100:3"]
    jumping = Told()
    jumping.at(**using(70))
    jumping.at(**using(100))
    assert jumping.events == ["limit:software_units:100:1"]


def test_a_limit_that_wavers_is_told_once_and_one_that_was_really_left_again() -> None:
    told = Told()
    for units in (80, 79, 80, 76, 80, 75, 81):
        told.at(**using(units))
    assert told.events == ["limit:software_units:80:1"]
    told.at(**using(74))
    assert told.at(**using(79)) == []
    told.at(**using(80))
    assert told.events == ["limit:software_units:80:1", "limit:software_units:80:2"]


def test_falling_from_the_top_to_the_middle_leaves_the_middle_told() -> None:
    told = Told()
    for units in (100, 92, 100, 84, 90):
        told.at(**using(units))
    assert told.events == [f"limit:software_units:{which}" for which in ("100:1", "100:2", "90:3")]


def test_a_larger_license_is_another_situation() -> None:
    told = Told()
    for most in (100, 200, 100):
        told.at(**using(95, most))
    assert told.events == ["limit:software_units:90:1", "limit:software_units:90:2"]


@pytest.mark.parametrize(
    ("used", "most", "is_told"), [(0, 0, False), (1, 1, False), (2, 1, True), (1, 0, True), (2, 2, True)]
)
def test_one_unit_is_told_only_where_more_is_in_use(used: int, most: int, is_told: bool) -> None:
    assert bool(Told().at(**using(used, most))) is is_told


def test_a_limit_tells_numbers_and_what_to_do() -> None:
    (step,) = Told().at(**using(91))
    assert step.message is not None
    assert step.message.title == "Software Units: 91 of 100 in use (91 %)"
    assert "At least 90 % of what this server's license allows is in use." in step.message.text
    assert "request a license with more Software Units" in step.message.text
    assert step.message.data["used"] == 91
    (step,) = Told().at(**using(120))
    assert step.message is not None
    assert step.message.data["code"] == "over_limit"
    assert "This server is consuming more resources than allowed by its license." in step.message.text


def test_a_metered_feature_starts_anew_with_its_period() -> None:
    told = Told()
    license_ = a_verified_license(features={"queries": Grant(kind="metered", limit=10)})

    def at(now: datetime, used: int) -> list[Step]:
        meters = {"queries": Meter(now.replace(day=1, hour=0), used)}
        return told.at(license=license_, now=now, product=COUNTED, meters=meters)

    at(NOW, 10)
    assert at(NOW + DAY, 10) == []
    (step,) = at(NOW + 30 * DAY, 9)
    assert step.message is not None
    assert "The count starts anew at 2026-08-01T00:00:00Z." in step.message.text
    assert told.events == ["limit:queries:100:1", "limit:queries:90:2"]


def test_thresholds_are_rules_and_none_is_none() -> None:
    told = Told(Rules(expiry_days=(0,), limit_percents=(50,)))
    told.at(**using(50), now=NOW)
    told.at(license=expiring(DAY))
    assert told.events == ["limit:software_units:50:1"]
    none = Told(Rules(expiry_days=(), limit_percents=()))
    assert none.at(**using(100)) == []
    assert none.at(license=expiring(DAY)) == []


def test_everything_of_the_product_can_be_told() -> None:
    told = Told()
    told.at(usage={feature.name: 10**12 for feature in PRODUCT.limits})
    assert told.events == [f"limit:{name}:100:1" for name in ("software_units", "users", "front_end_servers")]
