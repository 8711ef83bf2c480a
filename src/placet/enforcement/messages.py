"""The message catalogue: every edge looks its messages up here; none writes its own."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from placet.enforcement import texts_en_us
from placet.enforcement.codes import Cause, Code, Severity
from placet.enforcement.entry import Entry

DEFAULT_LOCALE = "en-us"
UNKNOWN_VENDOR = "the vendor"

_UNITS = (
    ("days", timedelta(days=1)),
    ("hours", timedelta(hours=1)),
    ("minutes", timedelta(minutes=1)),
    ("seconds", timedelta(seconds=1)),
)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All messages in one locale."""

    locale: str
    entries: Mapping[Code, Entry]
    period_units: Mapping[str, tuple[str, str]]
    contacts: Mapping[str, str]
    causes: Mapping[Cause, str]


class Diagnosed(msgspec.Struct, frozen=True):
    """What lies behind a message: a stable code, and a sentence."""

    code: str
    sentence: str


class About(msgspec.Struct, frozen=True):
    """The feature a message is about, with units in use and the limit where it has one."""

    feature: str
    used: int | None = None
    limit: int | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message, filled in: what an edge renders.

    ``feature``, ``used`` and ``limit`` (units) are there where the message is about a limit, ``diagnosis`` (a
    sentence) and ``diagnosis_code`` where a cause lies behind the text.
    """

    code: Code
    severity: Severity
    message: str
    remedy: str
    contact: str
    diagnosis: str | None = None
    diagnosis_code: str | None = None
    feature: str | None = None
    used: int | None = None
    limit: int | None = None


_CATALOGUES = {
    DEFAULT_LOCALE: Catalogue(
        locale=DEFAULT_LOCALE,
        entries=texts_en_us.ENTRIES,
        period_units=texts_en_us.PERIOD_UNITS,
        contacts=texts_en_us.CONTACTS,
        causes=texts_en_us.CAUSES,
    )
}


def catalogue(locale: str = DEFAULT_LOCALE) -> Catalogue:
    """Answer the catalogue of a locale, ``en-us`` where there is none for it."""
    return _CATALOGUES.get(locale.lower(), _CATALOGUES[DEFAULT_LOCALE])


def notice(
    code: Code,
    parameters: Mapping[str, str],
    *,
    vendor: str | None,
    locale: str = DEFAULT_LOCALE,
    diagnosis: Diagnosed | None = None,
    about: About | None = None,
) -> Notice:
    """Fill a message in."""
    texts = catalogue(locale)
    entry = texts.entries[code]
    return Notice(
        code=code,
        severity=entry.severity,
        message=entry.text.format_map(parameters),
        remedy=entry.remedy.format(vendor=vendor or UNKNOWN_VENDOR),
        contact=texts.contacts[entry.contact],
        diagnosis=diagnosis.sentence if diagnosis else None,
        diagnosis_code=diagnosis.code if diagnosis else None,
        feature=about.feature if about else None,
        used=about.used if about else None,
        limit=about.limit if about else None,
    )


def cause(code: Cause, locale: str = DEFAULT_LOCALE, **parameters: object) -> Diagnosed:
    """Tell why a readable license does not allow something, with the numbers."""
    return Diagnosed(str(code), catalogue(locale).causes[code].format_map(parameters))


def _unit_of(period: timedelta) -> tuple[str, timedelta, int]:
    """The unit a period is told in, and how many of it, rounded up so that "within" stays true."""
    name, unit = next((entry for entry in _UNITS if period > 2 * entry[1]), _UNITS[-1])
    return name, unit, max(1, -(-period // unit))


def period_text(period: timedelta, locale: str = DEFAULT_LOCALE) -> str:
    """Write a period for people, rounded up: ``30 days``, ``47 hours``, ``5 seconds``."""
    name, _, count = _unit_of(period)
    one, many = catalogue(locale).period_units[name]
    return f"{count:,} {one if count == 1 else many}"


def period_text_holds_for(period: timedelta) -> timedelta:
    """How long a period may shrink before :func:`period_text` says something else."""
    _, unit, count = _unit_of(period)
    return period - (count - 1) * unit
