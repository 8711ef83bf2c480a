"""Settings: who is told of what, where, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from placet.platform.notifications import channels
from placet.platform.notifications.channels import Address, AppriseUrl, ChannelUnusable, Mail, Webhook, Written
from placet.platform.notifications.rules import Days, Percent, Rules
from placet.store.notifications import Channel, Delivery, DeliveryState
from placet.web.access import Access
from placet.web.console.asking import Asking
from placet.web.console.told import Told
from placet.web.console.view import Change, Confirmation, Group, Shown, View
from placet.web.console.words import Moment, moment

SHOWN_DELIVERIES = 20

_STATES = {
    DeliveryState.DUE: "waiting",
    DeliveryState.SENDING: "being sent",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.GIVEN_UP: "given up",
    DeliveryState.UNKNOWN: "unknown",
}

_Name = Annotated[str, Meta(title="The name", min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
_Host = Annotated[str, Meta(title="The mail server", min_length=1, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+$")]
_Secret = Annotated[str, Meta(title="The password", max_length=1000)]
_Url = Annotated[str, Meta(title="The URL", min_length=1, max_length=2000, pattern=r"^[!-~]+$")]


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as the page has it."""

    id: int
    name: str
    kind: str
    where: str


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as the page has it."""

    raised: Moment
    channel: str
    title: str
    state: str
    attempts: int
    next_try: Moment | None
    reason: str | None


class MailForm(msgspec.Struct, frozen=True):
    """A mail server, who sends and who receives."""

    name: _Name
    host: _Host
    sender: Annotated[str, Meta(title="The sender", max_length=254)]
    recipients: Annotated[str, Meta(title="The recipients", max_length=10_000)]
    security: Annotated[str, Meta(title="The encryption", pattern="^(tls|starttls|none)$")] = "starttls"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    user: Annotated[str, Meta(max_length=254)] | None = None
    password: _Secret | None = None


class WebhookForm(msgspec.Struct, frozen=True):
    """Where to post."""

    name: _Name
    url: _Url


class AppriseForm(msgspec.Struct, frozen=True):
    """A service by its URL."""

    name: _Name
    url: _Url


class One(msgspec.Struct, frozen=True):
    """A channel."""

    id: Annotated[int, Meta(title="The channel", ge=1, le=2**53)]


class RulesForm(msgspec.Struct, frozen=True):
    """Thresholds, as numbers with commas between them."""

    days: Annotated[str, Meta(title="The days", max_length=200)] = ""
    percents: Annotated[str, Meta(title="The percents", max_length=200)] = ""


def _show(asking: Asking) -> Mapping[str, Any]:
    settings = asking.server.notification_settings
    rules = settings.rules()
    return {
        "channels": [_row(channel) for channel in settings.all_channels()],
        "deliveries": [_delivery(item) for item in settings.deliveries(most=SHOWN_DELIVERIES)],
        "days": ", ".join(map(str, rules.expiry_days)),
        "percents": ", ".join(map(str, rules.limit_percents)),
        "made_secret": None,
    }


def _row(channel: Channel) -> ChannelRow:
    settings = channel.settings
    match channel.kind:
        case "mail":
            where = f"{', '.join(settings['recipients'])} by {settings['host']}, port {settings['port']}"
        case "webhook":
            where = f"{settings['origin']}/{channels.MASK}"
        case _:
            where = str(settings["service"])
    return ChannelRow(id=channel.id, name=channel.name, kind=channel.kind, where=where)


def _delivery(item: Delivery) -> DeliveryRow:
    return DeliveryRow(
        raised=moment(item.raised_at),
        channel=item.channel,
        title=str(item.message["title"]),
        state=_STATES[item.state],
        attempts=item.attempts,
        next_try=None if item.next_at is None else moment(item.next_at),
        reason=item.reason,
    )


def _add_mail(asking: Asking, form: MailForm) -> Told:
    recipients = form.recipients.replace(",", " ").replace(";", " ").split()
    for address in [form.sender, *recipients]:
        _check(address, Address, f"{address[:60]!r} is no mail address. Write them like ops@example.com.")
    members = {"kind": "mail"} | msgspec.structs.asdict(form) | {"recipients": recipients}
    several = "A channel has 1 to 50 recipients, with spaces or commas between them."
    return _add(asking, _check(members, Mail, several))


def _add_webhook(asking: Asking, form: WebhookForm) -> Shown:
    written = Webhook(name=form.name, url=form.url)
    added, told_once = asking.server.notification_settings.add(written, actor=asking.caller.name)
    return Shown(context=dict(_show(asking)) | {"made_secret": told_once["secret"], "made_for": added.name})


def _add_apprise(asking: Asking, form: AppriseForm) -> Told:
    return _add(asking, AppriseUrl(name=form.name, url=form.url))


def _add(asking: Asking, written: Written) -> Told:
    added, _ = asking.server.notification_settings.add(written, actor=asking.caller.name)
    return Told(text=f"{added.name} is told from now on. Send it a test.")


def _test(asking: Asking, form: One) -> Told:
    channel = asking.server.notification_settings.find(form.id)
    done = asking.server.notifier.test(channel, actor=asking.caller.name)
    if done.state is DeliveryState.DELIVERED:
        note = f" {done.reason}" if done.reason else ""
        return Told(text=f"The test was delivered to {channel.name}.{note}")
    certainly = "may not have arrived at" if done.state is DeliveryState.UNKNOWN else "has not arrived at"
    return Told(text=f"The test {certainly} {channel.name}. {done.reason}", severity="error")


def _remove(asking: Asking, form: One) -> Told:
    removed = asking.server.notification_settings.remove(form.id, actor=asking.caller.name)
    return Told(text=f"{removed.name} is told of nothing any more.")


def _ask_to_remove(asking: Asking, form: One) -> Confirmation:
    channel = _row(asking.server.notification_settings.find(form.id))
    left = len(asking.server.notification_settings.all_channels()) - 1
    others = "It is the only one: nobody is told of anything then." if left == 0 else f"{left} more are told as before."
    sentences = (
        f"{channel.name} ({channel.where}) is told of nothing any more, and its secrets are forgotten.",
        others,
    )
    return Confirmation(title=f"Remove the channel {channel.name}?", sentences=sentences, button="Remove it")


def _set_rules(asking: Asking, form: RulesForm) -> Told:
    days = _numbers(form.days, list[Days], "Days before expiry are whole numbers from 0 to 3,660, at most 20 of them")
    percents = _numbers(form.percents, list[Percent], "Percents are whole numbers from 10 to 1,000, at most 20 of them")
    rules = Rules(expiry_days=tuple(days), limit_percents=tuple(percents))
    put = asking.server.notification_settings.set_rules(rules, actor=asking.caller.name)
    told_days = ", ".join(map(str, put.expiry_days)) or "none"
    told_percents = ", ".join(map(str, put.limit_percents)) or "none"
    return Told(text=f"Told from now on: days before expiry {told_days}; percents of a limit {told_percents}.")


def _numbers(text: str, kind: Any, what: str) -> list[int]:
    parts = text.replace(",", " ").split()
    wrong = f"{what}, with commas between them; leave it empty for none."
    found: list[int] = _check([int(part) if part.isdecimal() else part for part in parts], kind, wrong)
    if len(found) > 20:
        raise ChannelUnusable(f"{wrong} Nothing was changed.")
    return found


def _check(value: Any, kind: Any, wrong: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise ChannelUnusable(f"{wrong} Nothing was changed.") from None


VIEW = View(
    path="/service-center/settings",
    template="settings.html",
    access=Access.ADMINISTRATOR,
    title="Settings",
    group=Group.SERVER,
    show=_show,
    changes=(
        Change(path="mail", form=MailForm, do=_add_mail),
        Change(path="webhook", form=WebhookForm, do=_add_webhook),
        Change(path="apprise", form=AppriseForm, do=_add_apprise),
        Change(path="test", form=One, do=_test),
        Change(path="remove", form=One, do=_remove, confirm=_ask_to_remove),
        Change(path="rules", form=RulesForm, do=_set_rules),
    ),
)
