"""The test query: one SQL statement on a module's live database, whatever it does taken back.

1. It runs in a process of its own, which the server ends when the time is up. SQLite recovers from that by design: a
   transaction that was not committed has not happened.
2. It runs inside a transaction that is always rolled back. What would leave the transaction (COMMIT, ATTACH, PRAGMA,
   functions that touch files) is refused by SQLite's authorizer, not by looking at the text.
3. Rows, bytes, value sizes, memory and time are bounded. While a statement that writes runs, the module's own writes
   wait, at most for the time limit.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from placet.platform import query_child
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Finished, bare_environment, run_bounded
from placet.platform.query_parameters import Parameters, UnfitParameter, portable
from placet.platform.query_process import MAX_SQL_BYTES, MAX_VALUE_BYTES
from placet.platform.sql_text import split_statements

DEFAULT_ROWS = 1000
MAX_ROWS = 10_000
DEFAULT_TIMEOUT_SECONDS = 5.0
MAX_TIMEOUT_SECONDS = 30.0
MAX_MEMORY_BYTES = 512 * 1024 * 1024
MAX_GROWTH_BYTES = 256 * 1024 * 1024
# What the process may take beyond the query's own time: to start, and to write its result.
_AROUND_SECONDS = 2.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a query is asked: the engine's name, the script that asks it, and what the script is told of the database.

    ``abandoned`` is called with the first thing the process told, where it did not end by itself.
    """

    engine: str
    script: Path
    orders: Mapping[str, Any]
    abandoned: Callable[[Mapping[str, Any]], None] | None = None


def sqlite_place(database: Path) -> Place:
    """Answer where a SQLite file is asked; one that is not there is an empty database."""
    parts = [database.with_name(database.name + suffix) for suffix in ("", "-wal")]
    sizes = [part.stat().st_size for part in parts if part.is_file()]
    return Place(
        engine="SQLite",
        script=Path(query_child.__file__),
        orders={
            "database": str(database.absolute()) if database.is_file() else None,
            "file_bytes": max(sizes, default=0) + MAX_GROWTH_BYTES,
        },
    )


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its type as declared where it comes from a table, else how its first value is stored, lower case."""

    name: str
    type: str


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a query answered. Values are ready for JSON: bytes as `{"base64": ...}`, infinity as `{"real": "inf"}`.

    `truncated` says that rows were left out, `elapsed` is in seconds, `changes` the rows it would have changed. `plan`
    is how the engine would go about it, where that was asked instead of running the query.
    """

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool
    elapsed: float
    changes: int
    plan: list[str] | None = None


class QueryParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a query, and its type where the engine knows one."""

    name: str
    type: str | None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says of a query it has not run: its parameters, or ``problem``, why there is no telling."""

    parameters: tuple[QueryParameter, ...] = ()
    problem: str | None = None


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a process answers of one query that has no result: its parameters, or an error."""

    parameters: tuple[QueryParameter, ...] = ()
    error: str | None = None
    message: str = ""
    position: int | None = None


class _Described(msgspec.Struct, frozen=True, kw_only=True):
    described: tuple[_Outcome, ...]


def test_query(database: Path, sql: str, **options: Any) -> QueryResult:
    """Ask a SQLite file like :func:`ask`."""
    return ask(sqlite_place(database), sql, **options)


test_query.__test__ = False  # type: ignore[attr-defined]  # a name that test runners would collect


def ask(
    place: Place,
    sql: str,
    *,
    parameters: Parameters = (),
    max_rows: int = DEFAULT_ROWS,
    plan: bool = False,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    max_bytes: int = MAX_VALUE_BYTES,
    python: str = sys.executable,
) -> QueryResult:
    """Run one statement and take it back; with `plan` say how it would be gone about, and do not run it.

    `parameters` are named or in order; see `query_parameters`. At most 10,000 rows and 30 seconds. Raises
    `ModuleProblem`: query_failed with the engine's message and, where known, the position in the text from 1, and its
    line and column; query_refused; query_timeout.
    """
    check_statement(sql)
    try:
        given = portable(parameters)
    except UnfitParameter as error:
        _fail(str(error))
    seconds = max(0.0, min(timeout_seconds, MAX_TIMEOUT_SECONDS))
    orders = {
        "sql": sql,
        "parameters": given,
        "plan": plan,
        "max_rows": max(0, min(max_rows, MAX_ROWS)),
        "max_bytes": max(0, min(max_bytes, MAX_VALUE_BYTES)),
    }
    finished = _run(place, orders, seconds, python)
    answer = _answer(finished, timeout_seconds)
    if "error" in answer:
        raise _problem(place, sql, msgspec.convert(answer, _Outcome), timeout_seconds)
    return msgspec.convert(answer, QueryResult)


def describe(
    place: Place,
    queries: Sequence[str],
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    python: str = sys.executable,
) -> list[Description]:
    """Let an engine say what the parameters of queries are, and run none. Raises `ModuleProblem` (query_timeout)."""
    if not queries:
        return []
    finished = _run(place, {"describe": list(queries)}, timeout_seconds, python)
    found = msgspec.convert(_answer(finished, timeout_seconds), _Described)
    return [
        Description(
            parameters=outcome.parameters,
            problem=None if outcome.error is None else _problem(place, sql, outcome, timeout_seconds).detail,
        )
        for sql, outcome in zip(queries, found.described, strict=True)
    ]


def check_statement(sql: str) -> None:
    """Raise `ModuleProblem` for what is no statement, before anything runs."""
    size = len(sql.encode(errors="replace"))
    if size > MAX_SQL_BYTES:
        _fail(f"The query has {size:,} bytes; {MAX_SQL_BYTES:,} are allowed. Pass large values as parameters.")
    if next(split_statements(sql), None) is None:
        _fail("There is no statement in the query. Write one.")
    if "\0" in sql:
        _fail("The query has a NUL character. Remove it.", sql=sql, position=sql.index("\0") + 1)


def _run(place: Place, orders: Mapping[str, Any], seconds: float, python: str) -> Finished:
    bounds = {"timeout_seconds": seconds, "memory_bytes": MAX_MEMORY_BYTES, "file_bytes": MAX_GROWTH_BYTES}
    given = _encode(bounds | dict(place.orders) | dict(orders))
    with tempfile.TemporaryDirectory(prefix="placet-query-", ignore_cleanup_errors=True) as home:
        finished = run_bounded(
            [python, "-I", "-B", str(place.script)],
            directory=Path(home),
            environment=bare_environment(Path(home)),
            timeout_seconds=seconds + _AROUND_SECONDS,
            given=given,
            max_result_bytes=8 * MAX_VALUE_BYTES,
        )
    if place.abandoned is not None and (finished.timed_out or finished.overflowed or finished.returncode != 0):
        told, _, _ = finished.result.partition(b"\n")
        place.abandoned(msgspec.json.decode(told) if told else {})
    return finished


def _encode(orders: Mapping[str, Any]) -> bytes:
    try:
        given = msgspec.json.encode(orders)
    except (UnicodeEncodeError, ValueError, OverflowError):
        _fail("The query or a parameter holds a value that cannot be passed on. Use valid text and numbers.")
    if len(given) > 2 * MAX_VALUE_BYTES:
        _fail(f"The parameters are larger than the {MAX_VALUE_BYTES:,} bytes allowed. Pass less.")
    return given


def _answer(finished: Finished, timeout_seconds: float) -> dict[str, Any]:
    """Answer the last thing the process told."""
    if finished.timed_out:
        raise _too_long(timeout_seconds)
    if finished.returncode != 0 or not finished.result:
        how = "needed more memory than it may" if "MemoryError" in finished.output else "ended its process"
        _fail(f"The query {how}. Select fewer or smaller values.", output=finished.output)
    answer: dict[str, Any] = msgspec.json.decode(finished.result.splitlines()[-1])
    return answer


def _problem(place: Place, sql: str, outcome: _Outcome, timeout_seconds: float) -> ModuleProblem:
    if outcome.error == "timeout":
        return _too_long(timeout_seconds, locked=outcome.message == "locked")
    if outcome.error == "refused":
        return _located(ProblemCode.QUERY_REFUSED, _refusal(place, outcome.message), sql, outcome.position)
    detail = f"{place.engine} says: {outcome.message.rstrip('.')}."
    return _located(ProblemCode.QUERY_FAILED, detail, sql, outcome.position)


def _refusal(place: Place, what: str) -> str:
    if place.engine == "SQLite":
        detail = f"A test query may not use {what}: it could leave something behind."
        return f"{detail} Everything else is allowed, and taken back when the query is done."
    detail = f"{place.engine} does not let a test query do this: {what.rstrip('.')}."
    return f"{detail} It may read what the module has, with SELECT, VALUES, TABLE or WITH."


def _located(
    code: ProblemCode, detail: str, sql: str, position: int | None, output: str | None = None
) -> ModuleProblem:
    if position is None:
        return ModuleProblem(code, detail, step="query", output=output)
    before = sql[: position - 1]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return ModuleProblem(code, detail, step="query", position=position, line=line, column=column, output=output)


def _too_long(timeout_seconds: float, *, locked: bool = False) -> ModuleProblem:
    if locked:
        detail = f"The module held its database locked for all of the {timeout_seconds:g} seconds. Try again."
    else:
        detail = f"The query was stopped after {timeout_seconds:g} seconds. Select less, or add an index."
    return ModuleProblem(ProblemCode.QUERY_TIMEOUT, detail, step="query")


def _fail(detail: str, *, sql: str = "", position: int | None = None, output: str | None = None) -> NoReturn:
    raise _located(ProblemCode.QUERY_FAILED, detail, sql, position, output)
