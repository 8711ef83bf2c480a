"""Runs one test query and takes it back. Run as a script, in a process of its own.

Reads its orders as JSON from standard input and writes one JSON object to the descriptor given as its argument. A
process, because a single SQL function call over large values cannot be interrupted from within: only ended.
"""

import base64
import contextlib
import json
import math
import os
import resource
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from placet.platform.sql_rules import QueryRules
from placet.platform.sql_text import error_offset, without_parameters

MAX_VALUE_BYTES = 4 * 1024 * 1024
MAX_SQL_BYTES = 100 * 1024
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


def run(orders: dict[str, Any]) -> dict[str, Any]:
    """Run `orders["sql"]` on `orders["database"]`, None: an empty one, in a transaction that is always rolled back."""
    deadline = time.monotonic() + orders["timeout_seconds"]
    uri = "file::memory:" if orders["database"] is None else f"{Path(orders['database']).as_uri()}?mode=rw"
    rules = QueryRules()
    connection = sqlite3.connect(uri, uri=True, timeout=orders["timeout_seconds"], isolation_level=None)
    with contextlib.closing(connection):
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.text_factory = lambda data: data.decode(errors="replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        connection.set_authorizer(rules)
        connection.set_progress_handler(lambda: time.monotonic() >= deadline, _INSTRUCTIONS_BETWEEN_CHECKS)
        try:
            return _result(connection, orders, deadline)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, MemoryError) as error:
            return _error(connection, orders["sql"], error, rules.refused, timed_out=time.monotonic() >= deadline)
        finally:
            connection.set_progress_handler(None, 0)
            connection.set_authorizer(None)
            connection.rollback()


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
        rows.append([_as_json(value) for value in row])
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
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"real": str(value)}
    return value


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


def main() -> None:
    """Do what standard input orders, within the memory it allows."""
    orders = json.loads(sys.stdin.buffer.read())
    memory = orders["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # a lower hard limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    answer = json.dumps(run(orders)).encode()
    with os.fdopen(int(sys.argv[-1]), "wb") as result:
        result.write(answer)


if __name__ == "__main__":
    main()
