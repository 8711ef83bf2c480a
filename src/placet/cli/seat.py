"""``placet seat``: who uses what at the same time, and what an administrator says of it."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import click

from placet.cli.client import Client, ProblemRefused, client_command, write_output
from placet.cli.output import counted, print_fields, print_json, print_table, print_warnings
from placet.license.instants import parse_duration

ASK_AGAIN_SECONDS = 1.0

F = TypeVar("F", bound=Callable[..., Any])


class _Seconds(click.ParamType[int]):
    """A duration such as ``90s`` or ``3d``, as whole seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            return parse_duration(str(value)) // timedelta(seconds=1)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_feature = click.argument("feature")
_lease = click.argument("lease_id", metavar="ID")
_ttl = click.option("--ttl", type=_Seconds(), metavar="DURATION", default="5m", show_default=True, help="For how long.")


def _holder_options(function: F) -> F:
    for option in (
        click.option("--amount", type=click.IntRange(1, 10**12), default=1, show_default=True, help="How many seats."),
        click.option("--group", help="Draw on what is reserved for this group (administrators)."),
        click.option("--holder", help="Whose seat it is to be, if not yours (administrators)."),
    ):
        function = option(function)
    return function


def _subject_options(function: F) -> F:
    function = click.option("--group", metavar="NAME", help="The group.")(function)
    return click.option("--user", metavar="NAME", help="The user.")(function)


@click.group()
def seat() -> None:
    """Lease seats of features that so many may use at the same time."""


@seat.command(name="list")
@_feature
@client_command
def list_(client: Client, feature: str, *, as_json: bool) -> None:
    """List who has seats of FEATURE, and who waits for one."""
    leases, queue = client.entries(f"{_path(feature)}/leases"), client.entries(f"{_path(feature)}/queue")
    if as_json:
        print_json({"leases": leases, "queue": queue})
        return
    rows = [
        (item["holder"], item["group"], item["amount"], item["expires_at"], item["borrowed"], item["id"])
        for item in leases
    ]
    print_table(["Holder", "Group", "Seats", "Until", "Borrowed", "Id"], rows, empty="Nobody has a seat.")
    if queue:
        click.echo()
        waiting = [(item["place"], item["holder"], item["amount"], item["priority"]) for item in queue]
        print_table(["Place", "Waiting", "Seats", "Priority"], waiting, empty="")


@seat.command()
@_feature
@_ttl
@_holder_options
@click.option(
    "--priority", type=click.IntRange(-1000, 1000), default=0, help="Comes before lower ones; above 0: administrators."
)
@click.option("--wait", type=_Seconds(), metavar="DURATION", help="Wait for a free seat that long.")
@client_command
def acquire(client: Client, feature: str, *, wait: int | None, as_json: bool, **wanted: Any) -> None:
    """Take a seat of FEATURE, or renew the one you have. It is free again when its time is up."""
    ends_at = time.monotonic() + (wait or 0)
    while True:
        found = client.call("POST", f"{_path(feature)}/leases", body=_said(wanted) | {"queue": wait is not None})
        left = ends_at - time.monotonic()
        if not found.get("queued"):
            break
        if left <= 0:
            raise ProblemRefused(str(found["message"]), found)
        time.sleep(min(ASK_AGAIN_SECONDS, left))
    _show(found, as_json=as_json)


@seat.command()
@_feature
@_lease
@_ttl
@client_command
def renew(client: Client, feature: str, lease_id: str, *, ttl: int, as_json: bool) -> None:
    """Let the lease ID last longer."""
    _show(client.call("PUT", f"{_path(feature)}/leases/{quote(lease_id, safe='')}", body={"ttl": ttl}), as_json=as_json)


@seat.command()
@_feature
@_lease
@client_command
def release(client: Client, feature: str, lease_id: str, *, as_json: bool) -> None:
    """Give the seats of the lease ID back, a borrowed one's as well."""
    done = client.call("DELETE", f"{_path(feature)}/leases/{quote(lease_id, safe='')}")
    if as_json:
        print_json(done)
    else:
        click.echo("Given back.")


@seat.command()
@_feature
@click.option("--for", "borrow", type=_Seconds(), metavar="DURATION", required=True, help="For how long, such as 3d.")
@_holder_options
@click.option("--out", metavar="FILE", help="Where the lease document goes; standard output, where none is said.")
@client_command
def borrow(client: Client, feature: str, *, out: str | None, as_json: bool, **wanted: Any) -> None:
    """Take a seat of FEATURE along, to use it without the server. Bring it back early with release."""
    found = client.call("POST", f"{_path(feature)}/leases", body=_said(wanted))
    if as_json:
        print_json(found)
    if out is not None or not as_json:
        write_output(out, str(found["document"]).encode())
    if not as_json:
        told = f"Borrowed {counted(found['amount'], 'seat')} of {feature} until {found['expires_at']}: {found['id']}"
        click.echo(told, err=True)
    print_warnings(found["warnings"])


