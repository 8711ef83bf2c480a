"""``placet admin doctor``: proves that an installation's facts hold together, and mends them."""
# ruff: noqa: PLC0415 - imports that take time are made inside the command

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placet.cli.errors import FoundWrongError
from placet.cli.installation import OPERATOR, data_options, opened
from placet.cli.output import counted, json_option, print_json, printable
from placet.cli.trust import read_trust

if TYPE_CHECKING:
    from placet.platform.doctor import Examination, Finding


@click.command()
@data_options
@click.option(
    "--trust", type=click.Path(path_type=Path), metavar="FILE", help="The trust store, to verify licenses by."
)
@click.option("--repair", "is_repair", is_flag=True, help="Mend what can be mended; each repair is audited.")
@json_option
def doctor(data: Path, *, database_url: str | None, trust: Path | None, is_repair: bool, as_json: bool) -> None:
    """Prove that what is counted adds up, and that everything that is referred to is there.

    Ends with status 1 where something is wrong and was not mended. Files are mended only while no server runs on DIR.
    """
    from placet.platform.doctor import examine, repair
    from placet.platform.layout import Layout

    store = None if trust is None else read_trust(trust)
    with opened(data, database_url, make=False, examined=True) as database:
        layout = Layout(data.resolve())
        if is_repair:
            found = repair(database, layout, trust=store, actor=OPERATOR)
        else:
            found = examine(database, layout, trust=store)
    told = _document(found)
    if not as_json:
        _print(found)
    elif not found.wrong:
        print_json(told)
    if found.wrong:
        raise FoundWrongError(_summary(found, is_repair=is_repair), document=told)


def _document(found: "Examination") -> list[dict[str, Any]]:
    """What was mended, and how things stand now."""
    mended = [
        _row(item.finding) | {"ok": True, "repaired": {"before": item.change.before, "after": item.change.after}}
        for item in found.mended
    ]
    return mended + [_row(finding) | {"repaired": None} for finding in found.findings]


def _row(finding: "Finding") -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "finding": finding.text,
        "ok": finding.ok,
        "kind": finding.kind,
        "meaning": finding.meaning,
        "remedy": finding.remedy,
    }


def _print(found: "Examination") -> None:
    for item in found.mended:
        click.echo(f"MENDED  {item.finding.subject}: {printable(item.finding.text)}")
        click.echo(f"        Before: {_short(item.change.before)}. After: {_short(item.change.after)}.")
    for finding in found.findings:
        click.echo(f"{'ok     ' if finding.ok else 'WRONG  '} {finding.subject}: {printable(finding.text)}")
        if not finding.ok:
            click.echo(f"        What it means: {finding.meaning}")
            click.echo(f"        What to do: {finding.remedy}")


def _short(value: object) -> str:
    text = printable(str(value))
    return text if len(text) <= 200 else f"{text[:200]}…"


def _summary(found: "Examination", *, is_repair: bool) -> str:
    wrong, count = len(found.wrong), len(found.findings)
    told = f"{wrong:,} of {counted(count, 'finding')} {'is' if wrong == 1 else 'are'} wrong."
    files = sum(finding.file_repair is not None for finding in found.wrong)
    if is_repair and files and found.server_runs:
        told += f" {files:,} of them can be mended only while no server runs on this data directory: stop it first."
    return told
