"""``placet demo``: a vendor and a server to try everything with."""
# ruff: noqa: PLC0415 - imports that take time are made inside the command

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from placet.platform.server import PlatformServer

VENDOR_NAME = "Demonstration Vendor"
EVALUATION = "30d"


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def demo(directory: Path, *, host: str, port: int) -> None:
    """Run a demonstration vendor and server under DIR.

    Both are made where they are not there yet, and kept.
    """
    from placet.cli.serving import address_of, listening, open_server, run_server

    vendor = directory / "vendor"
    with listening(host, port) as listener:
        _make_vendor(vendor)
        server = open_server(directory / "server", vendor / "trust.jwks.json", address=address_of(listener))
        _make_token(server, directory / "administrator.token")
        _make_evaluation(server, vendor, directory / "evaluation.license")
        run_server(server, listener, announce=lambda address: _announce(server, directory, address))


def _make_vendor(directory: Path) -> None:
    from datetime import UTC, datetime

    from placet.cli.vendor import exit_statuses
    from placet.vendor.keystore import create_vendor

    if not (directory / "vendor.json").exists():
        with exit_statuses():
            create_vendor(directory, VENDOR_NAME, None, datetime.now(UTC))


def _make_token(server: "PlatformServer", path: Path) -> None:
    """A token for the administrator, readable by the owner alone; made anew where it is not in force any more."""
    from placet.store.credentials import Kind, Role

    if path.exists() and server.people.find(Kind.TOKEN, path.read_text().strip()) is not None:
        return
    path.unlink(missing_ok=True)
    _, token = server.people.create_token("administrator", Role.ADMINISTRATOR, actor="placet demo")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token + "\n")


def _make_evaluation(server: "PlatformServer", vendor: Path, path: Path) -> None:
    """An evaluation license of this server, for which the vendor has said yes beforehand."""
    from datetime import UTC, datetime, timedelta

    from placet.cli.vendor import exit_statuses
    from placet.license import Grant, examine
    from placet.license.document import License
    from placet.license.instants import parse_duration
    from placet.vendor.issue import Order, issue
    from placet.vendor.keystore import open_vendor

    serial_number = server.guard.status().serial_number
    if path.exists():
        found = examine(path.read_bytes(), server.guard.trust)
        if isinstance(found, License) and found.terms.serial_number == serial_number:
            return
    now = datetime.now(UTC)
    order = Order(
        serial_number=serial_number,
        customer="Evaluation",
        edition="Evaluation",
        expires_at=now + timedelta(days=365),
        evaluation=parse_duration(EVALUATION),
        features={name: Grant(kind="switch") for name in ("run", "debugger", "test_query")}
        | {"software_units": Grant(kind="limit", limit=100), "users": Grant(kind="limit", limit=10)},
    )
    with exit_statuses():
        opened = open_vendor(vendor)
        path.write_bytes(issue(opened, opened.unlock(None), order, now, file=path.name).signed)


def _announce(server: "PlatformServer", directory: Path, address: str) -> None:
    from placet.cli.serving import sign_in_link

    status = server.guard.status()
    standing = [notice.message for notice in (*status.errors, *status.warnings)] or [f"License: {status.state}"]
    click.echo(
        f"""
  Placet serves at {address}
  Service Center   {sign_in_link(server, address)}
                   (signs the administrator in, once)
  Serial number    {status.serial_number}
  Status           {standing[0]}

  Next, in another terminal here:
"""
    )
    for number, (what, command) in enumerate(_next_steps(server, directory, address), start=1):
        click.echo(f"  {number}. {what}:\n     {command}")
    click.echo(f"\n  Stop with Ctrl-C. Everything is kept under {directory}.\n")


def _next_steps(server: "PlatformServer", directory: Path, address: str) -> list[tuple[str, str]]:
    """What to try next and how, as the license stands; an evaluation is offered while there has been none."""
    placet = os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else "placet"
    client = f"PLACET_SERVER={address} PLACET_TOKEN=$(cat {directory}/administrator.token) \\\n       {placet}"
    example = "examples/orders" if Path("examples/orders").is_dir() else "DIR"
    status = server.guard.status()
    order = (
        f'{placet} vendor issue {directory}/vendor --serial {status.serial_number} --customer "Example Ltd" '
        "--expires 365d \\\n"
        "       --feature run --feature debugger --feature test_query --limit software_units=50 --limit users=10 \\\n"
        f"       --out {directory}/example.license"
    )
    issue = ("Issue a license for this server, as its vendor", order)
    install = ("Install it, as the server's administrator", f"{client} license install {directory}/example.license")
    publish = ("Publish an example, as a developer", f"{client} module publish {example}")
    if status.usable and not status.errors:
        see = ("See what is used of the license, as the server's administrator", f"{client} license status")
        return [publish, see, ("Issue another license for this server, as its vendor", order), install]
    if _evaluation_used(server):
        return [issue, install, publish]
    days = EVALUATION.removesuffix("d")
    evaluate = f"{client} license install {directory}/evaluation.license"
    return [issue, install, publish, (f"Or, instead of 1 and 2, evaluate for {days} days, once", evaluate)]


def _evaluation_used(server: "PlatformServer") -> bool:
    from placet.store.installation import read_installation

    with server.guard.database.read() as connection:
        return read_installation(connection).evaluation_started_at is not None
