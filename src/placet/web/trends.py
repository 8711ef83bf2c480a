"""The trend of a feature's usage as a sentence, and as members of JSON answers."""

from datetime import datetime
from typing import Any

from placet.enforcement import FeatureStatus
from placet.enforcement.messages import period_text
from placet.enforcement.trend import FEWEST_DAYS, Outlook, Trend
from placet.license.instants import rfc3339


def trend_members(feature: FeatureStatus, found: Trend | None, now: datetime) -> dict[str, Any] | None:
    """A trend with the numbers it rests on; ``None`` for a switch. Too little history has no ``per_day``."""
    if found is None:
        return None
    return {
        "outlook": found.outlook,
        "reached_at": None if found.reached_at is None else rfc3339(found.reached_at.replace(microsecond=0)),
        "per_day": None if found.per_day is None else round(found.per_day, 4),
        "days": found.days,
        "since": None if found.since is None else rfc3339(found.since),
        "sentence": trend_words(feature, found, now),
    }


def trend_words(feature: FeatureStatus, found: Trend, now: datetime) -> str:
    """Say when the limit is reached at the trend, or why that is not said."""
    metered = feature.kind == "metered" and feature.period_ends_at is not None
    if found.outlook is Outlook.TOO_LITTLE_HISTORY:
        if metered:
            return "No trend yet: too little of the period is over."
        return f"No trend yet: usage is known of {_days(found.days)}, and it takes {FEWEST_DAYS}."
    if found.outlook is Outlook.REACHED:
        return f"The limit of {feature.limit:,} is reached."
    if found.per_day is None:
        return "There is no limit to reach."
    behind = "this period so far" if metered else f"the last {_days(found.days)} known"
    if found.per_day <= 0:
        return "Nothing was consumed in this period." if metered else f"Usage has not risen in {behind}."
    pace = f"{_pace(found.per_day)} {'' if metered else 'more '}a day in {behind}"
    limit = "" if feature.limit is None else f"the limit of {feature.limit:,}"
    if found.reached_at is not None:
        left = period_text(found.reached_at - now)
        return f"At this trend {limit} is reached about {found.reached_at:%Y-%m-%d}, in {left}: {pace}."
    if found.outlook is Outlook.UNLIMITED:
        return f"There is no limit to reach; {pace}."
    ahead = "before the period ends" if found.outlook is Outlook.NOT_IN_THIS_PERIOD else "within a year"
    return f"At this trend {limit} is not reached {ahead}: {pace}."


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _pace(per_day: float) -> str:
    """Three digits are as much as a trend knows; what is less than a thousandth is not told as zero."""
    if per_day >= 100:
        return f"about {per_day:,.0f}"
    return f"about {per_day:.3g}" if per_day >= 0.001 else "less than 0.001"
