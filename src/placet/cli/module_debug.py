"""``placet module debug``: a private instance under a debugger, and the way to it from the developer's editor."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import click

from placet.cli.archive import archive_of, source_argument
from placet.cli.client import Client, ProblemRefused, client_command
from placet.cli.module_instances import SESSIONS, empty_option, tell_how_it_ends, tell_started
from placet.cli.output import print_json, print_warnings

_LOOK_SECONDS = 1.0


@click.command()
@source_argument
@empty_option
@click.option("--wait", is_flag=True, help="Import the module only when your editor has attached.")
@click.option(
    "--foreground/--detach",
    default=None,
    help="Carry your editor's connection to the server until Ctrl-C, which stops it; by default in a terminal.",
)
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="The local port for your editor; 0 takes a free one."
)
@client_command
def debug(
    client: Client, source: str, *, empty: bool, wait: bool, foreground: bool | None, port: int, as_json: bool
) -> None:
    """Run a module privately under a debugger. With --json it is detached."""
    started = client.call("POST", SESSIONS, content=archive_of(source), flags={"empty": empty, "wait": wait})
    stays = not as_json and (sys.stdout.isatty() if foreground is None else foreground)
    if as_json:
        print_json(started)
        return
    tell_started(client, started)
    if not stays:
        where = f"{started['host']}:{started['port']}"
        click.echo(f"Attach your editor's debugger to {where} on the server (Debug Adapter Protocol).")
    print_warnings(started["warnings"])
    if stays:
        _stay(client, source, started, port)
    else:
        tell_how_it_ends(started)


def _stay(client: Client, source: str, started: dict[str, Any], port: int) -> None:
    """Carry the editor's bytes until somebody ends it here, or the session ends there."""
    from placet.cli.tunnel import Tunnel  # noqa: PLC0415

    for number in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed, or a connection that is lost
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _as_interrupt)
    where = f"{SESSIONS}/{started['id']}"
    try:
        tunnel = Tunnel(client, f"{where}/tunnel", port)
        _tell_editor(source, started, tunnel.host, tunnel.port)
        click.echo("Ctrl-C stops it.")
        sys.stdout.flush()
        _watch(client, where)
    except BaseException as ended:
        done = _stop(client, where)
        if not isinstance(ended, KeyboardInterrupt):
            raise
        click.echo("Stopped." if done else "It had been stopped already.")


def _watch(client: Client, where: str) -> None:
    """Look after the session until it is over; raises ``KeyboardInterrupt`` when it is to be ended."""
    told = False
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            session = client.get(where)
        except ProblemRefused as refused:
            if refused.problem.get("code") != "unknown_instance":
                raise
            click.echo("The session has ended: it was stopped, nobody used it, or its time was up.")
            return
        problem = session.get("problem")
        if problem and not told:
            told = True
            ProblemRefused(str(problem["detail"]), problem).show()


def _stop(client: Client, where: str) -> bool:
    try:
        client.call("DELETE", where)
    except ProblemRefused:
        return False
    return True


def _tell_editor(source: str, started: dict[str, Any], host: str, port: int) -> None:
    from placet.cli.launch_json import put_configuration  # noqa: PLC0415

    click.echo(f"Attach your editor's debugger to {host}:{port} (Debug Adapter Protocol).")
    if started["waiting"]:
        click.echo("The module is imported when it has attached.")
    configuration = _configuration(started, host, port)
    if not Path(source).is_dir():
        return
    path = Path(source) / ".vscode" / "launch.json"
    try:
        put_configuration(path, configuration)
    except (ValueError, OSError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        click.echo(f"{click.format_filename(path)} was left as it is: {why}. Put this configuration into it:")
        print_json(configuration)
    else:
        click.echo(f"In VS Code: open {click.format_filename(source)}, Run and Debug, {configuration['name']!r}.")


def _configuration(started: dict[str, Any], host: str, port: int) -> dict[str, Any]:
    return {
        "name": f"Placet: {started['module']}",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": host, "port": port},
        "pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": started["remote_root"]}],
        "justMyCode": True,
    }


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
