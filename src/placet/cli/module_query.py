"""``placet module query``: test a query, one of a module's own or any other."""

import json
import math
from typing import Any

import click

from placet.cli.client import Client, client_command
from placet.cli.module import module
from placet.cli.output import counted, print_json, print_table, print_warnings

_NAMED = "@"


@module.command()
@click.argument("name")
@click.argument("sql", metavar="SQL|@QUERY")
@click.option(
    "--param",
    "parameters",
    metavar="K[:TYPE]=V",
    multiple=True,
    help="A parameter :K of the query: a number, true, false, null, or text; repeat it. TYPE says what V is: int, "
    "float, text, bool, bytes (base64), decimal, date, time or timestamp.",
)
@click.option("--max-rows", type=click.IntRange(1, 10_000), default=1000, show_default=True)
@click.option("--plan", is_flag=True, help="Show how the database would go about it, and do not run it.")
@client_command
def query(
    client: Client,
    name: str,
    sql: str,
    *,
    parameters: tuple[str, ...],
    max_rows: int,
    plan: bool,
    as_json: bool,
) -> None:
    """Test a query against a module's database. Whatever it changes is rolled back.

    @QUERY is one the module brings along, as queries/QUERY.sql.
    """
    asked = {"name": sql[1:]} if sql.startswith(_NAMED) else {"sql": sql}
    body = asked | {"parameters": _values(parameters), "max_rows": max_rows, "plan": plan}
    result = client.call("POST", _path(name), body=body)
    if as_json:
        print_json(result)
    elif result["plan"] is not None:
        click.echo("\n".join(result["plan"]))
        print_warnings(result["warnings"])
    else:
        _print(result)


@module.command()
@click.argument("name")
@client_command
def queries(client: Client, name: str, *, as_json: bool) -> None:
    """List the queries a module brings along, and their parameters."""
    found = client.entries(_path(name))
    if as_json:
        print_json(found)
        return
    rows = [(f"@{item['name']}", _shown(item.get("parameters", [])), item.get("title", "")) for item in found]
    print_table(["Query", "Parameters", "What it asks"], rows, empty="The module brings no queries along.")
    for item in found:
        if item.get("problem"):
            click.echo(f"{item['file']}: {item['problem']}", err=True)


def _path(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return f"/api/v1/modules/{quote(name, safe='')}/queries"


def _print(result: dict[str, Any]) -> None:
    if result["columns"]:
        print_table([column["name"] for column in result["columns"]], result["rows"], empty="No rows.")
    count = counted(len(result["rows"]), "row") + (", and there are more" if result["truncated"] else "")
    changed = f", {result['changes']} changed and rolled back" if result["changes"] else ""
    click.echo(f"{count}{changed}, {result['elapsed'] * 1000:.1f} ms", err=True)
    print_warnings(result["warnings"])


def _shown(parameters: list[dict[str, Any]]) -> str:
    return " ".join(f":{item['name']}" + (f" {item['type']}" if item["type"] else "") for item in parameters)


def _values(parameters: tuple[str, ...]) -> dict[str, Any]:
    """Read ``K=V`` and ``K:TYPE=V``.

    Without a type V is JSON where it is a number, true, false, null or text in quotes, and text otherwise.
    """
    values: dict[str, Any] = {}
    for parameter in parameters:
        key, equals, text = parameter.partition("=")
        key, of, kind = key.partition(":")
        if not equals or not key or (of and not kind):
            raise click.UsageError(f"{parameter!r} is not of the form K=V or K:TYPE=V.")
        if key in values:
            raise click.UsageError(f"The parameter {key!r} is given twice.")
        values[key] = {"type": kind, "value": text} if kind else _value(text)
    return values


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    is_number_of_json = not isinstance(value, float) or math.isfinite(value)
    return value if is_number_of_json and not isinstance(value, list | dict) else text
