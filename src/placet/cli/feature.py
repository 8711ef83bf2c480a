"""``placet feature``: what the license grants, what is used of it, by whom, and over time."""

from typing import Any
from urllib.parse import quote, urlencode

import click

from placet.cli.client import Client, client_command
from placet.cli.license import print_features
from placet.cli.output import print_json, print_table

NEWEST_POINTS = 30
_MEASURES = {"held": "Held", "most_held": "Most held", "consumed": "Consumed"}


@click.group()
def feature() -> None:
    """See what the license grants, and what is used of it."""


@feature.command(name="list")
@client_command
def list_(client: Client, *, as_json: bool) -> None:
    """List the features: what the license allows, what is used, and from when a meter counts from zero again."""
    found = client.entries("/api/v1/features")
    if as_json:
        print_json(found)
    else:
        print_features(found)


@feature.command()
@click.argument("name")
@click.option(
    "--since", metavar="WHEN", help="From this date or RFC 3339 instant on; a year before, where none is said."
)
@click.option("--until", metavar="WHEN", help="Up to this date (its end) or instant; now, where none is said.")
@click.option("--holder", metavar="HOLDER", help="What this holder held, or consumed, on each day.")
@click.option("--most", type=click.IntRange(1, 5000), default=NEWEST_POINTS, show_default=True, help="Newest points.")
@client_command
def usage(client: Client, name: str, *, holder: str | None, most: int, as_json: bool, **period: str | None) -> None:
    """Show who uses how much of the feature NAME, and its usage over time."""
    given = {"holder": holder, **period}
    query = urlencode({key: value for key, value in given.items() if value is not None})
    of = "" if holder is None else "/holder"
    found = client.get(f"/api/v1/features/{quote(name, safe='')}/usage{of}{'?' if query else ''}{query}")
    if as_json:
        print_json(found)
    elif holder is None:
        _show_usage(found, most)
    else:
        rows = [(point["at"], point["amount"]) for point in found["points"]]
        heading = _MEASURES[found["measure"]]
        print_table(["Day", heading], rows[-most:], empty=f"Nothing is known of what {holder} used then.")
        _tell_of_earlier(len(rows), most)


def _show_usage(found: dict[str, Any], most: int) -> None:
    print_features([found])
    click.echo()
    held = [(item["holder"], item["amount"], item["changed_at"]) for item in found["allocations"]]
    print_table(["Holder", "Units", "Since"], held, empty="Nobody holds units of it.")
    click.echo()
    rows = [(point["at"], point["peak"], point["average"], _limit(point["limit"])) for point in found["points"]]
    headings = [str(found["resolution"]), "Peak", "Average", "Allowed"]
    print_table(headings, rows[-most:], empty="Nothing is known of its usage then.")
    _tell_of_earlier(len(rows), most)
    if found.get("trend"):
        click.echo()
        click.echo(found["trend"]["sentence"])


def _tell_of_earlier(points: int, most: int) -> None:
    if points > most:
        click.echo(f"And {points - most:,} earlier: --most {points} shows them all.")


def _limit(limit: int | None) -> str:
    return "unlimited" if limit is None else str(limit)
