"""``placet admin``: what is done on the server's own machine, with its data directory."""
# ruff: noqa: PLC0415 - imports that take time are made inside the commands

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placet.cli.errors import FailedError, of_file
from placet.cli.output import json_option, print_json

if TYPE_CHECKING:
    from placet.store.database import Database

F = TypeVar("F", bound=Callable[..., Any])
OPERATOR = "operator of the machine"


def data_options(function: F) -> F:
    """Give a command ``--data`` and ``--database``."""
    data = click.option("--data", required=True, metavar="DIR", callback=_directory, help="Its data directory.")
    url = click.option(
        "--database",
        "database_url",
        envvar="PLACET_DATABASE",
        metavar="URL",
        help="Its database, where it is not in DIR; or PLACET_DATABASE.",
    )
    return data(url(function))


def _directory(context: click.Context, parameter: click.Parameter, name: str) -> Path:
    if not name:
        raise click.BadParameter("It is empty.", context, parameter)
    try:
        Path(name).resolve()
    except (RuntimeError, ValueError) as error:  # links in a circle, a null character
        raise click.BadParameter(f"It is no directory: {error}.", context, parameter) from None
    return Path(name)


def _printable_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise click.BadParameter("A name has 1 to 200 printable characters.", context, parameter)
    return name


@click.group()
def admin() -> None:
    """Look after an installation, on its own machine."""


@contextmanager
def opened(data: Path, database_url: str | None, *, make: bool = True) -> "Iterator[Database]":
    """Open the database of an installation. Where there is none yet one is made and told of; without ``make``, not."""
    from placet.platform.layout import Layout
    from placet.store.database import Database, DatabaseUnusable
    from placet.store.installation import ensure_installation, read_installation

    try:
        layout = Layout(data.resolve())
        if make:
            _check_parent(data)
        elif database_url is None and not layout.database.exists():
            raise FailedError(f"There is no installation in {data}. Name a server's data directory with --data.")
        layout.make()
        database = Database.open(database_url) if database_url else Database.open_file(layout.database)
    except DatabaseUnusable as error:
        raise FailedError(str(error)) from None
    except OSError as error:
        raise of_file(error) from None
    try:
        now = datetime.now(UTC)
        with database.write() as connection:
            ensure_installation(connection, now)
            installation = read_installation(connection)
        if installation.created_at == now:
            where = f"Made a new installation in {click.format_filename(data)}"
            click.echo(f"{where}, with serial number {installation.serial_number}.", err=True)
        yield database
    finally:
        database.close()


def _check_parent(data: Path) -> None:
    """A new data directory is made beside what is there; where even that is missing, its name is mistyped."""
    parent = data.resolve().parent
    if not parent.exists():
        raise FailedError(
            f"There is no directory {click.format_filename(parent)} for an installation to be in. "
            "Name a server's data directory with --data, or make that directory first."
        )


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
    from placet.platform.people import SIGN_IN_LASTS
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


@admin.command()
@data_options
@json_option
def doctor(data: Path, *, database_url: str | None, as_json: bool) -> None:
    """Prove that what is counted adds up, and that everything that is referred to is there."""
    from placet.platform.doctor import examine
    from placet.platform.layout import Layout

    with opened(data, database_url, make=False) as database:
        findings = examine(database, Layout(data.resolve()))
    wrong = sum(not finding.ok for finding in findings)
    told = [{"subject": finding.subject, "finding": finding.text, "ok": finding.ok} for finding in findings]
    if not as_json:
        for finding in findings:
            click.echo(f"{'ok     ' if finding.ok else 'WRONG  '} {finding.subject}: {finding.text}")
    elif not wrong:
        print_json(told)
    if wrong:
        raise FailedError(f"{wrong} of {len(findings)} findings {'is' if wrong == 1 else 'are'} wrong.", document=told)
