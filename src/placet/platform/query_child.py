"""Runs one test query and takes it back. Run as a script, in a process of its own.

Reads its orders as JSON from standard input and writes one JSON object to the descriptor given as its argument. A
process, because a single SQL function call over large values cannot be interrupted from within: only ended.

Orders with a list `describe` run nothing: each of its queries is compiled, and the engine asked for its parameters.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from placet.platform.query_process import MAX_SQL_BYTES, MAX_VALUE_BYTES, as_json, from_base64, main
from placet.platform.sql_rules import QueryRules
from placet.platform.sql_text import error_offset, without_parameters

_INSTRUCTIONS_BETWEEN_CHECKS = 1000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL_BYTES + 100,  # EXPLAIN and a view around it come on top
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STORAGE = {int: "integer", float: "real", str: "text", bytes: "blob"}


class Asked(dict[str, Any]):
    """Parameters that note which names the engine asks for, and have nothing for any of them."""

    def __missing__(self, name: str) -> None:
        self[name] = None


def run(orders: dict[str, Any]) -> dict[str, Any]:
    """Run `orders["sql"]` on `orders["database"]`, None: an empty one, in a transaction that is always rolled back."""
    deadline = time.monotonic() + orders["timeout_seconds"]
    with _connected(orders, deadline) as (connection, rules):
        if "describe" in orders:
            return {"described": [_described(connection, rules, sql) for sql in orders["describe"]]}
        try:
            return _plan(connection, orders) if orders.get("plan") else _result(connection, orders, deadline)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, MemoryError) as error:
            return _error(connection, orders["sql"], error, rules.refused, timed_out=time.monotonic() >= deadline)


@contextlib.contextmanager
def _connected(orders: dict[str, Any], deadline: float) -> Iterator[tuple[sqlite3.Connection, QueryRules]]:
    uri = "file::memory:" if orders["database"] is None else f"{Path(orders['database']).as_uri()}?mode=rw"
    rules = QueryRules()
    connection = sqlite3.connect(uri, uri=True, timeout=orders["timeout_seconds"], isolation_level=None)
    with contextlib.closing(connection):
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.text_factory = lambda data: data.decode(errors="replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")  # where it is bounded with the rest of this process
        connection.execute("BEGIN")
        connection.set_authorizer(rules)
        connection.set_progress_handler(lambda: time.monotonic() >= deadline, _INSTRUCTIONS_BETWEEN_CHECKS)
        try:
            yield connection, rules
        finally:
            connection.set_progress_handler(None, 0)
            connection.set_authorizer(None)
            connection.rollback()


def _described(connection: sqlite3.Connection, rules: QueryRules, sql: str) -> dict[str, Any]:
    """Return the names of a query's parameters, by the engine's own word: it asks for each when it is compiled."""
    asked, rules.refused = Asked(), None
    try:
        connection.execute(f"EXPLAIN {sql}", asked).close()
    except (sqlite3.Error, sqlite3.Warning, OverflowError, MemoryError) as error:
        return _error(connection, sql, error, rules.refused, timed_out=False)
    return {"parameters": [{"name": name, "type": None} for name in asked]}


def _plan(connection: sqlite3.Connection, orders: dict[str, Any]) -> dict[str, Any]:
    """Return how the engine would go about it, one line for each step, indented below the one it is a part of."""
    began = time.monotonic()
    depths: dict[int, int] = {0: -1}
    lines = []
    for step, above, _, detail in connection.execute(
        f"EXPLAIN QUERY PLAN {orders['sql']}", _parameters(orders["parameters"])
    ):
        depths[step] = depths.get(above, -1) + 1
        lines.append("  " * depths[step] + detail)
    elapsed = time.monotonic() - began
    return {"columns": [], "rows": [], "truncated": False, "elapsed": elapsed, "changes": 0, "plan": lines}


def _result(connection: sqlite3.Connection, orders: dict[str, Any], deadline: float) -> dict[str, Any]:
    began = time.monotonic()
    before = connection.total_changes
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(orders["sql"], _parameters(orders["parameters"]))
        names = [column[0] for column in cursor.description or ()]
        rows, truncated, storage = _rows(cursor, len(names), orders, deadline)
    elapsed = time.monotonic() - began
    changes = connection.total_changes - before
    declared = _declared_types(connection, orders["sql"], len(names))
    types = [known or found or "null" for known, found in zip(declared, storage, strict=True)]
    columns = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
    return {"columns": columns, "rows": rows, "truncated": truncated, "elapsed": elapsed, "changes": changes}


def _rows(
    cursor: sqlite3.Cursor, width: int, orders: dict[str, Any], deadline: float
) -> tuple[list[list[Any]], bool, list[str | None]]:
    rows: list[list[Any]] = []
    storage: list[str | None] = [None] * width
    size = 0
    for row in cursor:
        size += sum(_size(value) for value in row)
        if len(rows) >= orders["max_rows"] or size > orders["max_bytes"]:
            return rows, True, storage
        if time.monotonic() >= deadline:
            raise sqlite3.OperationalError("interrupted")
        storage = [known or _STORAGE.get(type(value)) for known, value in zip(storage, row, strict=True)]
        rows.append([as_json(value) for value in row])
    return rows, False, storage


def _declared_types(connection: sqlite3.Connection, sql: str, width: int) -> list[str]:
    """Return the types the columns were declared with, as a view over the query shows them; empty where it cannot."""
    unknown = [""] * width
    try:
        connection.execute(f"CREATE TEMP VIEW placet_types AS {without_parameters(sql)}")
        rows = connection.execute("SELECT type FROM pragma_table_info('placet_types')").fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        return unknown
    return [str(kind).lower() for (kind,) in rows] if len(rows) == width else unknown


def _parameters(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: _as_value(value) for name, value in given.items()}
    return [_as_value(value) for value in given]


def _as_value(value: Any) -> Any:
    """Return what is bound. SQLite has no decimals and no dates: a date is bound as the text that it was given as."""
    if not isinstance(value, dict):
        return value
    if "base64" in value:
        return from_base64(value)
    if value["type"] == "decimal" and value["value"] is not None:
        return _number(Decimal(value["value"]))
    return value["value"]


def _number(exact: Decimal) -> int | float:
    if exact == exact.to_integral_value():
        return int(exact)
    near = float(exact)
    if Decimal(repr(near)) != exact:
        raise sqlite3.DataError(f"{exact} has more digits than its numbers can hold; give it as text")
    return near


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    return len(value) * 4 // 3 if isinstance(value, bytes) else 8


def _error(
    connection: sqlite3.Connection, sql: str, error: Exception, refused: str | None, *, timed_out: bool
) -> dict[str, Any]:
    message = str(error) or type(error).__name__
    locked = "locked" in message
    if refused is not None and not timed_out:
        return {"error": "refused", "message": refused}
    if timed_out or locked:
        return {"error": "timeout", "message": "locked" if locked else ""}
    connection.set_progress_handler(None, 0)
    offset = error_offset(connection, sql, message)
    return {"error": "failed", "message": message, "position": None if offset is None else offset + 1}


if __name__ == "__main__":
    main(run)
