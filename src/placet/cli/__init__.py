"""The command line. Each group of commands is imported when it is first used, so that ``--help`` answers at once."""

import importlib
import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from placet import __version__
from placet.cli.errors import EndedError, FailedError, unexpected
from placet.cli.output import is_json_asked, print_json

# What ``placet --help`` shows; a test keeps it the same as what the commands say of themselves.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "admin": ("placet.cli.admin:admin", "Look after an installation, on its own machine."),
    "completion": ("placet.cli.completion:completion", "Print the completion script for your shell."),
    "demo": ("placet.cli.demo:demo", "Run a demonstration vendor and server under DIR."),
    "feature": ("placet.cli.feature:feature", "See what the license grants, and what is used of it."),
    "front-end": ("placet.cli.front_end:front_end", "See the servers that share a database."),
    "license": ("placet.cli.license:license_", "See, request and install the license of a server."),
    "meter": ("placet.cli.meter:meter", "Count consumption, and look after blocks of units leased ahead."),
    "module": ("placet.cli.module_query:module", "Publish, run and debug modules, and test their queries."),
    "notification": (
        "placet.cli.notification:notification",
        "Be told of expiry, limits and refused uploads by mail, webhook or Apprise.",
    ),
    "seat": ("placet.cli.seat:seat", "Lease seats of features that so many may use at the same time."),
    "serve": ("placet.cli.serve:serve", "Run a Platform Server."),
    "session": ("placet.cli.session:session", "See who is signed in to the Service Center, and end sessions."),
    "user": ("placet.cli.user:user", "Look after the users of a server."),
    "vendor": ("placet.cli.vendor:vendor", "Issue and revoke licenses, look after the keys, see what was issued."),
}


def _stoppable(run: Callable[[click.Context], Any], context: click.Context) -> Any:
    try:
        return run(context)
    except (KeyboardInterrupt, EOFError, click.Abort):
        raise FailedError("Stopped before it was done.") from None


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands there are."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; one that is interrupted has failed. Where it does not end well, ``--json`` says so too."""
        try:
            return _stoppable(super().invoke, ctx)
        except EndedError as error:
            if is_json_asked(ctx):
                print_json(error.document)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in sorted(_COMMANDS.items())])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 refused, 2 wrong usage, 3 failed.",
)
@click.version_option(__version__, message="placet %(version)s")
def cli() -> None:
    """Placet: licensing for software that customers run on their own servers."""


def main() -> None:
    """Run the command line."""
    stdout = sys.stdout
    for stream in (stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still shows the others
    try:
        cli.main(prog_name="placet")
    except SystemExit:
        if sys.stdout is not stdout:  # Click puts another in its place where the reader of a pipe has gone
            sys.exit(FailedError.exit_code)  # Click's own status for it means refused here
        raise
    except Exception as error:  # noqa: BLE001 - people never see a traceback
        sys.exit(unexpected(error))
