"""``placet session``: who is signed in to the Service Center."""

from urllib.parse import quote

import click

from placet.cli.client import Client, client_command
from placet.cli.output import counted, print_json, print_table

_WHOSE = (
    click.option("--name", metavar="NAME", help="Somebody's; an administrator may say whose."),
    click.option("--everybody", is_flag=True, help="Everybody's; for administrators."),
)


@click.group()
def session() -> None:
    """See who is signed in to the Service Center, and end sessions."""


@session.command(name="list")
@_WHOSE[0]
@_WHOSE[1]
@client_command
def list_(client: Client, *, name: str | None, everybody: bool, as_json: bool) -> None:
    """List the sessions of the token's owner, or somebody's, or everybody's."""
    found = client.entries("/api/v1/sessions" + _query(name, everybody=everybody))
    if as_json:
        print_json(found)
        return
    names = ("id", "name", "method", "address", "created_at", "last_used_at", "browser")
    rows = [[item[key] for key in names] for item in found]
    headings = ["Id", "Name", "Signed in by", "Address", "Since", "Last used", "Browser"]
    print_table(headings, rows, empty="Nobody of that name is signed in." if name else "There are no sessions.")


@session.command()
@click.argument("session_id", metavar="ID", type=click.IntRange(1, 2**53))
@client_command
def end(client: Client, session_id: int, *, as_json: bool) -> None:
    """End a session: whoever has it signs in again."""
    done = client.call("DELETE", f"/api/v1/sessions/{session_id}")
    print_json(done) if as_json else click.echo(f"Session {session_id} has ended.")


@session.command(name="end-all")
@_WHOSE[0]
@_WHOSE[1]
@client_command
def end_all(client: Client, *, name: str | None, everybody: bool, as_json: bool) -> None:
    """End all sessions of the token's owner, or somebody's, or everybody's. Tokens stay in force."""
    done = client.call("DELETE", "/api/v1/sessions" + _query(name, everybody=everybody))
    print_json(done) if as_json else click.echo(f"{counted(done['ended'], 'session')} ended.")


def _query(name: str | None, *, everybody: bool) -> str:
    if everybody and name:
        raise click.UsageError("--name and --everybody exclude each other.")
    if everybody:
        return "?everybody"
    return f"?name={quote(name, safe='')}" if name else ""