@seat.command()
@_feature
@_subject_options
@click.option("--amount", type=click.IntRange(1, 10**12), required=True, help="How many seats.")
@client_command
def reserve(client: Client, feature: str, *, user: str | None, group: str | None, amount: int, as_json: bool) -> None:
    """Keep seats of FEATURE for a user or a group alone."""
    done = client.call("PUT", _reservation(feature, user, group), body={"amount": amount})
    if as_json:
        print_json(done)
    else:
        click.echo(f"{counted(amount, 'seat')} of {feature} reserved for the {done['kind']} {done['subject']}.")


@seat.command()
@_feature
@_subject_options
@client_command
def unreserve(client: Client, feature: str, *, user: str | None, group: str | None, as_json: bool) -> None:
    """Keep no seats of FEATURE for a user or a group any more."""
    done = client.call("DELETE", _reservation(feature, user, group))
    if as_json:
        print_json(done)
    else:
        click.echo(f"Nothing of {feature} is reserved for the {done['kind']} {done['subject']} any more.")


@seat.command()
@_feature
@client_command
def reservations(client: Client, feature: str, *, as_json: bool) -> None:
    """List the seats of FEATURE that are reserved."""
    found = client.entries(f"{_path(feature)}/reservations")
    if as_json:
        print_json(found)
        return
    rows = [(item["kind"], item["subject"], item["amount"]) for item in found]
    print_table(["For", "Name", "Seats"], rows, empty="Nothing is reserved.")


@seat.command()
@_feature
@click.option("--low-water-mark", type=click.IntRange(0, 10**12), help="How many seats borrowing has to leave.")
@click.option("--longest-borrow", type=_Seconds(), metavar="DURATION", help="How long one may be borrowed for.")
@click.option("--defaults", is_flag=True, help="Let the defaults hold again.")
@client_command
def rules(client: Client, feature: str, *, defaults: bool, as_json: bool, **options: int | None) -> None:
    """Show the rules of borrowing FEATURE, or change those that are said."""
    path = f"{_path(feature)}/seat-rules"
    names = {"low_water_mark": "low_water_mark", "longest_borrow": "longest_borrow_seconds"}
    said = _said({names[option]: value for option, value in options.items()})
    if said and defaults:
        raise click.UsageError("Say either --defaults, or what is to hold instead of them.")
    found = client.call("DELETE" if defaults else "GET", path)
    if said:
        before = {name: found[name] for name in names.values()}
        found = client.call("PUT", path, body=before | said)
    if as_json:
        print_json(found)
        return
    longest = timedelta(seconds=found["longest_borrow_seconds"])
    print_fields([("Low-water mark", found["low_water_mark"]), ("Longest borrow", longest)])


@seat.command()
@click.option("--feature", help="Of this feature alone.")
@click.option("--most", type=click.IntRange(1, 1000), default=50, show_default=True)
@client_command
def denials(client: Client, *, feature: str | None, most: int, as_json: bool) -> None:
    """List who was refused a seat and why, the newest first."""
    of = f"&feature={quote(feature, safe='')}" if feature else ""
    found = client.entries(f"/api/v1/denials?most={most}{of}")
    if as_json:
        print_json(found)
        return
    rows = [
        (item["at"], item["feature"], item["holder"], item["reason"], item["requested"], item["used"], item["maximum"])
        for item in found
    ]
    print_table(["At", "Feature", "Holder", "Reason", "Asked", "Taken", "Limit"], rows, empty="Nobody was refused.")


def _path(feature: str) -> str:
    return f"/api/v1/features/{quote(feature, safe='')}"


def _reservation(feature: str, user: str | None, group: str | None) -> str:
    if (user is None) == (group is None):
        raise click.UsageError("Say for whom it is: either --user NAME or --group NAME.")
    kind, name = ("group", group) if user is None else ("user", user)
    return f"{_path(feature)}/reservations/{kind}/{quote(str(name), safe='')}"


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _show(lease: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(lease)
        return
    click.echo(
        f"{lease['holder']} has {counted(lease['amount'], 'seat')} of {lease['feature']} until {lease['expires_at']}."
    )
    click.echo(f"Give it back with: placet seat release {lease['feature']} {lease['id']}")
    print_warnings(lease["warnings"])
