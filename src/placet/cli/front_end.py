"""``placet front-end``: the servers that share a database."""

import click

from placet.cli.client import Client, client_command
from placet.cli.output import print_json, print_table


@click.group(name="front-end")
def front_end() -> None:
    """See the servers that share a database."""


@front_end.command(name="list")
@client_command
def list_(client: Client, *, as_json: bool) -> None:
    """List the servers: which license each goes by, whether it holds a place, and when it was last heard of."""
    found = client.entries("/api/v1/front-ends")
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{item['name']}{' (this one)' if item['answering'] else ''}",
            item["address"],
            item["version"],
            (item["license_digest"] or "none")[:12],
            item["registered"],
            item["beaten_at"],
        )
        for item in found
    ]
    headings = ["Name", "Address", "Version", "License", "Registered", "Last beat"]
    print_table(headings, rows, empty="No server is running on that database.")
