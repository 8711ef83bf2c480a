"""Durations as people write them in a module's manifest: `30s`, `5m`, `1h`, `2d`."""

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"([1-9][0-9]{0,8})([smhd])")
LONGEST = timedelta(days=366)


def parse_duration(text: str) -> timedelta:
    """Read `5m` as five minutes. Raises `ValueError`, saying the accepted form, outside 1s to 366d."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text[:40]}' is not a duration; write a whole number and s, m, h or d, such as 5m or 1h")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"'{text}' is longer than the {LONGEST.days} days that are allowed")
    return timedelta(seconds=seconds)
