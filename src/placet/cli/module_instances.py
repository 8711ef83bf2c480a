"""``placet module run``, ``runs``, ``stop``: a developer's private instances."""

from typing import Any

import click

from placet.cli.archive import archive_of, source_argument
from placet.cli.client import Client, client_command
from placet.cli.output import counted, print_json, print_table, print_warnings

RUNS = "/api/v1/runs"
SESSIONS = "/api/v1/debug-sessions"
_KINDS = {RUNS: "run", SESSIONS: "debug"}
_DATABASES = {
    "published": "a copy of the published module's database; nothing leads back",
    "schema": "one of its own, made from schema.sql",
}

empty_option = click.option(
    "--empty", is_flag=True, help="Make its database from schema.sql, without the published data."
)


@click.command()
@source_argument
@empty_option
@client_command
def run(client: Client, source: str, *, empty: bool, as_json: bool) -> None:
    """Run a module privately, beside what is published."""
    started = client.call("POST", RUNS, content=archive_of(source), flags={"empty": empty})
    if as_json:
        print_json(started)
        return
    tell_started(client, started)
    tell_how_it_ends(started)
    print_warnings(started["warnings"])


@click.command()
@client_command
def runs(client: Client, *, as_json: bool) -> None:
    """List your private runs and debug sessions; an administrator sees everybody's."""
    found = [{"kind": kind, **item} for path, kind in _KINDS.items() for item in client.entries(path)]
    if as_json:
        print_json(found)
        return
    rows = [
        (item["id"], item["kind"], item["module"], item["version"], item["started_by"], item["expires_at"])
        for item in found
    ]
    headings = ["Id", "Kind", "Module", "Version", "By", "Ends"]
    print_table(headings, rows, empty="Nothing runs privately. Start something with: placet module run DIR")


@click.command()
@click.argument("instance_id", metavar="ID")
@client_command
def stop(client: Client, instance_id: str, *, as_json: bool) -> None:
    """Stop a private run or debug session."""
    from urllib.parse import quote  # noqa: PLC0415

    sessions = {item["id"] for item in client.entries(SESSIONS)}
    where = SESSIONS if instance_id in sessions else RUNS
    done = client.call("DELETE", f"{where}/{quote(instance_id, safe='')}")
    if as_json:
        print_json(done)
    else:
        click.echo("Stopped.")


def tell_started(client: Client, started: dict[str, Any]) -> None:
    """Say where an instance is, whose, and what its database began with."""
    click.echo(f"{started['module']} {started['version']} runs at {client.server}{started['link']}")
    click.echo("The link lets in whoever has it: it is yours alone.")
    click.echo(f"Its database is {_DATABASES[started['database']]}.")


def tell_how_it_ends(started: dict[str, Any]) -> None:
    """Say what ends an instance."""
    click.echo(f"Stop it with: placet module stop {started['id']}")
    minutes, seconds = divmod(round(started["idle_seconds"]), 60)
    idle = counted(seconds, "second") if seconds else counted(minutes, "minute")
    idle = f"{counted(minutes, 'minute')} and {idle}" if minutes and seconds else idle
    click.echo(f"Otherwise it is stopped at {started['expires_at']}, or after {idle} without a request.")
