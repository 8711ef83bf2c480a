"""A caller's mistake with a module: what is wrong with it, where, and what to do.

A license refusal is never one of these. The two have different roots so that neither is mistaken for the other.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OUTPUT_BYTES = 8 * 1024


class ProblemCode(StrEnum):
    """What is wrong. The values are stable: clients branch on them."""

    PACKAGE_UNREADABLE = "package_unreadable"
    PACKAGE_TOO_LARGE = "package_too_large"
    PACKAGE_UNSAFE_PATH = "package_unsafe_path"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_INVALID = "manifest_invalid"
    ENTRYPOINT_MISSING = "entrypoint_missing"
    SCHEMA_INVALID = "schema_invalid"
    SCHEMA_UNMET = "schema_unmet"
    MIGRATION_FAILED = "migration_failed"
    DATABASE_NOT_OFFERED = "database_not_offered"
    IMPORT_FAILED = "import_failed"
    BUILD_FAILED = "build_failed"
    START_FAILED = "start_failed"
    DATABASE_TOO_LARGE = "database_too_large"
    DATABASE_NOT_COPIED = "database_not_copied"
    QUERY_FAILED = "query_failed"
    QUERY_REFUSED = "query_refused"
    QUERY_TIMEOUT = "query_timeout"
    REQUEST_TOO_LARGE = "request_too_large"
    MODULE_UNAVAILABLE = "module_unavailable"
    MODULE_CRASHING = "module_crashing"
    MODULE_BROKEN = "module_broken"
    MODULE_SILENT = "module_silent"


class ProblemKind(msgspec.Struct, frozen=True, kw_only=True):
    """What all problems of one code share: `title` for people, `status` as an HTTP status code."""

    title: str
    status: int


PROBLEM_KINDS: "Mapping[ProblemCode, ProblemKind]" = MappingProxyType(
    {
        ProblemCode.PACKAGE_UNREADABLE: ProblemKind(title="The module package cannot be read", status=400),
        ProblemCode.PACKAGE_TOO_LARGE: ProblemKind(title="The module package is too large", status=413),
        ProblemCode.PACKAGE_UNSAFE_PATH: ProblemKind(
            title="The module package holds a path that is not safe to unpack", status=422
        ),
        ProblemCode.MANIFEST_MISSING: ProblemKind(title="The module has no module.toml", status=422),
        ProblemCode.MANIFEST_INVALID: ProblemKind(title="module.toml is not valid", status=422),
        ProblemCode.ENTRYPOINT_MISSING: ProblemKind(title="The module's entry point was not found", status=422),
        ProblemCode.SCHEMA_INVALID: ProblemKind(title="schema.sql is not valid", status=422),
        ProblemCode.SCHEMA_UNMET: ProblemKind(title="The database is not as schema.sql demands", status=422),
        ProblemCode.MIGRATION_FAILED: ProblemKind(title="A migration cannot be applied", status=422),
        ProblemCode.DATABASE_NOT_OFFERED: ProblemKind(
            title="The server has no such database for the module", status=422
        ),
        ProblemCode.IMPORT_FAILED: ProblemKind(title="The module cannot be imported", status=422),
        ProblemCode.BUILD_FAILED: ProblemKind(title="The module's requirements cannot be installed", status=422),
        ProblemCode.START_FAILED: ProblemKind(title="The module does not start", status=422),
        ProblemCode.DATABASE_TOO_LARGE: ProblemKind(title="The database is too large to be copied", status=422),
        ProblemCode.DATABASE_NOT_COPIED: ProblemKind(title="The database could not be copied", status=422),
        ProblemCode.QUERY_FAILED: ProblemKind(title="The query failed", status=422),
        ProblemCode.QUERY_REFUSED: ProblemKind(title="A test query may not do this", status=422),
        ProblemCode.QUERY_TIMEOUT: ProblemKind(title="The query took too long", status=422),
        ProblemCode.REQUEST_TOO_LARGE: ProblemKind(title="The request body is too large", status=413),
        ProblemCode.MODULE_UNAVAILABLE: ProblemKind(title="The module is not running", status=503),
        ProblemCode.MODULE_CRASHING: ProblemKind(title="The module does not stay up", status=503),
        ProblemCode.MODULE_BROKEN: ProblemKind(title="The module broke off its answer", status=502),
        ProblemCode.MODULE_SILENT: ProblemKind(title="The module does not answer", status=504),
    }
)


class ModuleProblem(Exception):
    """Something is wrong with what a caller gave us.

    `detail` is a whole sentence: what happened, with numbers, and what to do. `step` names the work that was being
    done, `file` is relative to the module's directory, `line`, `column` and `position` count from 1 (`position` is the
    character within the text or, where the text is a file, within the line), `output` holds the last lines of a tool's
    output, at most 8 KiB.
    """

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        *,
        step: str | None = None,
        file: str | None = None,
        line: int | None = None,
        position: int | None = None,
        column: int | None = None,
        output: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.step = step
        self.file = file
        self.line = line
        self.position = position
        self.column = column
        self.output = None if output is None else last_bytes(output)

    def __str__(self) -> str:
        return self.detail

    @property
    def kind(self) -> ProblemKind:
        """The title and HTTP status of this problem's code."""
        return PROBLEM_KINDS[self.code]


def last_bytes(text: str, limit: int = MAX_OUTPUT_BYTES) -> str:
    """Return the end of `text`, at most `limit` bytes of UTF-8, from the beginning of a line where it was cut."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= limit:
        return text
    kept = encoded[-limit:].decode(errors="ignore")
    _, newline, whole_lines = kept.partition("\n")
    return whole_lines if newline and whole_lines else kept
