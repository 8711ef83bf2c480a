"""Brings a module's PostgreSQL schema to what its `schema.sql` declares, by adding what is missing.

The promise is that of `schema`, kept by the same steps:

1. The script runs in an empty scratch schema, in a transaction that is rolled back. The catalogs, compared around each
   statement, say what it creates; its command tag and plan, which tables it fills. A role that may reach nothing but
   that schema runs it, so that what leaves it is refused by rights.
2. On the live schema a statement is run only if nothing of what it creates is there; rows are put only into tables
   created in the same run. All of it is one transaction.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import psycopg
from psycopg import pq

from placet.platform.postgresql_text import split_statements
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema import DEFAULT_TIMEOUT_SECONDS, SCHEMA_FILE, Entity, check_size, invalid, placed
from placet.platform.sql_text import Statement
from placet.store.failures import DatabaseUnavailable

_KINDS = {"table": "table", "foreign table": "table", "view": "view", "materialized view": "view"}
# Taken back from the last to the first: what goes with a table is named before it, and is gone by then.
_OWNED_FIRST = ("sequence", "index", "trigger", "function", "procedure", "aggregate", "type")
_CANCEL_AFTER, _END_AFTER = 0.25, 2.0
_OBJECTS = """
WITH n AS (SELECT oid, pg_catalog.quote_ident(nspname) || '.' AS prefix FROM pg_catalog.pg_namespace WHERE nspname = $1)
SELECT i.type, i.identity, pg_catalog.replace(i.identity, (SELECT prefix FROM n), ''), o.name
  FROM (SELECT 'pg_catalog.pg_class'::regclass AS catalog, oid, relname::text AS name FROM pg_catalog.pg_class
         WHERE relnamespace = (SELECT oid FROM n) AND relkind <> 'c'
         UNION ALL
        SELECT 'pg_catalog.pg_type'::regclass, t.oid, NULL FROM pg_catalog.pg_type t
          LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
         WHERE t.typnamespace = (SELECT oid FROM n) AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
         UNION ALL
        SELECT 'pg_catalog.pg_proc'::regclass, oid, NULL FROM pg_catalog.pg_proc
         WHERE pronamespace = (SELECT oid FROM n)
         UNION ALL
        SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, NULL FROM pg_catalog.pg_trigger t
          JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = (SELECT oid FROM n) AND NOT t.tgisinternal) AS o,
       pg_catalog.pg_identify_object(o.catalog, o.oid, 0) AS i
 ORDER BY o.oid
"""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How a role reaches its schema. ``end`` ends a process of the server that does not let itself be cancelled."""

    conninfo: str
    schema: str
    end: Callable[[int], None]


