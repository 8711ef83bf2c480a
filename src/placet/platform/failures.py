"""Says where in a module an exception came from. Used in the child processes that import module code."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_FRAMES = 40
_MAX_MESSAGE = 2000


def describe_failure(error: BaseException, directory: Path) -> dict[str, Any]:
    """Return `kind`, `message`, `file`, `line`, `position` and `traceback` of an exception raised by module code.

    `file` is relative to `directory`; it and `line` are those of the innermost place within the module, None where
    the module had no part in it.
    """
    file, line, position = _place(error, directory)
    trace = "".join(traceback.format_exception(error, limit=-_MAX_FRAMES))
    return {
        "kind": type(error).__name__,
        "message": _message(error),
        "file": file,
        "line": line,
        "position": position,
        "traceback": trace,
    }


def _message(error: BaseException) -> str:
    try:
        text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    except Exception:  # noqa: BLE001 - the exception's own __str__ is module code and may do anything
        text = "(no message)"
    return text[:_MAX_MESSAGE]


def _place(error: BaseException, directory: Path) -> tuple[str | None, int | None, int | None]:
    if isinstance(error, SyntaxError) and error.filename:
        inside = _inside(error.filename, directory)
        if inside is not None:
            return inside, error.lineno, error.offset
    return _innermost(traceback.walk_tb(error.__traceback__), directory)


def _innermost(frames: "Iterable[tuple[Any, int]]", directory: Path) -> tuple[str | None, int | None, int | None]:
    place: tuple[str | None, int | None, int | None] = (None, None, None)
    for frame, line in frames:
        inside = _inside(frame.f_code.co_filename, directory)
        if inside is not None:
            place = (inside, line, None)
    return place


def _inside(filename: str, directory: Path) -> str | None:
    path = Path(filename)
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else None
