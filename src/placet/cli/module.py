"""``placet module``: publish, run and debug modules, and test their queries."""

from pathlib import Path
from typing import Any

import click

from placet.cli.client import Client, client_command, read_input
from placet.cli.errors import FailedError
from placet.cli.module_output import print_changes, print_elements, print_front_ends, progress_of
from placet.cli.output import counted, print_fields, print_json, print_table, print_warnings

_ARCHIVE_CAP = 64 * 1024 * 1024
_progress = click.option(
    "--progress/--no-progress", default=None, help="Show each step as it happens; by default in a terminal."
)
_source = click.argument("source", metavar="DIR", type=click.Path(exists=True))


@click.group()
def module() -> None:
    """Publish, run and debug modules, and test their queries."""


def _archive(source: str) -> bytes:
    """Answer the zip of a module's directory, or the zip that was named."""
    if not Path(source).is_dir():
        return read_input(source, _ARCHIVE_CAP)
    from placet.platform.packing import pack  # noqa: PLC0415
    from placet.platform.problems import ModuleProblem  # noqa: PLC0415

    try:
        return pack(Path(source))
    except ModuleProblem as error:
        raise FailedError(error.detail) from None


@module.command()
@_source
@click.option("--dry-run", is_flag=True, help="Count its Software Units and tell the decision, and change nothing.")
@_progress
@client_command
def publish(client: Client, source: str, *, dry_run: bool, progress: bool | None, as_json: bool) -> None:
    """Publish a module. The version before it serves until the new one is ready."""
    tell = progress_of(wanted=progress, as_json=as_json)
    done = client.follow("/api/v1/modules", tell, content=_archive(source), flags={"dry_run": dry_run})
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
    else:
        click.echo(f"{past} {done['name']} {done['version']}: {change}.")
        click.echo(f"Served at {client.server}{done['url']}")
        print_front_ends(done["front_ends"])
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
        (item["name"], item["version"], item["units"], (item["worker"] or {}).get("state"), item["published_at"])
        for item in modules
    ]
    headings = ["Name", "Version", "Units", "Worker", "Published"]
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
    click.echo(f"Deleted {name}." + (f" Its database is kept on the server as deleted/{kept}." if kept else ""))


@module.command()
@_source
@client_command
def run(client: Client, source: str, *, as_json: bool) -> None:
    """Run a module privately, beside what is published."""
    started = client.call("POST", "/api/v1/runs", content=_archive(source))
    if as_json:
        print_json(started)
        return
    click.echo(f"{started['module']} {started['version']} runs at {client.server}{started['url']}")
    _tell_how_it_ends(started)
    print_warnings(started["warnings"])


@module.command()
@_source
@client_command
def debug(client: Client, source: str, *, as_json: bool) -> None:
    """Run a module privately under a debugger."""
    started = client.call("POST", "/api/v1/debug-sessions", content=_archive(source))
    if as_json:
        print_json(started)
        return
    click.echo(f"{started['module']} {started['version']} runs at {client.server}{started['url']}")
    click.echo(f"Attach your editor's debugger to {started['host']}:{started['port']} (Debug Adapter Protocol).")
    _tell_how_it_ends(started)
    print_warnings(started["warnings"])


def _tell_how_it_ends(started: dict[str, Any]) -> None:
    click.echo(f"Stop it with: placet module stop {started['id']}")
    click.echo(f"Otherwise it is stopped at {started['expires_at']}.")


@module.command()
@click.argument("instance_id", metavar="ID")
@client_command
def stop(client: Client, instance_id: str, *, as_json: bool) -> None:
    """Stop a private run or debug session."""
    sessions = {item["id"] for item in client.entries("/api/v1/debug-sessions")}
    kind = "debug-sessions" if instance_id in sessions else "runs"
    done = client.call("DELETE", f"/api/v1/{kind}/{_quoted(instance_id)}")
    if as_json:
        print_json(done)
    else:
        click.echo("Stopped.")


def _quoted(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return quote(name, safe="")
