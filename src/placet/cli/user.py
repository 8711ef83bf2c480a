"""``placet user``: look after the users of a server."""

from typing import Any
from urllib.parse import quote

import click

from placet.cli.client import Client, client_command
from placet.cli.output import counted, print_json, print_table, print_warnings


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
    rows = [(item["name"], item["role"], item["active"], item["last_seen_at"] or "never") for item in users]
    print_table(
        ["Name", "Role", "Active", "Last seen"], rows, empty="There are no users. Add one with: placet user add NAME"
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


@user.command(name="password-link")
@click.argument("name")
@client_command
def password_link(client: Client, name: str, *, as_json: bool) -> None:
    """Print a link with which a user sets a password, once, within a day. Give it to nobody else.

    Earlier links of that user end. The password there is stays until the link is used.
    """
    made = client.call("POST", f"/api/v1/users/{quote(name, safe='')}/password-link")
    print_json(made) if as_json else click.echo(made["link"])


@user.command()
@click.argument("name")
@client_command
def unlink(client: Client, name: str, *, as_json: bool) -> None:
    """Forget who a user is at the OpenID provider: the next one there of that name is this user."""
    done = client.call("POST", f"/api/v1/users/{quote(name, safe='')}/unlink")
    if as_json:
        print_json(done)
    else:
        click.echo(f"{name} is linked to nobody {'any more' if done['unlinked'] else 'at the provider'}.")


@user.command(name="clean-up")
@click.option("--inactive", "days", type=click.IntRange(1, 3660), required=True, metavar="DAYS", help="Not seen for.")
@click.option("--exclude", "excluded", metavar="NAME", multiple=True, help="Leave this user alone; repeat it.")
@click.option("--administrators", is_flag=True, help="Administrators as well; never yourself.")
@click.option("--yes", is_flag=True, help="Do it. Without this, it is told whose seats would be freed.")
@client_command
def clean_up(
    client: Client, days: int, *, excluded: tuple[str, ...], administrators: bool, yes: bool, as_json: bool
) -> None:
    """Free the seats of users who have not been seen for long. They can be activated again."""
    body = {"inactive_days": days, "exclude": list(excluded), "administrators": administrators}
    done = client.call("POST", "/api/v1/users/clean-up", body=body, flags={"dry_run": not yes})
    if as_json:
        print_json(done)
        return
    rows = [(item["name"], item["role"], item["last_seen_at"] or "never") for item in done["users"]]
    print_table(["Name", "Role", "Last seen"], rows, empty=f"Nobody has been away for {counted(days, 'day')}.")
    seats = counted(done["seats"], "seat")
    if rows:
        click.echo(f"{seats} freed." if yes else f"{seats} would be freed. Nothing was changed; add --yes to do it.")


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    standing = "active" if document["active"] else "deactivated, and holds no seat"
    click.echo(f"{document['name']} ({document['role']}) is {standing}.")
    print_warnings(document.get("warnings", []))
