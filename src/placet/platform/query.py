"""The test query: one SQL statement on a module's live database, whatever it does taken back.

1. It runs in a process of its own, which the server ends when the time is up. SQLite recovers from that by design: a
   transaction that was not committed has not happened.
2. It runs inside a transaction that is always rolled back. What would leave the transaction (COMMIT, ATTACH, PRAGMA,
   functions that touch files) is refused by SQLite's authorizer, not by looking at the text.
3. Rows, bytes, value sizes, memory and time are bounded. While a statement that writes runs, the module's own writes
   wait, at most for the time limit.
"""

# ruff: noqa: PT028 - Test Query is what the feature is called; it is no test

import base64
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from placet.platform import query_child
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Finished, bare_environment, run_bounded
from placet.platform.query_child import MAX_SQL_BYTES, MAX_VALUE_BYTES
from placet.platform.sql_text import split_statements

DEFAULT_ROWS = 1000
MAX_ROWS = 10_000
MAX_TIMEOUT_SECONDS = 30.0
MAX_MEMORY_BYTES = 512 * 1024 * 1024
# What the process may take beyond the query's own time: to start, and to write its result.
_AROUND_SECONDS = 2.0

Value = str | int | float | bytes | bool | None | Mapping[str, str]
Parameters = Mapping[str, Value] | Sequence[Value]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its type as declared where it comes from a table, else how its first value is stored, lower case."""

    name: str
    type: str


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a query answered. Values are ready for JSON: bytes as `{"base64": ...}`, infinity as `{"real": "inf"}`.

    `truncated` says that rows were left out, `elapsed` is in seconds, `changes` the rows it would have changed.
    """

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool
    elapsed: float
    changes: int


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    error: str
    message: str
    position: int | None = None


def test_query(
    database: Path,
    sql: str,
    *,
    parameters: Parameters = (),
    max_rows: int = DEFAULT_ROWS,
    timeout_seconds: float = 5.0,
    max_bytes: int = MAX_VALUE_BYTES,
    python: str = sys.executable,
) -> QueryResult:
    """Run one statement on a module's database and take it back. A module without one is asked on an empty database.

    `parameters` are named or in order; bytes may be given as `{"base64": ...}`. At most 10,000 rows and 30 seconds.
    Raises `ModuleProblem`: query_failed with the engine's message and, where known, the position in the text from 1;
    query_refused; query_timeout.
    """
    check_statement(sql)
    orders = {
        "database": str(database.absolute()) if database.is_file() else None,
        "sql": sql,
        "parameters": _portable_all(parameters),
        "max_rows": max(0, min(max_rows, MAX_ROWS)),
        "max_bytes": max(0, min(max_bytes, MAX_VALUE_BYTES)),
        "timeout_seconds": max(0.0, min(timeout_seconds, MAX_TIMEOUT_SECONDS)),
        "memory_bytes": MAX_MEMORY_BYTES,
    }
    with tempfile.TemporaryDirectory(prefix="placet-query-", ignore_cleanup_errors=True) as home:
        finished = run_bounded(
            [python, "-I", "-B", str(Path(query_child.__file__))],
            directory=Path(home),
            environment=bare_environment(Path(home)),
            timeout_seconds=float(str(orders["timeout_seconds"])) + _AROUND_SECONDS,
            given=_encode(orders),
            max_result_bytes=8 * MAX_VALUE_BYTES,
        )
    return _read(finished, timeout_seconds)


test_query.__test__ = False  # type: ignore[attr-defined]  # a name that test runners would collect


def check_statement(sql: str) -> None:
    """Raise `ModuleProblem` for what is no statement, before anything runs."""
    size = len(sql.encode(errors="replace"))
    if size > MAX_SQL_BYTES:
        _fail(f"The query has {size:,} bytes; {MAX_SQL_BYTES:,} are allowed. Pass large values as parameters.")
    if next(split_statements(sql), None) is None:
        _fail("There is no statement in the query. Write one.")
    if "\0" in sql:
        _fail("The query has a NUL character. Remove it.", sql.index("\0") + 1)


def _portable_all(parameters: Parameters) -> dict[str, Any] | list[Any]:
    if isinstance(parameters, Mapping):
        return {name: _portable(value) for name, value in parameters.items()}
    return [_portable(value) for value in parameters]


def _portable(value: Value) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        _fail(f"A parameter is {value}, which is not a number. Use a finite one, or null.")
    if value is None or isinstance(value, str | int | float):
        return value
    try:
        return {"base64": base64.b64encode(base64.b64decode(value["base64"], validate=True)).decode()}
    except (KeyError, TypeError, ValueError):
        _fail('A parameter is of no known kind; use text, numbers, true, false, null or {"base64": "..."}.')


def _encode(orders: dict[str, Any]) -> bytes:
    try:
        given = msgspec.json.encode(orders)
    except (UnicodeEncodeError, ValueError, OverflowError):
        _fail("The query or a parameter holds a value that cannot be passed on. Use valid text and numbers.")
    if len(given) > 2 * MAX_VALUE_BYTES:
        _fail(f"The parameters are larger than the {MAX_VALUE_BYTES:,} bytes allowed. Pass less.")
    return given


def _read(finished: Finished, timeout_seconds: float) -> QueryResult:
    if finished.timed_out:
        raise _too_long(timeout_seconds)
    if not finished.result:
        how = "needed more memory than it may" if "MemoryError" in finished.output else "ended its process"
        _fail(f"The query {how}. Select fewer or smaller values.", output=finished.output)
    try:
        return msgspec.json.decode(finished.result, type=QueryResult)
    except msgspec.ValidationError:
        raise _problem(msgspec.json.decode(finished.result, type=_Error), timeout_seconds) from None


def _problem(error: _Error, timeout_seconds: float) -> ModuleProblem:
    if error.error == "timeout":
        return _too_long(timeout_seconds, locked=error.message == "locked")
    if error.error == "refused":
        detail = f"A test query may not use {error.message}: it could leave something behind."
        rest = "Everything else is allowed, and taken back when the query is done."
        return ModuleProblem(ProblemCode.QUERY_REFUSED, f"{detail} {rest}", step="query")
    detail = f"SQLite says: {error.message.rstrip('.')}."
    return ModuleProblem(ProblemCode.QUERY_FAILED, detail, step="query", position=error.position)


def _too_long(timeout_seconds: float, *, locked: bool = False) -> ModuleProblem:
    if locked:
        detail = f"The module held its database locked for all of the {timeout_seconds:g} seconds. Try again."
    else:
        detail = f"The query was stopped after {timeout_seconds:g} seconds. Select less, or add an index."
    return ModuleProblem(ProblemCode.QUERY_TIMEOUT, detail, step="query")


def _fail(detail: str, position: int | None = None, output: str | None = None) -> NoReturn:
    raise ModuleProblem(ProblemCode.QUERY_FAILED, detail, step="query", position=position, output=output)
