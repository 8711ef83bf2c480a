"""``placet admin``: what is done on the server's own machine, with its data directory."""
# ruff: noqa: PLC0415 - imports that take time are made inside the commands

from datetime import UTC, datetime
from pathlib import Path

import click

from placet.cli.doctor import doctor
from placet.cli.installation import OPERATOR, data_options, opened
from placet.cli.output import json_option, print_json


def _printable_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise click.BadParameter("A name has 1 to 200 printable characters.", context, parameter)
    return name


@click.group()
def admin() -> None:
    """Look after an installation, on its own machine."""


admin.add_command(doctor)


@admin.command()
@data_options
@click.option("--role", required=True, type=click.Choice(["administrator", "developer"]), help="What it may do.")
@click.option("--name", required=True, callback=_printable_name, help="Whose it is, for the audit trail.")
@json_option
def token(data: Path, *, database_url: str | None, role: str, name: str, as_json: bool) -> None:
    """Make a token for the API and print it, alone. It is not shown again."""
    from placet.store import audit
    from placet.store.credentials import Kind, Role, create

    now = datetime.now(UTC)
    with opened(data, database_url) as database, database.write() as connection:
        token_id, secret = create(connection, Kind.TOKEN, name=name, role=Role(role), now=now)
        event = audit.Event.TOKEN_CREATED
        audit.record(connection, event, now=now, actor=OPERATOR, subject=name, role=role, id=token_id)
    if as_json:
        print_json({"id": token_id, "name": name, "role": role, "token": secret})
    else:
        click.echo(secret)


@admin.command(name="sign-in")
@data_options
@click.option(
    "--name",
    default="administrator",
    show_default=True,
    callback=_printable_name,
    help="Who signs in, for the audit trail.",
)
@click.option(
    "--server",
    envvar="PLACET_SERVER",
    default="http://127.0.0.1:8000",
    show_default=True,
    metavar="URL",
    help="Its address.",
)
def sign_in(data: Path, *, database_url: str | None, name: str, server: str) -> None:
    """Print a link that signs an administrator in to the Service Center, once, within a day."""
    from placet.platform.sign_ins import SIGN_IN_LASTS
    from placet.store.credentials import Kind, Role, create

    now = datetime.now(UTC)
    with opened(data, database_url) as database, database.write() as connection:
        role, expires_at = Role.ADMINISTRATOR, now + SIGN_IN_LASTS
        _, code = create(connection, Kind.SIGN_IN, name=name, role=role, now=now, expires_at=expires_at)
    click.echo(f"{server.rstrip('/')}/service-center/sign-in?code={code}")


@admin.command(name="new-serial")
@data_options
@json_option
def new_serial(data: Path, *, database_url: str | None, as_json: bool) -> None:
    """Make this installation another server, as after a copy: a new serial number and key.

    The license that is installed was issued to the old serial number; ask the vendor for one for the new.
    """
    from placet.store import audit
    from placet.store.installation import renew_identity

    with opened(data, database_url, make=False) as database, database.write() as connection:
        number = renew_identity(connection)
        event, now = audit.Event.SERIAL_NUMBER_RENEWED, datetime.now(UTC)
        audit.record(connection, event, now=now, actor=OPERATOR, subject=number)
    if as_json:
        print_json({"serial_number": number})
    else:
        click.echo(number)
