"""An installation on this machine, as commands are told of it: ``--data`` and ``--database``."""
# ruff: noqa: PLC0415 - imports that take time are made inside the functions

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placet.cli.errors import FailedError, of_file

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


@contextmanager
def opened(data: Path, database_url: str | None, *, make: bool = True, examined: bool = False) -> "Iterator[Database]":
    """Open the database of an installation. Where there is none yet one is made and told of; without ``make``, not.

    What is to be ``examined`` is opened as it is, whatever may be missing.
    """
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
        if not examined:
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
