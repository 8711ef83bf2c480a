"""Brings a module's database to what its `schema.sql` declares, by adding what is missing.

1. The script runs on an empty database in memory first. That shows, by the engine's own word, what each statement
   creates and which tables it fills; whatever a schema may not do is refused there.
2. On the live database a statement is run only if what it creates is not there yet; rows are put only into tables
   created in this same run. What exists is left as it is. All of it is one transaction.
3. The names that were created are returned, so that they can be taken back.
"""

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

import msgspec

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.sql_rules import SchemaRules
from placet.platform.sql_text import Statement, error_offset, split_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCHEMA_FILE = "schema.sql"
MAX_SCHEMA_BYTES = 1024 * 1024
DEFAULT_TIMEOUT_SECONDS = 10.0
_SCRATCH_PAGES = 65_536
_INSTRUCTIONS_BETWEEN_CHECKS = 1000
_DROP_ORDER = ("trigger", "view", "index", "table")


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A table or view that a schema declares; `kind` is `table` or `view`."""

    kind: str
    name: str


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, the objects it creates and the tables it fills, all names in lower case."""

    statement: Statement
    creates: frozenset[str]
    fills: frozenset[str]


def read_schema_file(directory: "Path") -> str | None:
    """Return the text of a module's `schema.sql`, None if it has none. Raises `ModuleProblem` (schema_invalid)."""
    path = directory / SCHEMA_FILE
    if not path.is_file():
        return None
    data = path.read_bytes() if path.stat().st_size <= MAX_SCHEMA_BYTES else b"\0" * (MAX_SCHEMA_BYTES + 1)
    check_size(len(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid(f"{SCHEMA_FILE} is not UTF-8 text (line {line}). Save it as UTF-8.", line) from None


def declared_entities(schema_sql: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> tuple[Entity, ...]:
    """Return the tables and views the schema declares, by running it on an empty database in memory.

    SQLite's own tables and those behind virtual tables are not among them. Raises `ModuleProblem` (schema_invalid).
    """
    with _scratch() as connection:
        _plan(connection, schema_sql, time.monotonic() + timeout_seconds)
        rows = connection.execute(
            "SELECT CASE type WHEN 'view' THEN 'view' ELSE 'table' END, name FROM pragma_table_list"
            " WHERE schema = 'main' AND type IN ('table', 'virtual', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            " ORDER BY name"
        ).fetchall()
    return tuple(Entity(kind=kind, name=name) for kind, name in rows)


def check_schema(
    database: "Path | None", schema_sql: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> tuple[str, ...]:
    """Prove on a copy of the live database's schema, without its rows, that `apply_schema` would work.

    Returns the names it would create. Raises `ModuleProblem` (schema_invalid) with the line.
    """
    deadline = time.monotonic() + timeout_seconds
    with _scratch() as empty:
        steps = _plan(empty, schema_sql, deadline)
    with _scratch() as copy:
        present = _copy_schema(database, copy) if database is not None and database.exists() else set()
        return _add_missing(copy, steps, deadline, present)


def apply_schema(
    database: "Path", schema_sql: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> tuple[str, ...]:
    """Create what the live database lacks, in one transaction, and return the names created.

    Creates the database if it is not there. Raises `ModuleProblem` (schema_invalid) and has changed nothing then.
    """
    deadline = time.monotonic() + timeout_seconds
    with _scratch() as empty:
        steps = _plan(empty, schema_sql, deadline)
    if not steps:
        return ()
    existed = database.exists()
    try:
        with contextlib.closing(_connect(database, timeout_seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            created = _add_missing(connection, steps, deadline, set(_objects(connection)))
            connection.execute("COMMIT")
            return created
    except BaseException as error:
        if not existed:
            _delete(database)
        if isinstance(error, sqlite3.Error):
            raise invalid(f"{SCHEMA_FILE} cannot be applied: {error}.", None) from error
        raise


def undo_schema(database: "Path", names: "Sequence[str]", *, existed: bool) -> None:
    """Take back what `apply_schema` created: the objects named, or the whole file where it had not existed."""
    if not existed:
        _delete(database)
        return
    with contextlib.closing(_connect(database, DEFAULT_TIMEOUT_SECONDS)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        kinds = {
            str(name).casefold(): kind for kind, name in connection.execute("SELECT type, name FROM sqlite_master")
        }
        known = [name for name in names if name.casefold() in kinds]
        for name in sorted(known, key=lambda name: _DROP_ORDER.index(kinds[name.casefold()])):
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kinds[name.casefold()]} IF EXISTS "{quoted}"')
        connection.execute("COMMIT")


def _plan(connection: sqlite3.Connection, schema_sql: str, deadline: float) -> tuple[_Step, ...]:
    """Run the whole script on an empty database and note what every statement does."""
    check_size(len(schema_sql.encode(errors="replace")))
    steps = []
    with _ruled(connection, deadline) as rules:
        for statement in split_statements(schema_sql):
            before = _objects(connection)
            rules.forget()
            _execute(connection, statement, rules, deadline)
            after = frozenset(_objects(connection))
            # A virtual table fills the tables behind it too; those are not objects of the schema.
            fills = after.intersection(rules.filled)
            steps.append(_Step(statement=statement, creates=after.difference(before), fills=fills))
    return tuple(steps)


def _add_missing(
    connection: sqlite3.Connection, steps: tuple[_Step, ...], deadline: float, present: set[str]
) -> tuple[str, ...]:
    """Run the steps that make what is not `present`; return the names they made."""
    created: list[str] = []
    new: set[str] = set()
    with _ruled(connection, deadline) as rules:
        for step in steps:
            wanted = not (step.creates & present) if step.creates else bool(step.fills) and step.fills <= new
            if not wanted:
                continue
            _execute(connection, step.statement, rules, deadline)
            if step.creates:
                names = _objects(connection)
                created += [name for key, name in names.items() if key not in present and key not in new]
                new |= names.keys() - present
    return tuple(created)


def _execute(connection: sqlite3.Connection, statement: Statement, rules: SchemaRules, deadline: float) -> None:
    try:
        connection.execute(statement.sql).close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if rules.refused is not None:
            detail = f"{rules.refused} is not allowed in {SCHEMA_FILE}; it may create tables, views, indexes and"
            raise invalid(f"{detail} triggers and insert rows into tables it creates.", statement.line) from error
        if time.monotonic() >= deadline:
            detail = f"{SCHEMA_FILE} takes too long to run; this statement was stopped. Insert fewer rows."
            raise invalid(detail, statement.line) from error
        offset = error_offset(connection, statement.sql, str(error))
        line, position = placed(statement, offset)
        raise invalid(f"{SCHEMA_FILE}, line {line}: {error}.", line, position) from error


def placed(statement: Statement, offset: int | None) -> tuple[int, int | None]:
    """Return line and position in the file of an offset in a statement."""
    if offset is None:
        return statement.line, None
    breaks = statement.sql.count("\n", 0, offset)
    if not breaks:
        return statement.line, statement.column + offset
    return statement.line + breaks, offset - statement.sql.rfind("\n", 0, offset)


@contextlib.contextmanager
def _ruled(connection: sqlite3.Connection, deadline: float) -> "Iterator[SchemaRules]":
    rules = SchemaRules()
    connection.set_authorizer(rules)
    connection.set_progress_handler(lambda: time.monotonic() >= deadline, _INSTRUCTIONS_BETWEEN_CHECKS)
    try:
        yield rules
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the names of all objects that are not the engine's own, by their lower-case form."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN"
        " (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') ORDER BY rowid"
    )
    return {str(name).casefold(): str(name) for (name,) in rows}


def _copy_schema(database: "Path", copy: sqlite3.Connection) -> set[str]:
    """Make the live database's objects in `copy`; return the names of all there are, in lower case."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as live:
            names = set(_objects(live))
            rows = live.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
    except sqlite3.Error as error:
        raise invalid(f"The module's database cannot be read: {error}.", None) from error
    for name, sql in rows:
        # What needs functions that only the running module has cannot be made here; new entities rarely lean on it.
        if name.casefold() in names:
            with contextlib.suppress(sqlite3.Error):
                copy.execute(sql)
    return names


@contextlib.contextmanager
def _scratch() -> "Iterator[sqlite3.Connection]":
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA max_page_count = {_SCRATCH_PAGES}")
        yield connection


def _connect(database: "Path", timeout_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=timeout_seconds, isolation_level=None)


def _delete(database: "Path") -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def check_size(size: int) -> None:
    """Raise `ModuleProblem` for a schema of too many bytes."""
    if size > MAX_SCHEMA_BYTES:
        raise invalid(f"{SCHEMA_FILE} is larger than the {MAX_SCHEMA_BYTES:,} bytes allowed. Make it shorter.", None)


def invalid(detail: str, line: int | None, position: int | None = None) -> ModuleProblem:
    """Return the problem of a schema."""
    return ModuleProblem(
        ProblemCode.SCHEMA_INVALID, detail, step="schema", file=SCHEMA_FILE, line=line, position=position
    )
