"""What people write, read into typed values; a mistake is told in a sentence (:class:`Mistaken`)."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from placet.license.instants import parse_duration, parse_when
from placet.license.terms import LARGEST_LIMIT, Grant, Period
from placet.vendor.failures import Mistaken

MOST_FEATURES = 1000
LARGEST_TOLERANCE = 1000
LONGEST_EVALUATION = timedelta(days=10 * 366)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FEATURE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WHOLE = re.compile(r"[0-9]{1,15}")
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_KINDS = {"switch": "a switch", "limit": "a limit", "seats": "seats", "metered": "metered"}


def one_line(what: str, text: str, cap: int) -> str:
    """Answer ``text`` without surrounding white space: a line of 1 to ``cap`` characters, all of them printable."""
    text = text.strip()
    if not text:
        raise Mistaken(f"The {what} is empty.")
    if len(text) > cap:
        raise Mistaken(f"The {what} has {len(text):,} characters, and may have {cap:,}.")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise Mistaken(f"The {what} holds a line break or a character that cannot be printed.")
    return text


def feature_name(text: str) -> str:
    """Answer the name of a feature in its one form: ``Test Query`` and ``test-query`` are ``test_query``."""
    name = re.sub(r"[\s_-]+", "_", text.strip().lower())
    if not _FEATURE.fullmatch(name):
        raise Mistaken(
            f"{text[:80]!r} is not the name of a feature. Write a letter, then letters, digits, spaces or hyphens, "
            "63 characters at most, such as test-query."
        )
    return name


def grants(
    features: Sequence[str],
    limits: Sequence[str],
    tolerances: Sequence[str],
    *,
    seats: Sequence[str] = (),
    metered: Sequence[str] = (),
    requested: Mapping[str, Grant] = MappingProxyType({}),
) -> dict[str, Grant]:
    """Read switches (``test-query``), limits (``users=25``), seats (the same) and metered features (``pages=9/day``).

    ``tolerances`` (``users=10%``) are those of whatever has a maximum. What a customer ``requested`` is granted
    where nothing else is said of it.
    """
    switches = [feature_name(text) for text in features]
    _check_once("feature", switches)
    maxima = _assignments("limit", limits, "25")
    at_once = _assignments("seats", seats, "25")
    quotas = _assignments("metered feature", metered, "500/month", such_as="test-queries")
    granted = _each_once(
        {name: Grant(kind="switch") for name in switches},
        {name: Grant(kind="limit", limit=_maximum(name, text)) for name, text in maxima.items()},
        {name: Grant(kind="seats", limit=_maximum(name, text)) for name, text in at_once.items()},
        {name: _quota(name, text) for name, text in quotas.items()},
    )
    granted = {**requested, **granted}
    for name, text in _assignments("tolerance", tolerances, "10%").items():
        percent, grant = _percent(name, text), granted.get(name)
        if grant is None or grant.limit is None:
            raise Mistaken(f"There is a tolerance for {name}, but no limit. Add --limit {name}=N.")
        granted[name] = msgspec.structs.replace(grant, tolerance_percent=percent)
    if len(granted) > MOST_FEATURES:
        raise Mistaken(f"{len(granted):,} features were given, and a license has {MOST_FEATURES:,} at most.")
    return granted


def _each_once(*kinds: dict[str, Grant]) -> dict[str, Grant]:
    granted: dict[str, Grant] = {}
    for name, grant in (pair for some in kinds for pair in some.items()):
        if name in granted:
            first, second = _KINDS[granted[name].kind], _KINDS[grant.kind]
            raise Mistaken(f"The feature {name} is given as {first} and as {second}. It can be one of them.")
        granted[name] = grant
    return granted


def duration(option: str, text: str) -> timedelta:
    """Read a duration, such as ``30d``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Mistaken(f"{option}: {error}") from None


def evaluation_period(text: str) -> timedelta:
    """Read how long an evaluation lasts, at least a second and at most ten years."""
    period = duration("--evaluation", text)
    if not timedelta(0) < period <= LONGEST_EVALUATION:
        raise Mistaken(f"--evaluation: {text[:40]!r} is not between 1s and {LONGEST_EVALUATION.days}d.")
    return period


def end(option: str, text: str, now: datetime) -> datetime:
    """Read the instant something ends: a date means the end of that day, UTC."""
    try:
        return parse_when(text, now)
    except ValueError as error:
        raise Mistaken(f"{option}: {error}") from None


def beginning(option: str, text: str, now: datetime) -> datetime:
    """Read the instant something begins: a date means the beginning of that day, UTC."""
    day = text.strip()
    return end(option, f"{day}T00:00:00Z" if _DATE.fullmatch(day) else text, now)


def _assignments(what: str, texts: Sequence[str], example: str, *, such_as: str = "users") -> dict[str, str]:
    pairs = []
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign:
            raise Mistaken(
                f"The {what} {text[:80]!r} has no number. Write NAME={example}, such as {such_as}={example}."
            )
        pairs.append((feature_name(name), value.strip()))
    _check_once(what, [name for name, _ in pairs])
    return dict(pairs)


def _check_once(what: str, names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise Mistaken(f"The {what} {twice[0]} is given {names.count(twice[0])} times. Give it once.")


def _maximum(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > LARGEST_LIMIT:
        raise Mistaken(
            f"The limit of {name} is {text[:40]!r}. It has to be a whole number from 0 to {LARGEST_LIMIT:,}."
        )
    return int(text)


def _quota(name: str, text: str) -> Grant:
    """Read ``500``, or ``500/month``; where no period is said, it is the product's own."""
    number, sign, period = (part.strip() for part in text.partition("/"))
    if not _WHOLE.fullmatch(number) or int(number) > LARGEST_LIMIT:
        raise Mistaken(
            f"The metered feature {name} is {text[:40]!r}. It has to be a whole number from 0 to {LARGEST_LIMIT:,}, "
            f"and may name a period: {name}=500/month."
        )
    if sign and period not in tuple(Period):
        raise Mistaken(
            f"The period of {name} is {period[:40]!r}. It can be {', '.join(Period)}: write {name}={number}/month."
        )
    return Grant(kind="metered", limit=int(number), period=Period(period) if sign else None)


def _percent(name: str, text: str) -> int:
    number = text.removesuffix("%").rstrip()
    if not _WHOLE.fullmatch(number) or int(number) > LARGEST_TOLERANCE:
        raise Mistaken(
            f"The tolerance of {name} is {text[:40]!r}. It has to be whole percents from 0% to {LARGEST_TOLERANCE}%."
        )
    return int(number)
