"""Runs one test query on PostgreSQL, read-only and rolled back. Run as a script, in a process of its own.

Orders and answers are those of `query_child`. The first line that is told says which process of the server works for
this one, so that it can be ended by whoever ordered this.

1. It is connected as a role that may read the module's schema, and nothing else.
2. The transaction is read-only: nothing in it can be made writable any more once it has a snapshot.
3. What runs is `DECLARE ... CURSOR FOR` the query, by the extended protocol: one statement, and by the engine's grammar
   one that answers rows. COMMIT, SET, COPY, DO, LISTEN and whatever else there is cannot be written there.
4. The engine stops it by `statement_timeout`; this process cancels it; whoever ordered it ends both.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import pq

from placet.platform.postgresql_text import Numbered, numbered
from placet.platform.query_process import as_json, from_base64, main, tell

_OIDS = {"text": 25, "decimal": 1700, "date": 1082, "time": 1083, "timestamp": 1114}
_BOOL, _BYTEA, _INT4, _INT8, _FLOAT8, _NUMERIC, _TIMESTAMPTZ = 16, 17, 23, 20, 701, 1700, 1184
_UNKNOWN = 0  # the engine infers it
_INTEGERS, _FLOATS = (20, 21, 23), (700, 701)
_DECLARE = "DECLARE placet_query NO SCROLL CURSOR FOR\n"
_EXPLAIN = "EXPLAIN "
_WORDS = {"syntax": "42601", "canceled": "57014", "lock": "55P03"}
# Of what the engine refuses, that which is no mistake in the query: it may not do this here.
_REFUSALS = ("42501", "25006", "0A000", "42P11")
_TYPES = (
    "SELECT pg_catalog.format_type(t.o, t.m)"
    " FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::int4[])) WITH ORDINALITY AS t(o, m, n)"
    " ORDER BY t.n"
)
_SETTINGS = (
    "SET statement_timeout = {}",
    "SET lock_timeout = {}",
    "SET client_connection_check_interval = 1000",
    "SET cursor_tuple_fraction = 1",
    "SET bytea_output = 'hex'",
    "SET datestyle = 'ISO'",
    "SET intervalstyle = 'iso_8601'",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT 1",  # it has a snapshot, and so can never be writable
)
_CANCEL_AFTER = 0.25


class _Failed(Exception):
    """The engine said no. ``position`` is in the text that it was given, from 1."""

    def __init__(self, result: pq.abc.PGresult) -> None:
        self.state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
        self.message = message.decode(errors="replace")[:2000]
        position = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
        self.position = int(position) if position else None
        super().__init__(self.message)


class _NotAQuery(Exception):
    """It is a statement, and none that answers rows."""


def run(orders: dict[str, Any]) -> dict[str, Any]:
    """Answer `orders["sql"]`, its plan, or what the parameters of `orders["describe"]` are."""
    seconds = orders["timeout_seconds"]
    try:
        with _connected(orders) as connection:
            if "describe" in orders:
                return {"described": [_described(connection, sql) for sql in orders["describe"]]}
            text = numbered(orders["sql"])
            with _cancelled_after(connection, seconds + _CANCEL_AFTER):
                return _asked(connection, orders, text)
    except psycopg.OperationalError as error:
        return {"error": "failed", "message": f"it cannot be reached: {' '.join(str(error).split())[:300]}"}


def _asked(connection: pq.abc.PGconn, orders: dict[str, Any], text: Numbered) -> dict[str, Any]:
    try:
        return _plan(connection, orders, text) if orders.get("plan") else _result(connection, orders, text)
    except _Failed as error:
        return _error(error, text)
    except _NotAQuery:
        return {"error": "refused", "message": "the statement is not one that only answers rows", "position": None}
    except ValueError as error:
        return {"error": "failed", "message": str(error), "position": None}


@contextlib.contextmanager
def _connected(orders: dict[str, Any]) -> Iterator[pq.abc.PGconn]:
    milliseconds = max(1, int(orders["timeout_seconds"] * 1000))
    session = psycopg.connect(orders["conninfo"], autocommit=True)
    connection = session.pgconn
    try:
        tell({"pid": connection.backend_pid})
        for statement in _SETTINGS:
            _checked(connection.exec_(statement.format(milliseconds).encode()))
        yield connection
    finally:
        if connection.transaction_status == pq.TransactionStatus.ACTIVE:
            connection.get_cancel().cancel()  # there is more of an answer than anybody wants
        session.close()  # which rolls back


@contextlib.contextmanager
def _cancelled_after(connection: pq.abc.PGconn, seconds: float) -> Iterator[None]:
    """Have the engine asked to stop. A function may go on all the same: then it is ended with this process."""
    canceller = connection.get_cancel()
    timer = threading.Timer(seconds, canceller.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _result(connection: pq.abc.PGconn, orders: dict[str, Any], text: Numbered) -> dict[str, Any]:
    values, oids = _parameters(orders["parameters"], text)
    columns = _columns(connection, text, oids)
    began = time.monotonic()
    _declare(connection, text, values, oids)
    rows, truncated = _rows(connection, orders)
    elapsed = time.monotonic() - began
    return {"columns": columns, "rows": rows, "truncated": truncated, "elapsed": elapsed, "changes": 0}


def _columns(connection: pq.abc.PGconn, text: Numbered, oids: Sequence[int]) -> list[dict[str, Any]]:
    """Let the engine parse the statement, and say which columns it answers."""
    _checked(connection.prepare(b"", text.sql.encode(), oids))
    found = _checked(connection.describe_prepared(b""))
    names = [(found.fname(i) or b"").decode(errors="replace") for i in range(found.nfields)]
    types = "{" + ",".join(str(found.ftype(i)) for i in range(found.nfields)) + "}"
    modifiers = "{" + ",".join(str(found.fmod(i)) for i in range(found.nfields)) + "}"
    told = _checked(connection.exec_params(_TYPES.encode(), [types.encode(), modifiers.encode()]))
    return [
        {"name": name, "type": (told.get_value(i, 0) or b"").decode(errors="replace")} for i, name in enumerate(names)
    ]


def _declare(connection: pq.abc.PGconn, text: Numbered, values: Sequence[bytes | None], oids: Sequence[int]) -> None:
    result = connection.exec_params((_DECLARE + text.sql).encode(), values, param_types=oids)
    if result.status == pq.ExecStatus.COMMAND_OK:
        return
    error = _Failed(result)
    if error.state == _WORDS["syntax"]:  # parsed on its own it has no mistake, so that it is what cannot stand there
        raise _NotAQuery
    if error.position is not None:
        error.position = max(1, error.position - len(_DECLARE))
    raise error


def _rows(connection: pq.abc.PGconn, orders: dict[str, Any]) -> tuple[list[list[Any]], bool]:
    most, size = orders["max_rows"], 0
    rows: list[list[Any]] = []
    connection.send_query_params(f"FETCH FORWARD {most + 1} FROM placet_query".encode(), None)
    connection.set_single_row_mode()
    while (result := connection.get_result()) is not None:
        if result.status == pq.ExecStatus.TUPLES_OK:
            continue
        if result.status != pq.ExecStatus.SINGLE_TUPLE:
            raise _Failed(result)
        raw = [result.get_value(0, i) for i in range(result.nfields)]
        size += sum(len(value or b"") for value in raw)
        if len(rows) >= most or size > orders["max_bytes"]:
            return rows, True  # what comes after is not read: the connection is closed
        rows.append([_value(value, result.ftype(i)) for i, value in enumerate(raw)])
    return rows, False


def _plan(connection: pq.abc.PGconn, orders: dict[str, Any], text: Numbered) -> dict[str, Any]:
    values, oids = _parameters(orders["parameters"], text)
    began = time.monotonic()
    _checked(connection.prepare(b"", text.sql.encode(), oids))
    result = connection.exec_params((_EXPLAIN + text.sql).encode(), values, param_types=oids)
    if result.status != pq.ExecStatus.TUPLES_OK:
        error = _Failed(result)
        if error.state == _WORDS["syntax"]:
            raise _NotAQuery
        raise error
    lines = [(result.get_value(i, 0) or b"").decode(errors="replace") for i in range(result.ntuples)]
    elapsed = time.monotonic() - began
    return {"columns": [], "rows": [], "truncated": False, "elapsed": elapsed, "changes": 0, "plan": lines}


def _described(connection: pq.abc.PGconn, sql: str) -> dict[str, Any]:
    """Return the parameters of a query that is only parsed, with the types that the engine infers."""
    text = numbered(sql)
    _checked(connection.exec_(b"SAVEPOINT placet_described"))
    try:
        _checked(connection.prepare(b"", text.sql.encode(), None))
        found = _checked(connection.describe_prepared(b""))
        types = "{" + ",".join(str(found.param_type(i)) for i in range(found.nparams)) + "}"
        modifiers = "{" + ",".join(["-1"] * found.nparams) + "}"
        told = _checked(connection.exec_params(_TYPES.encode(), [types.encode(), modifiers.encode()]))
    except _Failed as error:
        _checked(connection.exec_(b"ROLLBACK TO SAVEPOINT placet_described"))
        return _error(error, text)
    names = text.names or tuple(str(i + 1) for i in range(found.nparams))
    kinds = [(told.get_value(i, 0) or b"").decode() for i in range(told.ntuples)]
    return {"parameters": [{"name": name, "type": kind} for name, kind in zip(names, kinds, strict=True)]}


def _parameters(given: Any, text: Numbered) -> tuple[list[bytes | None], list[int]]:
    if isinstance(given, dict):
        missing = [name for name in text.names if name not in given]
        if missing:
            raise ValueError(f"you did not supply a value for the parameter {missing[0]}")
        given = [given[name] for name in text.names]
    pairs = [_parameter(value) for value in given]
    return [value for value, _ in pairs], [oid for _, oid in pairs]


def _parameter(value: Any) -> tuple[bytes | None, int]:
    """Return a parameter as the text that the engine reads, and its type; for plain text it infers that itself."""
    if value is None:
        return None, _UNKNOWN
    if isinstance(value, bool):
        return (b"true" if value else b"false"), _BOOL
    if isinstance(value, int):
        oid = _INT4 if -(2**31) <= value < 2**31 else _INT8 if -(2**63) <= value < 2**63 else _NUMERIC
        return str(value).encode(), oid
    if isinstance(value, float):
        return repr(value).encode(), _FLOAT8
    if isinstance(value, str):
        return _text(value), _UNKNOWN
    if "base64" in value:
        return b"\\x" + from_base64(value).hex().encode(), _BYTEA
    text, kind = value["value"], value["type"]
    oid = _OIDS.get(kind, _UNKNOWN)
    if kind == "timestamp" and text is not None and _has_zone(text):
        oid = _TIMESTAMPTZ
    return (None if text is None else _text(text)), oid


def _has_zone(moment: str) -> bool:
    return moment.endswith("Z") or moment[-6:-5] in {"+", "-"}


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a text cannot hold a NUL character")
    return value.encode()


def _value(raw: bytes | None, oid: int) -> Any:
    """Return a value for JSON: numbers, booleans and bytes as such, all else as the engine writes it."""
    if raw is None:
        return None
    if oid in _INTEGERS:
        return int(raw)
    if oid in _FLOATS:
        return as_json(float(raw))
    if oid == _BOOL:
        return raw == b"t"
    if oid == _BYTEA:
        return as_json(bytes.fromhex(raw[2:].decode()))
    return raw.decode(errors="replace")


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
        raise _Failed(result)
    return result


def _error(error: _Failed, text: Numbered) -> dict[str, Any]:
    if error.state == _WORDS["canceled"]:
        return {"error": "timeout", "message": ""}
    if error.state == _WORDS["lock"]:
        return {"error": "timeout", "message": "locked"}
    position = None if error.position is None else text.original(error.position)
    kind = "refused" if error.state in _REFUSALS else "failed"
    return {"error": kind, "message": error.message, "position": position}


if __name__ == "__main__":
    main(run)
