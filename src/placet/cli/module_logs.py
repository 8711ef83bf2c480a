"""``placet module logs``: what a module printed, and what happened to it."""

import click

from placet.cli.client import Client, client_command
from placet.cli.output import print_json, printable


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until interrupted.")
@click.option("--lines", type=click.IntRange(0, 10_000), default=200, show_default=True, help="Of the last lines.")
@client_command
def logs(client: Client, name: str, *, follow: bool, lines: int, as_json: bool) -> None:
    """Show the log of a module on the server that is asked: what it printed, starts, stops and crashes, with times."""
    from urllib.parse import quote  # noqa: PLC0415

    path = f"/api/v1/modules/{quote(name, safe='')}/logs?lines={lines}" + ("&follow" if follow else "")
    for line in client.lines(path):
        time, _, text = line.partition(" ")
        if as_json:
            print_json({"time": time, "text": text})
        else:
            click.echo(printable(line.expandtabs()))
