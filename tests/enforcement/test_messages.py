"""The message catalogue: the thirteen texts letter for letter, and an entry for every code."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, SECOND
from placet.enforcement import Code, Severity, catalogue
from placet.enforcement.codes import Cause
from placet.enforcement.messages import About, Diagnosed, cause, notice, period_text, period_text_holds_for

GOLDEN = (Path(__file__).parent / "golden" / "messages_en_us.txt").read_text(encoding="utf-8")
PLACEHOLDERS = {"number": "<number>", "feature": "<feature>", "period": "<period of time>"}
SERVER = "Platform Server administrator"
CENTER = "Service Center administrator"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def golden() -> dict[Code, tuple[str, str]]:
    """The golden file: symbol and text by code."""
    entries = {}
    for block in GOLDEN.strip().split("\n\n"):
        head, text = block.split("\n")
        symbol, code = head.split(" ")
        entries[Code(code)] = (symbol, text)
    return entries


def test_the_thirteen_texts_are_those_of_the_golden_file_letter_for_letter() -> None:
    entries = catalogue("en-us").entries
    mine = {
        code: (entry.symbol, entry.text.format(**PLACEHOLDERS))
        for code, entry in entries.items()
        if entry.symbol[0] in "EW"
    }
    assert mine == golden()
    assert len(mine) == 13


def test_nine_of_them_refuse_and_four_warn() -> None:
    for code, (symbol, _) in golden().items():
        assert catalogue().entries[code].severity is (Severity.ERROR if symbol[0] == "E" else Severity.WARNING)


def test_the_contact_is_the_service_center_administrator_except_for_e7() -> None:
    for code, (symbol, _) in golden().items():
        told = notice(code, dict(PLACEHOLDERS), vendor=None)
        assert told.contact == (SERVER if symbol == "E7" else CENTER), symbol


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_entry_that_says_everything(code: Code) -> None:
    entry = catalogue().entries[code]
    assert entry.title
    assert not entry.title.endswith(".")
    assert entry.meaning.endswith(".")
    assert entry.remedy.endswith(".")
    assert catalogue().contacts[entry.contact] in {SERVER, CENTER}
    allowed = entry.severity is Severity.WARNING
    assert entry.http_status == (200 if allowed else 409 if code is Code.ACKNOWLEDGEMENT_REQUIRED else 403)
    told = notice(code, PLACEHOLDERS | {"instant": "<instant>"}, vendor="Acme Software")
    assert "{" not in told.message + told.remedy


def test_symbols_are_given_once() -> None:
    symbols = [entry.symbol for entry in catalogue().entries.values()]
    assert len(set(symbols)) == len(symbols) == len(Code)


@pytest.mark.parametrize("code", Cause)
def test_every_cause_has_a_sentence(code: Cause) -> None:
    names = ("reason", "found", "expected", "instant", "grace", "used", "feature", "limit", "tolerated", "held")
    told = cause(code, **{name: f"<{name}>" for name in (*names, "requested", "reserved", "ahead", "left", "period")})
    assert told.code == code
    assert "{" not in told.sentence


def test_another_locale_than_there_is_reads_english() -> None:
    for locale in ("en-us", "EN-US", "de-de", "", "../../etc/passwd"):
        assert catalogue(locale).locale == "en-us"


def test_a_notice_carries_what_lies_behind_it() -> None:
    told = notice(
        Code.OVER_LIMIT,
        {},
        vendor="Acme Software",
        diagnosis=Diagnosed("over_limit", "Over limit."),
        about=About("users", 21, 20),
    )
    assert (told.diagnosis_code, told.diagnosis) == ("over_limit", "Over limit.")
    assert (told.feature, told.used, told.limit) == ("users", 21, 20)
    assert "ask Acme Software for" in told.remedy
    plain = notice(Code.OVER_LIMIT, {}, vendor=None)
    assert (plain.diagnosis, plain.diagnosis_code, plain.feature, plain.used, plain.limit) == (None,) * 5
    assert "ask the vendor for" in plain.remedy


def test_what_is_filled_in_is_not_read_as_a_text_to_fill_in() -> None:
    told = notice(Code.WRONG_SERVER, {"number": "{number.__class__}"}, vendor="{0.__class__}")
    assert "'{number.__class__}'" in told.message
    assert "{0.__class__}" in told.remedy


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (1000 * DAY, "1,000 days"),
        (30 * DAY, "30 days"),
        (30 * DAY - SECOND, "30 days"),
        (29 * DAY + SECOND, "30 days"),
        (29 * DAY, "29 days"),
        (2 * DAY + SECOND, "3 days"),
        (2 * DAY, "48 hours"),
        (2 * DAY - SECOND, "48 hours"),
        (47 * HOUR, "47 hours"),
        (DAY, "24 hours"),
        (2 * HOUR + SECOND, "3 hours"),
        (2 * HOUR, "120 minutes"),
        (HOUR, "60 minutes"),
        (2 * MINUTE + SECOND, "3 minutes"),
        (2 * MINUTE, "120 seconds"),
        (2 * MINUTE - SECOND, "119 seconds"),
        (MINUTE, "60 seconds"),
        (2 * SECOND, "2 seconds"),
        (1.5 * SECOND, "2 seconds"),
        (SECOND, "1 second"),
        (timedelta(microseconds=1), "1 second"),
        (timedelta(0), "1 second"),
        (-DAY, "1 second"),
    ],
)
def test_periods_are_told_so_that_within_stays_true(period: timedelta, text: str) -> None:
    assert period_text(period) == text


@given(st.timedeltas(timedelta(microseconds=1), 400 * DAY))
def test_a_period_is_never_told_shorter_than_it_is(period: timedelta) -> None:
    count, unit = period_text(period).split(" ")
    told = int(count.replace(",", "")) * timedelta(**{unit.rstrip("s") + "s": 1})
    assert period <= told < period + timedelta(**{unit.rstrip("s") + "s": 1})


@given(st.timedeltas(timedelta(microseconds=1), 400 * DAY), st.floats(0, 1, exclude_max=True))
def test_a_period_is_told_the_same_until_it_is_not(period: timedelta, part: float) -> None:
    holds = period_text_holds_for(period)
    assert timedelta(0) < holds <= period
    assert period_text(period - part * holds) == period_text(period) or part * holds == holds
    if holds < period:
        assert period_text(period - holds) != period_text(period)
