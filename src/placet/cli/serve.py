"""``placet serve``: run a Platform Server."""
# ruff: noqa: PLC0415 - imports that take time are made inside the command

from pathlib import Path
from typing import TYPE_CHECKING

import click

from placet.cli.installation import data_options
from placet.cli.openid import openid_options

if TYPE_CHECKING:
    from placet.platform.openid import OpenId
    from placet.platform.server import PlatformServer


@click.command()
@data_options
@click.option(
    "--trust", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The vendor's trust store."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--warn-before", default="30d", show_default=True, metavar="PERIOD", help="When to warn of expiry.")
@click.option(
    "--instances-last", default="8h", show_default=True, metavar="PERIOD", help="When private instances are stopped."
)
@click.option(
    "--instances-idle",
    default="30m",
    show_default=True,
    metavar="PERIOD",
    help="How long private instances stay that nobody uses.",
)
@click.option("--keep-hourly", default="14d", show_default=True, metavar="PERIOD", help="How long usage by the hour.")
@click.option("--keep-daily", default="3y", show_default=True, metavar="PERIOD", help="How long usage by the day.")
@click.option(
    "--keep-versions",
    default=5,
    show_default=True,
    type=click.IntRange(0, 100),
    help="How many versions of a module stay for a rollback, beside the one that serves.",
)
@click.option(
    "--module-memory",
    default="1GiB",
    show_default=True,
    metavar="SIZE",
    help="Memory each module may use with all its processes, 64MiB or more; one that uses more is started again.",
)
@click.option(
    "--module-files",
    default=1024,
    show_default=True,
    type=click.IntRange(64, 1024 * 1024),
    help="Open files that each process of a module may have.",
)
@click.option(
    "--beat",
    default="5s",
    show_default=True,
    metavar="PERIOD",
    envvar="PLACET_BEAT",
    help="How often it tells other servers on its database that it lives; after four, it counts as dead.",
)
@click.option(
    "--listen/--no-listen",
    default=True,
    show_default=True,
    envvar="PLACET_LISTEN",
    help="Let PostgreSQL tell it of changes, beside looking for them. Not through a pooler of transactions.",
)
@click.option(
    "--public-url",
    metavar="URL",
    envvar="PLACET_PUBLIC_URL",
    help="Where people reach it, behind a proxy: https://placet.example.com. Links that it prints begin so.",
)
@click.option(
    "--session-lasts", default="12h", show_default=True, metavar="PERIOD", help="When people have to sign in again."
)
@click.option(
    "--session-idle",
    default="2h",
    show_default=True,
    metavar="PERIOD",
    help="When people have to sign in again who did nothing.",
)
@openid_options
def serve(
    data: Path,
    *,
    database_url: str | None,
    trust: Path,
    host: str,
    port: int,
    warn_before: str,
    instances_last: str,
    instances_idle: str,
    keep_hourly: str,
    keep_daily: str,
    keep_versions: int,
    module_memory: str,
    module_files: int,
    beat: str,
    listen: bool,
    public_url: str | None,
    session_lasts: str,
    session_idle: str,
    openid: "OpenId | None",
) -> None:
    """Run a Platform Server."""
    from placet.cli.serving import address_of, listening, open_server, run_server

    with listening(host, port) as listener:
        server = open_server(
            data,
            trust,
            database_url=database_url,
            warn_before=warn_before,
            instances_last=instances_last,
            instances_idle=instances_idle,
            keep_hourly=keep_hourly,
            keep_daily=keep_daily,
            module_memory=module_memory,
            module_files=module_files,
            beat=beat,
            kept_versions=keep_versions,
            address=address_of(listener),
            listens=listen,
            public_url=public_url,
            session_lasts=session_lasts,
            session_idle=session_idle,
            openid=openid,
        )
        run_server(server, listener, announce=lambda address: _announce(server, address))


def _announce(server: "PlatformServer", address: str) -> None:
    from placet.cli.serving import first_sign_in

    status = server.guard.status()
    click.echo(f"Placet serves at {address}")
    click.echo(f"Serial number: {status.serial_number}")
    for notice in (*status.errors, *status.warnings):
        click.echo(f"{notice.severity.capitalize()}: {notice.message}")
    said = first_sign_in(server, address)
    if said is not None:
        click.echo(said)
