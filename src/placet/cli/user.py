"""``placet user``: look after the users of a server."""

from typing import Any
from urllib.parse import quote

import click

from placet.cli.client import Client, client_command
from placet.cli.output import print_json, print_table, print_warnings


@click.group()
def user() -> None:
    """Look after the users of a server."""


@user.command(name="list")
@client_command
def list_(client: Client, *, as_json: bool) -> None:
    """List the users. A deactivated one holds no seat."""
    users = client.entries("/api/v1/users")
    if as_json:
        print_json(users)
        return
    rows = [(item["name"], item["role"], item["active"], item["changed_at"]) for item in users]
    print_table(
        ["Name", "Role", "Active", "Changed"], rows, empty="There are no users. Add one with: placet user add NAME"
    )


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["administrator", "developer"]), default="developer", show_default=True)
@client_command
def add(client: Client, name: str, *, role: str, as_json: bool) -> None:
    """Add a user, who is active and takes a seat."""
    _show(client.call("POST", "/api/v1/users", body={"name": name, "role": role}), as_json=as_json)


@user.command()
@click.argument("name")
@client_command
def deactivate(client: Client, name: str, *, as_json: bool) -> None:
    """Free a user's seat."""
    _show(client.call("POST", f"/api/v1/users/{quote(name, safe='')}/deactivate"), as_json=as_json)


@user.command()
@click.argument("name")
@client_command
def activate(client: Client, name: str, *, as_json: bool) -> None:
    """Give a user a seat again."""
    _show(client.call("POST", f"/api/v1/users/{quote(name, safe='')}/activate"), as_json=as_json)


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    standing = "active" if document["active"] else "deactivated, and holds no seat"
    click.echo(f"{document['name']} ({document['role']}) is {standing}.")
    print_warnings(document.get("warnings", []))
