"""How a command ends when it does not end well; the exit statuses of DESIGN section 7.

0 done, 1 refused, 2 wrong usage (``click.UsageError``), 3 failed. The message stands alone on the first line of
standard error, without a word before it, so that scripts can compare it.
"""

import os
import traceback
from typing import IO, Any

import click


class EndedError(click.ClickException):
    """A command did not end well. ``document`` is what ``--json`` prints, where it is more than the message."""

    def __init__(self, message: str, *, document: Any = None) -> None:
        super().__init__(message)
        self._document = document

    @property
    def document(self) -> Any:
        """What programs are told on standard output: a problem document (RFC 9457), of no type of its own."""
        if self._document is not None:
            return self._document
        word = "failed" if self.exit_code == FailedError.exit_code else "refused"
        return {"type": "about:blank", "title": word.capitalize(), "detail": self.message, "code": f"command_{word}"}

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the bare message to standard error, or to ``file``."""
        click.echo(self.format_message(), file=file, err=file is None)


class RefusedError(EndedError):
    """What was asked is not allowed; exit status 1."""

    exit_code = 1


class FoundWrongError(EndedError):
    """What was examined is not as it has to be; exit status 1."""

    exit_code = 1


class FailedError(EndedError):
    """What was asked could not be done: disk, permissions, network, damaged files; exit status 3."""

    exit_code = 3


def of_file(error: OSError) -> FailedError:
    """The failure of a file or directory, in a sentence."""
    name = "" if error.filename is None else f"{click.format_filename(error.filename)}: "
    return FailedError(f"{name}{error.strerror or error}.")


def unexpected(error: Exception) -> int:
    """Tell of a failure nothing else has told of, in a sentence; ``PLACET_DEBUG=1`` shows where. Answers status 3."""
    if os.environ.get("PLACET_DEBUG") == "1":
        traceback.print_exception(error)
    what = " ".join(str(error).split())[:500] or type(error).__name__
    click.echo(f"Failed: {what}", err=True)
    click.echo("This was not expected. Set PLACET_DEBUG=1 and run it again to see where it happened.", err=True)
    return FailedError.exit_code
