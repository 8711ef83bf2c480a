"""The words of notifications, beside the message catalogue's, which are told letter for letter where one fits."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from placet.enforcement import Code, Decision, Status
from placet.enforcement.messages import Notice, notice, period_text
from placet.enforcement.status import FeatureStatus, State
from placet.license.instants import rfc3339
from placet.license.terms import Terms
from placet.platform.notifications.message import Kind, Message, lines, one_line

_LICENSE_PAGE = "/service-center/license"
_OVERVIEW = "/service-center/"


def expiring(status: Status, terms: Terms, left: timedelta, days: int) -> Message:
    """Tell that a license expires, or has expired: ``days`` is the threshold that was reached."""
    assert status.expires_at is not None  # noqa: S101 - a license with terms has an end
    told = _of_time(status, left)
    expires_at = rfc3339(status.expires_at.replace(microsecond=0))
    when = f"in {period_text(left)}" if left > timedelta(0) else f"{period_text(-left)} ago"
    text = lines(
        f"{told.message}.",
        "",
        f"License: {terms.jti}, issued by {terms.iss} to {terms.customer}",
        f"Expiry: {expires_at}, {when}",
        f"Server: {status.serial_number}",
        "",
        f"What to do: {told.remedy}",
        f"Whom to ask: {told.contact}",
    )
    data = {"code": told.code, "license": terms.jti, "expires_at": expires_at, "threshold_days": days}
    data |= {"state": status.state, "serial_number": status.serial_number}
    return _message(Kind.LICENSE_EXPIRING, told.message, text, _LICENSE_PAGE, data)


def _of_time(status: Status, left: timedelta) -> Notice:
    """The catalogue's message about the license's end, also where it is too early for the server to warn."""
    codes = {State.EXPIRED: Code.EXPIRED, State.GRACE: Code.IN_GRACE}
    code = codes.get(status.state, Code.EXPIRING)
    if status.state is State.GRACE and status.grace_ends_at is not None:
        left = status.grace_ends_at - status.evaluated_at
    locale = status.policy.locale
    return notice(code, {"period": period_text(left, locale)}, vendor=status.vendor_name, locale=locale)


def reached(status: Status, feature: FeatureStatus, percent: int) -> Message:
    """Tell that ``percent`` of a feature's limit, a threshold, is in use."""
    used, most = feature.used or 0, feature.limit or 0
    title = f"{feature.title}: {used:,} of {most:,} in use"
    if most:
        title += f" ({used * 100 // most} %)"
    over = next((told for told in status.errors + status.warnings if told.feature == feature.name), None)
    ends_at = feature.period_ends_at
    text = lines(
        f"{title}.",
        f"{over.message}." if over else f"At least {percent} % of what this server's license allows is in use.",
        f"The count starts anew at {rfc3339(ends_at)}." if ends_at else None,
        f"Server: {status.serial_number}",
        "",
        f"What to do: {over.remedy if over else _remedy(feature, status.vendor_name)}",
    )
    data = {"feature": feature.name, "used": used, "limit": most, "threshold_percent": percent}
    data |= {"tolerated_limit": feature.tolerated_limit, "exceeded": feature.exceeded}
    data |= {"serial_number": status.serial_number} | ({"code": over.code} if over else {})
    return _message(Kind.LIMIT_REACHED, title, text, _OVERVIEW, data)


def _remedy(feature: FeatureStatus, vendor: str | None) -> str:
    free = "Delete or deactivate what is no longer needed" if feature.kind == "limit" else "See who uses it"
    return (
        f"{free} in the Service Center, or request a license with more {feature.title} from {vendor or 'the vendor'}."
    )


def upload_refused(decision: Decision, actor: str) -> Message:
    """Tell that somebody's license upload was refused."""
    title = f"A license was refused: {decision.message}"
    text = lines(
        f"{actor} tried to install a license, and it was refused. The license before it stays in force.",
        "",
        f"Message: {decision.message}",
        f"Why: {decision.diagnosis}" if decision.diagnosis else None,
        "",
        f"What to do: {decision.remedy}" if decision.remedy else None,
        f"Whom to ask: {decision.contact}" if decision.contact else None,
    )
    code = str(decision.code)
    data = {"code": code, "diagnosis_code": decision.diagnosis_code, "actor": one_line(actor)}
    return _message(Kind.UPLOAD_REFUSED, title, text, f"/problems/{code}", data)


def test(channel: str, actor: str) -> Message:
    """The message of the test button."""
    text = lines(
        f"{actor} pressed the test button of the channel '{channel}'. Notifications of this server arrive here.",
        "",
        "What to do: nothing.",
    )
    data: dict[str, str] = {"channel": one_line(channel), "actor": one_line(actor)}
    return _message(Kind.TEST, "A test from your Placet server", text, _OVERVIEW, data)


def _message(kind: Kind, title: str, text: str, path: str, data: Mapping[str, object]) -> Message:
    told = msgspec.to_builtins(data)
    return Message(kind=kind, title=one_line(title), text=text, path=path, data=told)
