"""Write the pages of the manual that come from the code: commands, messages, problems. ``--check`` only compares."""

import sys
from pathlib import Path

import click

from placet.cli import cli
from placet.web.console.explanations import Explanation, Subject, explanations

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/generate_docs.py; `make docs` writes it anew. -->\n\n"


def main() -> int:
    """Answer 0 where every page is what the code says, or has been made so."""
    pages = {"command-line.md": commands(), "messages.md": messages(), "problems.md": problems()}
    stale = []
    for name, content in pages.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text() != content:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(content)
    if stale and "--check" in sys.argv:
        print(f"check: {', '.join(stale)} under docs/reference are not what the code says. Run: make docs")
        return 1
    return 0


def commands() -> str:
    """The help of every command."""
    intro = (
        "Exit status: 0 done, 1 refused (the message alone on the first line of standard error), 2 wrong usage, "
        "3 failed. Client commands take `--server URL --token T` (`PLACET_SERVER`, `PLACET_TOKEN`).\n"
    )
    return f"# Command line\n\n{NOTE}{intro}" + "".join(
        f"\n## {path}\n\n```text\n{help_}\n```\n" for path, help_ in _walk(cli, "placet", None)
    )


def _walk(command: click.Command, path: str, parent: click.Context | None) -> list[tuple[str, str]]:
    context = click.Context(command, info_name=path.rsplit(" ", 1)[-1], parent=parent, terminal_width=100)
    found = [(path, command.get_help(context).rstrip())]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                found += _walk(child, f"{path} {name}", context)
    return found


def messages() -> str:
    """Every entry of the message catalogue."""
    intro = (
        "Severity `error` refuses, `warning` allows and tells. `<...>` are filled in. Each has a page on every server, "
        "at `/problems/<code>`.\n"
    )
    return f"# Messages\n\n{NOTE}{intro}" + "".join(
        _explained(entry) for entry in explanations().values() if entry.subject is Subject.LICENSE
    )


def problems() -> str:
    """Every problem that is not about the license."""
    intro = "Problems that are not about the license: the module, the request, the caller.\n"
    return f"# Other problems\n\n{NOTE}{intro}" + "".join(
        _explained(entry) for entry in explanations().values() if entry.subject is not Subject.LICENSE
    )


def _explained(entry: Explanation) -> str:
    symbol = f"{entry.symbol} " if entry.symbol else ""
    text = f"\n    {entry.text}\n" if entry.text else ""
    contact = f"- **Whom to ask:** {entry.contact}\n" if entry.contact else ""
    return (
        f"\n## {symbol}`{entry.code}`\n\n{entry.title}.\n{text}\n{entry.meaning}\n\n- **What to do:** {entry.remedy}\n"
        f"{contact}- **Severity:** {entry.severity}, HTTP {entry.http_status}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
