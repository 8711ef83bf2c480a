"""``placet module``: publish, run and debug modules, and test their queries."""

from typing import Any

import click

from placet.cli import module_debug, module_instances
from placet.cli.archive import archive_of, source_argument
from placet.cli.client import Client, client_command
from placet.cli.module_clean_up import clean_up
from placet.cli.module_logs import logs
from placet.cli.module_output import print_changes, print_elements, print_front_ends, print_schema, progress_of
from placet.cli.output import counted, print_fields, print_json, print_table, print_warnings, printable

_progress = click.option(
    "--progress/--no-progress", default=None, help="Show each step as it happens; by default in a terminal."
)


@click.group()
def module() -> None:
    """Publish, run and debug modules, and test their queries."""


for _command in (
    module_instances.run,
    module_debug.debug,
    module_instances.runs,
    module_instances.stop,
    logs,
    clean_up,
):
    module.add_command(_command)


@module.command()
@source_argument
@click.option("--dry-run", is_flag=True, help="Count its Software Units and tell the decision, and change nothing.")
@_progress
@client_command
def publish(client: Client, source: str, *, dry_run: bool, progress: bool | None, as_json: bool) -> None:
    """Publish a module. The version before it serves until the new one is ready."""
    tell = progress_of(wanted=progress, as_json=as_json)
    done = client.follow("/api/v1/modules", tell, content=archive_of(source), flags={"dry_run": dry_run})
    _print_published(client, done, "Published", "published", as_json=as_json)


@module.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--dry-run", is_flag=True, help="Tell the decision, and change nothing.")
@_progress
@client_command
def rollback(
    client: Client, name: str, version: str | None, *, dry_run: bool, progress: bool | None, as_json: bool
) -> None:
    """Let an earlier version of a module serve again: VERSION or its id, else the one before. Its data stays."""
    where, tell = f"/api/v1/modules/{_quoted(name)}/rollback", progress_of(wanted=progress, as_json=as_json)
    done = client.follow(where, tell, body={"version": version}, flags={"dry_run": dry_run})
    _print_published(client, done, "Rolled back to", "served again", as_json=as_json)


@module.command()
@click.argument("name")
@client_command
def versions(client: Client, name: str, *, as_json: bool) -> None:
    """List the versions of a module that are kept, newest first."""
    found = client.entries(f"/api/v1/modules/{_quoted(name)}/versions")
    if as_json:
        print_json(found)
        return
    rows = [
        (item["version"], "serves" if item["active"] else "", *(item[key] for key in _OF_A_VERSION), item["id"])
        for item in found
    ]
    print_table(["Version", "", "Units", "Published", "By", "Id"], rows, empty="No version is kept.")


_OF_A_VERSION = ("units", "published_at", "published_by")


def _print_published(client: Client, done: dict[str, Any], past: str, would_be: str, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    change = f"{counted(done['units'], 'Software Unit')} ({done['units_before']} before)"
    if done["dry_run"]:
        click.echo(f"{done['name']} {done['version']} would be {would_be}: {change}. Nothing was changed.")
        print_changes(done["elements_before"], done["elements"])
        print_schema(done["schema"], "Would be")
    else:
        click.echo(f"{past} {done['name']} {done['version']}: {change}.")
        click.echo(f"Served at {client.server}{done['url']}")
        print_schema(done["schema"], "Was")
        print_front_ends(done["front_ends"])
    for note in done["notes"]:
        click.echo(f"Note: {printable(note)}", err=True)
    print_warnings(done["warnings"])


@module.command(name="list")
@client_command
def list_(client: Client, *, as_json: bool) -> None:
    """List the published modules."""
    modules = client.entries("/api/v1/modules")
    if as_json:
        print_json(modules)
        return
    rows = [
        (item["name"], item["version"], item["units"], (item["worker"] or {}).get("state"), *_when(item))
        for item in modules
    ]
    headings = ["Name", "Version", "Units", "Worker", "Published", "Last request"]
    print_table(headings, rows, empty="No module is published. Publish one with: placet module publish DIR")


@module.command()
@click.argument("name")
@client_command
def show(client: Client, name: str, *, as_json: bool) -> None:
    """Show a module, and each element that counts as Software Units."""
    _print_counted(client.get(f"/api/v1/modules/{_quoted(name)}"), as_json=as_json)


@module.command()
@click.argument("name")
@client_command
def units(client: Client, name: str, *, as_json: bool) -> None:
    """Explain a module's Software Units: each element, its weight and why it counts. The sum is what counts."""
    _print_counted(client.get(f"/api/v1/modules/{_quoted(name)}/units"), as_json=as_json)


def _print_counted(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_fields([("Name", found["name"]), ("Version", found["version"]), ("Units", found["units"])])
    click.echo()
    print_elements(found["elements"])


@module.command()
@click.argument("name")
@client_command
def delete(client: Client, name: str, *, as_json: bool) -> None:
    """Delete a module and give its Software Units back. Its database is put aside."""
    done = client.call("DELETE", f"/api/v1/modules/{_quoted(name)}")
    if as_json:
        print_json(done)
        return
    kept = done["database_kept_as"]
    where = "deleted/" if str(kept).endswith(".sqlite3") else "the schema "
    click.echo(f"Deleted {name}." + (f" Its database is kept on the server as {where}{kept}." if kept else ""))


def _quoted(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return quote(name, safe="")


def _when(item: dict[str, Any]) -> tuple[str, str]:
    """When a module was published, and last asked for something."""
    return item["published_at"], item["last_served_at"] or "never"
