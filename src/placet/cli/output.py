"""Tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

_JSON_ASKED = "placet.json"


def _note_json(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - Click's signature
    context.meta[_JSON_ASKED] = value
    return value


json_option = click.option("--json", "as_json", is_flag=True, callback=_note_json, help="Print JSON.")


def is_json_asked(context: click.Context) -> bool:
    """Tell whether the command of this context, or of one below it, was given ``--json``."""
    return bool(context.meta.get(_JSON_ASKED))


def print_json(document: Any) -> None:
    """Print a document for programs."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(document, indent=2, ensure_ascii=not is_unicode))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows in aligned columns, numbers to the right; ``empty`` is said where there are none."""
    if not rows:
        click.echo(empty)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(headings), *cells]) for column in range(len(headings))]
    right = [all(_is_number(row[column]) for row in rows) for column in range(len(headings))]
    for row in [[heading.upper() for heading in headings], *cells]:
        fitted = [
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(row, widths, right, strict=True)
        ]
        click.echo("  ".join(fitted).rstrip())


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print named values, one a line; those that are ``None`` are left out."""
    shown = [(name, _cell(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def print_notice(notice: dict[str, Any], *, err: bool = False) -> None:
    """Print a message with its severity, why, what to do and whom to ask."""
    severity = str(notice.get("severity", "error")).capitalize()
    click.echo(f"{severity}: {printable(str(notice['message']))}", err=err)
    print_reasons(notice, err=err)


def print_reasons(notice: dict[str, Any], *, err: bool) -> None:
    """Print what stands beside a message."""
    for name, label in (("diagnosis", "Why"), ("remedy", "What to do"), ("contact", "Whom to ask")):
        if notice.get(name):
            click.echo(f"  {label}: {printable(str(notice[name]))}", err=err)


def print_warnings(warnings: Sequence[dict[str, Any]]) -> None:
    """Print the warnings that come with something allowed, on standard error."""
    for warning in warnings:
        print_notice(warning, err=True)


def counted(count: int, one: str) -> str:
    """Tell how many there are of what has a regular plural: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Answer text without control and direction-changing characters, so that it cannot play with a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return printable(str(value))