class _Object(msgspec.Struct, frozen=True):
    """By the engine's own word; ``key`` is kind and name without the schema, ``name`` that of a relation."""

    kind: str
    identity: str
    key: str
    name: str | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, the keys of what it creates, and the names of the tables it fills."""

    statement: Statement
    creates: frozenset[str]
    fills: frozenset[str]


class _Session:
    """One transaction on a schema, with a deadline."""

    def __init__(self, connection: pq.abc.PGconn, schema: str, deadline: float) -> None:
        self._connection = connection
        self._schema = schema
        self._deadline = deadline

    def run(self, statement: Statement) -> str:
        """Run a statement and answer its command tag; raises ``ModuleProblem`` with the place."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise _too_long(statement)
        self.command(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
        self._checked(statement, self._connection.prepare(b"", statement.sql.encode(errors="replace")))
        if self._checked(statement, self._connection.describe_prepared(b"")).nfields:
            what = "A statement that answers rows is not allowed"
            raise invalid(f"{what} in {SCHEMA_FILE}. Leave out SELECT and RETURNING.", statement.line)
        done = self._checked(statement, self._connection.exec_prepared(b"", None))
        tag = (done.command_status or b"").decode()
        if self._connection.transaction_status != pq.TransactionStatus.INTRANS:
            raise _not_allowed(tag, statement)
        return tag

    def filled(self, statement: Statement) -> frozenset[str]:
        """Answer the tables an INSERT fills, by its plan; raises ``ModuleProblem`` where it changes others as well."""
        sql = f"EXPLAIN (FORMAT JSON) {statement.sql}".encode(errors="replace")
        told = self._checked(statement, self._connection.exec_params(sql, None))
        changed = list(_changes(json.loads(told.get_value(0, 0) or b"[]")))
        others = [operation for operation, _ in changed if operation != "Insert"]
        if others:
            raise _not_allowed(others[0].upper(), statement)
        return frozenset(table for _, table in changed)

    def objects(self) -> dict[str, _Object]:
        """Answer what there is in the schema, by key."""
        told = self._connection.exec_params(_OBJECTS.encode(), [self._schema.encode()])
        if told.status != pq.ExecStatus.TUPLES_OK:
            raise _unreachable(told.error_message.decode(errors="replace"))
        rows = [[_decoded(told.get_value(i, j)) for j in range(4)] for i in range(told.ntuples)]
        found = [_Object(str(kind), str(identity), f"{kind} {short}", name) for kind, identity, short, name in rows]
        return {item.key: item for item in found}

    def command(self, sql: str) -> None:
        """Run a statement of Placet's own."""
        done = self._connection.exec_(sql.encode())
        if done.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            raise _unreachable(done.error_message.decode(errors="replace"))

    def _checked(self, statement: Statement, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            return result
        field = pq.DiagnosticField
        if result.error_field(field.SQLSTATE) == b"57014" or time.monotonic() >= self._deadline:
            raise _too_long(statement)
        message = (result.error_field(field.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace")[:2000]
        position = result.error_field(field.STATEMENT_POSITION)
        line, column = placed(statement, int(position) - 1 if position else None)
        raise invalid(f"{SCHEMA_FILE}, line {line}: {message}.", line, column)


def plan(
    access: Access, schema_sql: str, *, seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> tuple[tuple[Step, ...], tuple[Entity, ...]]:
    """Try a script in an empty schema and take it back; answer what each statement does, and tables and views made.

    Raises ``ModuleProblem`` (schema_invalid) with line and position.
    """
    check_size(len(schema_sql.encode(errors="replace")))
    if "\0" in schema_sql:
        raise invalid(
            f"{SCHEMA_FILE} has a NUL character. Remove it.", schema_sql.count("\n", 0, schema_sql.index("\0"))
        )
    steps = []
    with _session(access, seconds) as session:
        before = session.objects()
        for statement in split_statements(schema_sql):
            tag = session.run(statement)
            after = session.objects()
            creates = frozenset(after.keys() - before.keys())
            fills = session.filled(statement) if tag.startswith("INSERT") else frozenset[str]()
            if not (creates and tag.startswith(("CREATE", "SELECT")) and before.keys() <= after.keys()) and not fills:
                raise _not_allowed(tag, statement)
            steps.append(Step(statement=statement, creates=creates, fills=fills))
            before = after
    entities = sorted(
        (Entity(kind=_KINDS[item.kind], name=item.name or "") for item in before.values() if item.kind in _KINDS),
        key=lambda entity: entity.name,
    )
    return tuple(steps), tuple(entities)


def add_missing(
    access: Access, steps: Sequence[Step], *, keep: bool, seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> tuple[str, ...]:
    """Run the steps that make what is missing and answer the keys of what they made; without ``keep`` take it back."""
    created: list[str] = []
    tables: set[str | None] = set()
    with _session(access, seconds) as session:
        present = session.objects()
        before = present
        for step in steps:
            wanted = not (step.creates & present.keys()) if step.creates else step.fills <= tables
            if not wanted:
                continue
            session.run(step.statement)
            if step.creates:
                after = session.objects()
                new = [item for key, item in after.items() if key not in before]
                created += [item.key for item in sorted(new, key=_rank)]
                tables |= {item.name for item in new}
                before = after
        if keep:
            session.command("COMMIT")
    return tuple(created)


def remove(access: Access, keys: Sequence[str], *, seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    """Drop what is there of what was created, the last first."""
    with _session(access, seconds) as session:
        for key in reversed(keys):
            found = session.objects().get(key)
            if found is not None:
                session.command(f"DROP {found.kind} {found.identity}")
        session.command("COMMIT")


def _rank(item: _Object) -> int:
    return _OWNED_FIRST.index(item.kind) if item.kind in _OWNED_FIRST else len(_OWNED_FIRST)


def _changes(plan: Any) -> Iterator[tuple[str, str]]:
    """Yield operation and table of each part of a plan that changes one."""
    if isinstance(plan, list):
        for part in plan:
            yield from _changes(part)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "ModifyTable":
            yield str(plan["Operation"]), str(plan.get("Relation Name", ""))
        for part in plan.values():
            yield from _changes(part)


@contextmanager
def _session(access: Access, seconds: float) -> Iterator[_Session]:
    """A transaction of the role's, rolled back unless it is committed, that ends whatever runs in it."""
    try:
        driver = psycopg.connect(access.conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        raise _not_let_in(error) from error
    connection = driver.pgconn
    canceller, pid = connection.get_cancel(), connection.backend_pid
    timers = [
        threading.Timer(seconds + _CANCEL_AFTER, lambda: _quietly(canceller.cancel)),
        threading.Timer(seconds + _END_AFTER, lambda: access.end(pid)),
    ]
    try:
        for timer in timers:
            timer.daemon = True
            timer.start()
        session = _Session(connection, access.schema, time.monotonic() + seconds)
        session.command("BEGIN")
        session.command("SET LOCAL lock_timeout = '3s'")
        yield session
    finally:
        for timer in timers:
            timer.cancel()
        driver.close()


def _quietly(work: Callable[[], None]) -> None:
    with suppress(psycopg.Error):
        work()


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _not_allowed(tag: str, statement: Statement) -> ModuleProblem:
    detail = f"{tag or 'This statement'} is not allowed in {SCHEMA_FILE}; it may create tables, views, indexes, "
    return invalid(
        f"{detail}sequences, types, functions and triggers and insert rows into tables it creates.", statement.line
    )


def _too_long(statement: Statement) -> ModuleProblem:
    detail = f"{SCHEMA_FILE} takes too long to run; this statement was stopped. Insert fewer rows."
    return invalid(detail, statement.line)


def _unreachable(message: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"The database cannot be reached: {' '.join(message.split())[:500]}")


def _not_let_in(error: psycopg.Error) -> ModuleProblem:
    return ModuleProblem(
        ProblemCode.DATABASE_NOT_OFFERED,
        f"PostgreSQL does not let the module's role in: {' '.join(str(error).split())[:300]}. See that its pg_hba.conf "
        "lets roles with a password connect to Placet's database.",
        step="database",
    )
