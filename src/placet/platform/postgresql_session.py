"""One transaction of a module's role on its PostgreSQL schema, bounded in time, that tells errors with their place."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import psycopg
from psycopg import pq

from placet.platform.postgresql_shape import COLUMNS, CONSTRAINTS, Table, tables_of
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import READ_RECORD, RECORD_TABLE, SCHEMA_FILE, Migration, invalid, placed
from placet.platform.sql_rules import RECORD
from placet.platform.sql_text import Statement
from placet.store.failures import DatabaseUnavailable

_CANCEL_AFTER, _END_AFTER = 0.25, 2.0
_MAY = {
    True: "create tables, views, indexes, sequences, types, functions and triggers "
    "and insert rows into tables it creates",
    False: "create, alter, fill, change and drop what is the module's own, within the transaction it runs in",
}
_OBJECTS = """
WITH n AS (SELECT oid, pg_catalog.quote_ident(nspname) || '.' AS prefix FROM pg_catalog.pg_namespace WHERE nspname = $1)
SELECT i.type, i.identity, pg_catalog.replace(i.identity, (SELECT prefix FROM n), ''), o.name,
       pg_catalog.replace(o.definition, (SELECT prefix FROM n), '')
  FROM (SELECT 'pg_catalog.pg_class'::regclass AS catalog, oid, relname::text AS name,
               CASE WHEN relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(oid)
                    WHEN relkind = 'i' THEN pg_catalog.pg_get_indexdef(oid) END AS definition
          FROM pg_catalog.pg_class
         WHERE relnamespace = (SELECT oid FROM n) AND relkind <> 'c' AND relname <> 'placet_migrations'
         UNION ALL
        SELECT 'pg_catalog.pg_type'::regclass, t.oid, NULL,
               (SELECT pg_catalog.string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_catalog.pg_enum
                 WHERE enumtypid = t.oid)
          FROM pg_catalog.pg_type t
          LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
         WHERE t.typnamespace = (SELECT oid FROM n) AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
         UNION ALL
        SELECT 'pg_catalog.pg_proc'::regclass, oid, NULL,
               CASE WHEN prokind IN ('f', 'p') THEN pg_catalog.pg_get_functiondef(oid) END
          FROM pg_catalog.pg_proc
         WHERE pronamespace = (SELECT oid FROM n)
         UNION ALL
        SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, NULL, pg_catalog.pg_get_triggerdef(t.oid)
          FROM pg_catalog.pg_trigger t
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


class Object(msgspec.Struct, frozen=True):
    """By the engine's own word; ``key`` is kind and name without the schema, ``name`` that of a relation."""

    kind: str
    identity: str
    key: str
    name: str | None
    definition: str | None


class Session:
    """One transaction on a schema, with a deadline."""

    def __init__(self, connection: pq.abc.PGconn, schema: str, deadline: float) -> None:
        self._connection = connection
        self._schema = schema
        self._deadline = deadline

    def run(self, statement: Statement) -> str:
        """Run a statement of `schema.sql` and answer its command tag; raises ``ModuleProblem`` with the place."""
        self._limit(statement, SCHEMA_FILE)
        self._checked(statement, self._connection.prepare(b"", statement.sql.encode(errors="replace")))
        if self._checked(statement, self._connection.describe_prepared(b"")).nfields:
            what = "A statement that answers rows is not allowed"
            raise invalid(f"{what} in {SCHEMA_FILE}. Leave out SELECT and RETURNING.", statement.line)
        done = self._checked(statement, self._connection.exec_prepared(b"", None))
        tag = (done.command_status or b"").decode()
        if self._connection.transaction_status != pq.TransactionStatus.INTRANS:
            raise not_allowed(tag, statement)
        return tag

    def migrate(self, statement: Statement, file: str) -> None:
        """Run a statement of a migration; raises ``ModuleProblem`` with the place.

        The engine itself executes no COMMIT, ROLLBACK or SAVEPOINT that a routine is given as text.
        """
        self._limit(statement, file)
        literal = pq.Escaping(self._connection).escape_literal(statement.sql.encode(errors="replace"))
        quote = f"$a{secrets.token_hex(8)}$".encode()
        self._checked(
            statement, self._connection.exec_(b"DO %b BEGIN EXECUTE %b; END %b" % (quote, literal, quote)), file
        )

    def _limit(self, statement: Statement, file: str) -> None:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise _too_long(statement, file)
        self.command(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")

    def try_column(self, table: str, text: str) -> str | None:
        """Add a column by its definition; answers why that cannot be, with nothing changed then."""
        self.command("SAVEPOINT a_column")
        said = self._connection.exec_(f"ALTER TABLE {table} ADD COLUMN {text}".encode(errors="replace"))
        if said.status == pq.ExecStatus.COMMAND_OK:
            self.command("RELEASE SAVEPOINT a_column")
            return None
        primary = said.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or said.error_message
        self.command("ROLLBACK TO SAVEPOINT a_column")
        return primary.decode(errors="replace")[:500]

    def filled(self, statement: Statement) -> frozenset[str]:
        """Answer the tables an INSERT fills, by its plan; raises ``ModuleProblem`` where it changes others as well."""
        sql = f"EXPLAIN (FORMAT JSON) {statement.sql}".encode(errors="replace")
        told = self._checked(statement, self._connection.exec_params(sql, None))
        changed = list(_changes(json.loads(told.get_value(0, 0) or b"[]")))
        others = [operation for operation, _ in changed if operation != "Insert"]
        if others:
            raise not_allowed(others[0].upper(), statement)
        return frozenset(table for _, table in changed)

    def objects(self) -> dict[str, Object]:
        """Answer what there is in the schema, by key."""
        rows = self._asked(_OBJECTS, self._schema)
        found = [
            Object(str(kind), str(identity), f"{kind} {short}", name, definition)
            for kind, identity, short, name, definition in rows
        ]
        return {item.key: item for item in found}

    def tables(self) -> dict[str, Table]:
        """Answer the tables there are in the schema, by name."""
        columns = [[str(value) for value in row] for row in self._asked(COLUMNS, self._schema)]
        return tables_of(columns, [[str(value) for value in row] for row in self._asked(CONSTRAINTS, self._schema)])

    def is_there(self, relation: str) -> bool:
        """Tell whether there is a table of that name in the schema."""
        return bool(
            self._asked(
                "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2", self._schema, relation
            )
        )

    def applied(self) -> dict[str, str]:
        """Answer the migrations that are recorded: digests by name. Nobody else records any until this has ended."""
        self._asked("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))::text", self._schema)
        if not self.is_there(RECORD):
            return {}
        return {str(name): str(digest) for name, digest in self._asked(READ_RECORD)}

    def record(self, migrations: Sequence[Migration]) -> None:
        """Record migrations as applied."""
        self.command(RECORD_TABLE)
        for each in migrations:
            self._asked("INSERT INTO placet_migrations VALUES ($1, $2, pg_catalog.now()::text)", each.name, each.digest)

    def _asked(self, sql: str, *parameters: str) -> list[list[str | None]]:
        told = self._connection.exec_params(sql.encode(), [each.encode() for each in parameters])
        if told.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
            raise _unreachable(told.error_message.decode(errors="replace"))
        return [[_decoded(told.get_value(i, j)) for j in range(told.nfields)] for i in range(told.ntuples)]

    def command(self, sql: str) -> None:
        """Run a statement of Placet's own."""
        done = self._connection.exec_(sql.encode())
        if done.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            raise _unreachable(done.error_message.decode(errors="replace"))

    def _checked(self, statement: Statement, result: pq.abc.PGresult, file: str = SCHEMA_FILE) -> pq.abc.PGresult:
        if result.status in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            return result
        field = pq.DiagnosticField
        if result.error_field(field.SQLSTATE) == b"57014" or time.monotonic() >= self._deadline:
            raise _too_long(statement, file)
        if file != SCHEMA_FILE and result.error_field(field.SQLSTATE) == b"0A000":
            raise not_allowed("Ending or dividing the transaction, or COPY,", statement, file)
        message = (result.error_field(field.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace")[:2000]
        position = result.error_field(field.STATEMENT_POSITION)
        if file != SCHEMA_FILE:
            own = result.error_field(field.INTERNAL_QUERY) == statement.sql.encode(errors="replace")
            position = result.error_field(field.INTERNAL_POSITION) if own else None
        line, column = placed(statement, int(position) - 1 if position else None)
        raise invalid(f"{file}, line {line}: {message}.", line, column, file=file)


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
def opened(access: Access, seconds: float) -> Iterator[Session]:
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
        session = Session(connection, access.schema, time.monotonic() + seconds)
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


def not_allowed(tag: str, statement: Statement, file: str = SCHEMA_FILE) -> ModuleProblem:
    """Return the problem of a statement that a file may not have, by its command tag."""
    detail = f"{tag or 'This statement'} is not allowed in {file}; it may {_MAY[file == SCHEMA_FILE]}."
    return invalid(detail, statement.line, file=file)


def _too_long(statement: Statement, file: str) -> ModuleProblem:
    advice = "Insert fewer rows." if file == SCHEMA_FILE else "Change fewer rows at a time."
    detail = f"{file} takes too long to run; this statement was stopped. {advice}"
    return invalid(detail, statement.line, file=file)


def _unreachable(message: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"The database cannot be reached: {' '.join(message.split())[:500]}")


def _not_let_in(error: psycopg.Error) -> ModuleProblem:
    return ModuleProblem(
        ProblemCode.DATABASE_NOT_OFFERED,
        f"PostgreSQL does not let the module's role in: {' '.join(str(error).split())[:300]}. See that its pg_hba.conf "
        "lets roles with a password connect to Placet's database.",
        step="database",
    )
