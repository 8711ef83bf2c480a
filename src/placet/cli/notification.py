"""``placet notification``: what administrators are told of, and where."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from placet.cli.client import Client, ProblemFailed, client_command, read_input
from placet.cli.errors import FailedError
from placet.cli.output import print_fields, print_json, print_table

_CHANNELS = "/api/v1/notifications/channels"
_RULES = "/api/v1/notifications/rules"
_LONGEST_FILE = 10_000

F = TypeVar("F", bound=Callable[..., Any])

_channel = click.argument("channel", metavar="NAME")


@click.group()
def notification() -> None:
    """Be told of expiry, limits and refused uploads by mail, webhook or Apprise."""


@notification.command(name="list")
@client_command
def list_(client: Client, *, as_json: bool) -> None:
    """List where notifications go. What is secret is masked."""
    found = client.entries(_CHANNELS)
    if as_json:
        print_json(found)
        return
    rows = [(item["name"], item["kind"], _where(item), item["id"]) for item in found]
    empty = "Nobody is told of anything yet. Add a channel with: placet notification add"
    print_table(["Name", "Kind", "Where", "Id"], rows, empty=empty)


@notification.group()
def add() -> None:
    """Add a channel: mail, webhook or apprise."""


@add.command()
@click.argument("name")
@click.option("--host", required=True, help="The mail server.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port: 465 for tls, 587 for starttls, 25 for none.")
@click.option(
    "--security", type=click.Choice(["tls", "starttls", "none"]), default="starttls", show_default=True, help="TLS."
)
@click.option("--sender", required=True, metavar="ADDRESS", help="Whom it is from.")
@click.option("--to", "recipients", required=True, multiple=True, metavar="ADDRESS", help="To whom; repeat it.")
@click.option("--login", metavar="FILE", help="A file of two lines, user and password; - for standard input.")
@client_command
def mail(
    client: Client, name: str, *, recipients: tuple[str, ...], login: str | None, as_json: bool, **said: Any
) -> None:
    """Send mail by the SMTP server of your house."""
    body = {"kind": "mail", "name": name, "recipients": list(recipients)} | _given(said)
    if login is not None:
        body |= _login(login)
    _show_added(client.call("POST", _CHANNELS, body=body), as_json=as_json)


@add.command()
@click.argument("name")
@click.option("--url", required=True, metavar="FILE", help="A file with the URL; - for standard input.")
@click.option("--secret", metavar="FILE", help="A file with the signing secret; without it, one is made and printed.")
@client_command
def webhook(client: Client, name: str, *, url: str, secret: str | None, as_json: bool) -> None:
    """Post JSON to a URL, signed as Standard Webhooks has it."""
    body = {"kind": "webhook", "name": name, "url": _line(url)}
    if secret is not None:
        body["secret"] = _line(secret)
    _show_added(client.call("POST", _CHANNELS, body=body), as_json=as_json)


@add.command()
@click.argument("name")
@click.option("--url", required=True, metavar="FILE", help="A file with the service's URL; - for standard input.")
@client_command
def apprise(client: Client, name: str, *, url: str, as_json: bool) -> None:
    """Use one of the services of Apprise, by its URL."""
    body = {"kind": "apprise", "name": name, "url": _line(url)}
    _show_added(client.call("POST", _CHANNELS, body=body), as_json=as_json)


@notification.command()
@_channel
@client_command
def remove(client: Client, channel: str, *, as_json: bool) -> None:
    """Remove the channel NAME. What is on its way there is given up."""
    done = client.call("DELETE", f"{_CHANNELS}/{_id_of(client, channel)}")
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done['name']} is told of nothing any more.")


@notification.command()
@_channel
@client_command
def test(client: Client, channel: str, *, as_json: bool) -> None:
    """Send a test to the channel NAME now."""
    done = client.call("POST", f"{_CHANNELS}/{_id_of(client, channel)}/test")
    if done["state"] != "delivered":
        raise ProblemFailed(f"The test has not arrived for certain ({done['state']}): {done['reason']}", done)
    if as_json:
        print_json(done)
    else:
        click.echo(f"The test was delivered to {done['channel']}.")


@notification.command()
@click.option("--most", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@client_command
def history(client: Client, *, most: int, as_json: bool) -> None:
    """Show what became of each notification, newest first."""
    found = client.entries(f"/api/v1/notifications/deliveries?most={most}")
    if as_json:
        print_json(found)
        return
    rows = [
        (item["raised_at"], item["channel"], item["state"], item["attempts"], item["next_at"], item["title"])
        for item in found
    ]
    print_table(["Raised", "Channel", "State", "Attempts", "Next try", "Title"], rows, empty="Nothing was told yet.")
    for item in found:
        if item["reason"] is not None and item["state"] != "delivered":
            print_fields([(f"{item['channel']}, {item['state']}", item["reason"])])


@notification.command()
@click.option("--days", metavar="DAYS", help="Before expiry, such as 90,30,14,7,1; empty for none.")
@click.option("--percent", metavar="PERCENTS", help="Of a limit, such as 80,90,100; empty for none.")
@client_command
def rules(client: Client, *, days: str | None, percent: str | None, as_json: bool) -> None:
    """Show at which thresholds somebody is told, or set them."""
    found = dict(client.call("GET", _RULES))
    wanted = dict(found)
    if days is not None:
        wanted["expiry_days"] = _numbers("--days", days)
    if percent is not None:
        wanted["limit_percents"] = _numbers("--percent", percent)
    if wanted != found:
        found = client.call("PUT", _RULES, body=wanted)
    if as_json:
        print_json(found)
        return
    shown = [
        ("Days before expiry", _listed(found["expiry_days"])),
        ("Percent of a limit", _listed(found["limit_percents"])),
    ]
    print_fields(shown)


def _where(channel: dict[str, Any]) -> str:
    match channel["kind"]:
        case "mail":
            return f"{', '.join(channel['recipients'])} by {channel['host']}:{channel['port']}"
        case "webhook":
            return f"{channel['origin']}/****"
    return str(channel["service"])


def _show_added(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    click.echo(f"{document['name']} is told from now on. Try it: placet notification test {document['name']!r}")
    secret = document.get("secret")
    if isinstance(secret, str) and secret.startswith("whsec_"):
        click.echo(f"Its signing secret, which is not shown again: {secret}")


def _id_of(client: Client, name: str) -> int:
    found = [item for item in client.entries(_CHANNELS) if item["name"] == name]
    if not found:
        raise FailedError(f"There is no notification channel {name!r}. See them with: placet notification list")
    return int(found[0]["id"])


def _given(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _text(path: str) -> str:
    try:
        data = read_input(path, _LONGEST_FILE)
        if len(data) <= _LONGEST_FILE:
            return data.decode()
    except UnicodeDecodeError:
        raise FailedError(f"{path} is not text in UTF-8.") from None
    raise FailedError(f"{path} has more than {_LONGEST_FILE:,} bytes, and is not what is asked for.")


def _line(path: str) -> str:
    lines = _text(path).split()
    if len(lines) != 1:
        raise FailedError(
            f"{path} holds {len(lines):,} words, and is to hold one: what is asked for, and nothing else."
        )
    return lines[0]


def _login(path: str) -> dict[str, str]:
    lines = _text(path).splitlines()
    if len(lines) != 2 or not all(lines):
        raise FailedError(f"{path} has {len(lines):,} lines, and is to have two: the user, then the password.")
    return {"user": lines[0], "password": lines[1]}


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise click.UsageError(f"{option}: write whole numbers with commas between them, such as 90,30,14.") from None


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "none"
