"""A module as it is sent to a server: the zip of its directory."""

from pathlib import Path

import click

from placet.cli.client import read_input
from placet.cli.errors import FailedError

_ARCHIVE_CAP = 64 * 1024 * 1024

source_argument = click.argument("source", metavar="DIR", type=click.Path(exists=True))


def archive_of(source: str) -> bytes:
    """Answer the zip of a module's directory, or the zip that was named."""
    if not Path(source).is_dir():
        return read_input(source, _ARCHIVE_CAP)
    from placet.platform.packing import pack  # noqa: PLC0415
    from placet.platform.problems import ModuleProblem  # noqa: PLC0415

    try:
        return pack(Path(source))
    except ModuleProblem as error:
        raise FailedError(error.detail) from None
