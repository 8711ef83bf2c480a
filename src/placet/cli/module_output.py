"""What is shown of publishing a module: its steps, what it counts, and how far the other servers are."""

import sys
from collections.abc import Callable
from typing import Any

import click

from placet.cli.output import counted, print_table, printable

_STEPS = {
    "unpack": "unpack and check",
    "requirements": "install requirements",
    "inspect": "import and count",
    "ask": "ask the license",
    "build": "compile",
    "schema": "prepare the database",
    "start": "start and wait until ready",
    "commit": "commit",
    "switch": "switch over",
    "front_ends": "wait for the other servers",
}


def print_step(step: dict[str, Any]) -> None:
    """Print a step to standard error: that it has begun, where it can be written over, then the seconds it took."""
    name = _STEPS.get(str(step["step"]), printable(str(step["step"])))
    if step["state"] == "started":
        if sys.stderr.isatty():
            click.echo(f"  … {name}\r", err=True, nl=False)
        return
    mark = "✓" if step["state"] == "done" else "✗"
    detail = printable(str(step["detail"]))
    click.echo(f"  {mark} {name:27} {step['took']:6.2f} s  {detail}".rstrip(), err=True)


def progress_of(*, wanted: bool | None, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """What shows the steps: in a terminal, or where it is asked for. Elsewhere a refusal is the first line there is."""
    shown = wanted if wanted is not None else sys.stderr.isatty() and not as_json
    return print_step if shown else lambda _: None


def print_elements(elements: list[dict[str, Any]]) -> None:
    """Print each element that counts, and why."""
    rows = [(item["kind"], item["name"], item["weight"], item["why"]) for item in elements]
    print_table(["Element", "Name", "Units", "Why it counts"], rows, empty="Nothing in it counts.")


def print_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Print each element that counts or has counted: ``+`` is new, ``-`` is gone."""
    were, are = ({(item["kind"], item["name"]): item for item in items} for items in (before, after))
    rows = [
        (
            "+" if key not in were else "-" if key not in are else "",
            item["kind"],
            item["name"],
            item["weight"],
            item["why"],
        )
        for key, item in (are | {key: item for key, item in were.items() if key not in are}).items()
    ]
    print_table(["", "Element", "Name", "Units", "Why it counts"], rows, empty="Nothing in it counts.")


def print_schema(schema: dict[str, list[str]], past: str) -> None:
    """Print what changes in a module's database, in the order it happens."""
    for what, names in (
        ("applied, the migration", schema["migrations"]),
        ("made in the database", schema["created"]),
        ("added, the column", schema["columns"]),
    ):
        for name in names:
            click.echo(f"{past} {what}: {printable(name)}")


def print_front_ends(others: list[dict[str, Any]]) -> None:
    """Print how far the other servers of the farm are, where there are any."""
    serving = [item for item in others if item["state"] == "serving"]
    if others:
        click.echo(f"Serving it as well: {len(serving)} of {counted(len(others), 'other server')} of the farm.")
    for item in others:
        if item["state"] != "serving":
            name, why = printable(str(item["name"])), printable(str(item["detail"] or "it is not ready yet"))
            click.echo(f"Warning: {name} ({item['address']}) goes on with the version before: {why}", err=True)
