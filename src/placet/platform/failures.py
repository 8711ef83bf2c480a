"""What went wrong when module code was run, and where in the module. Told by a child process, read by the server."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from placet.platform.problems import ModuleProblem, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_FRAMES = 40
_MAX_MESSAGE = 2000
_HAPPENED = {
    ProblemCode.ENTRYPOINT_MISSING: "was not found",
    ProblemCode.IMPORT_FAILED: "cannot be imported",
    ProblemCode.START_FAILED: "does not start",
}
_ADVICE = {
    ProblemCode.ENTRYPOINT_MISSING: "Check module.toml.",
    ProblemCode.IMPORT_FAILED: "Correct it, or add what is missing to requirements.txt.",
    ProblemCode.START_FAILED: "Correct what the application does when it starts (its lifespan).",
}


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure of module code.

    `kind` is the exception's class, `message` its text. `file` is relative to the module; it and `line` are those of
    the innermost place within the module, None where the module had no part in it.
    """

    code: ProblemCode
    message: str
    kind: str | None = None
    file: str | None = None
    line: int | None = None
    position: int | None = None
    traceback: str = ""

    @classmethod
    def of(cls, code: ProblemCode, error: BaseException, directory: Path) -> "Failure":
        """Describe an exception raised by the code of the module in `directory`."""
        file, line, position = _place(error, directory)
        return cls(
            code=code,
            kind=type(error).__name__,
            message=_message(error),
            file=file,
            line=line,
            position=position,
            traceback=_own_traceback(error, directory),
        )

    def as_problem(self, reference: str, *, step: str, output: str = "") -> ModuleProblem:
        """Return the problem to raise: `reference` is what was being loaded, `output` what the process printed."""
        said = f"{self.kind}: {self.message}" if self.kind else self.message
        said = said if said.endswith((".", "!", "?")) else f"{said}."
        place = "" if self.file is None else f" in {self.file}, line {self.line}"
        happened = _HAPPENED.get(self.code)
        parts = (f"{reference} {happened}{place}." if happened else "", said, _ADVICE.get(self.code, ""))
        return ModuleProblem(
            self.code,
            " ".join(part for part in parts if part),
            step=step,
            file=self.file,
            line=self.line,
            position=self.position,
            output=(output + self.traceback) or None,
        )


def _own_traceback(error: BaseException, directory: Path) -> str:
    """The frames within the module, with its own paths: where the server keeps things is not the module's business."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _inside(frame.filename, directory)]
    told = [*traceback.format_list(frames[-_MAX_FRAMES:]), *traceback.format_exception_only(error)]
    return "".join(told).replace(f"{directory}/", "")


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
