"""Brings a module's SQLite database to what its version wants: migrations first, then what `schema.sql` demands.

1. `schema.sql` runs on an empty database in memory first. That shows, by the engine's own word, what each statement
   creates and which tables it fills; whatever a schema may not do is refused there.
2. On the live database the migrations that are pending run, and are recorded. In a database with nothing in it none
   runs: all are recorded, because `schema.sql` makes what they would have led to.
3. A statement of `schema.sql` is run if what it creates is not there yet; rows are put only into tables created in this
   same run. Columns that a table lacks are added, where the engine can.
4. What is still not as `schema.sql` demands is refused, with its line. All of it is one transaction.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from placet.platform.schema_files import (
    DEFAULT_TIMEOUT_SECONDS,
    RECORD_TABLE,
    SCHEMA_FILE,
    Changes,
    Entity,
    Migration,
    Wanted,
    check_size,
    invalid,
    pending,
    placed,
    unmet,
)
from placet.platform.sql_rules import MigrationRules, SchemaRules
from placet.platform.sql_text import Statement, error_offset, split_statements, tokens
from placet.platform.sqlite_live import Before, applied, copy_schema, filled, objects, quoted
from placet.platform.sqlite_shape import Shape, Table, differences, shape_of, staying
from placet.platform.table_text import column_texts

_SCRATCH_PAGES = 65_536
_INSTRUCTIONS_BETWEEN_CHECKS = 1000
_DROP_ORDER = ("trigger", "view", "index", "table")


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, the objects it creates and the tables it fills, all names in lower case."""

    statement: Statement
    creates: frozenset[str]
    fills: frozenset[str]


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of `schema.sql`, and what an empty database is after them."""

    steps: tuple[_Step, ...]
    shape: Shape


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


def check_schema(database: Path | None, wanted: Wanted, *, timeout_seconds: float | None = None) -> Changes:
    """Prove on a copy of the live database's schema, without its rows, that `changing_schema` would work.

    Returns what it would change. Raises `ModuleProblem` (schema_invalid, schema_unmet, migration_failed) with the line.
    """
    deadline = time.monotonic() + (timeout_seconds or wanted.seconds)
    plan = _planned(wanted, deadline)
    with _scratch() as copy:
        before = Before(applied={}, filled=frozenset())
        if database is not None and database.exists():
            before = copy_schema(database, copy)
        return _bring(copy, wanted, plan, before, deadline)


def apply_schema(database: Path, wanted: Wanted, *, timeout_seconds: float | None = None) -> Changes:
    """Bring the live database to a schema, in one transaction, and return what was changed.

    Creates the database if it is not there. Raises like `changing_schema`.
    """
    with changing_schema(database, wanted, timeout_seconds=timeout_seconds) as changes:
        return changes


@contextlib.contextmanager
def changing_schema(database: Path, wanted: Wanted, *, timeout_seconds: float | None = None) -> Iterator[Changes]:
    """Bring the live database to a schema; it is committed when the body has ended, and not at all where that raises.

    Raises `ModuleProblem` (schema_invalid, schema_unmet, migration_failed) and has changed nothing then.
    """
    seconds = timeout_seconds or wanted.seconds
    deadline = time.monotonic() + seconds
    plan = _planned(wanted, deadline)
    if not plan.steps and not wanted.migrations:
        yield Changes()
        return
    existed = database.exists()
    try:
        with contextlib.closing(_connect(database, min(seconds, DEFAULT_TIMEOUT_SECONDS))) as connection:
            with _told():
                connection.execute("BEGIN IMMEDIATE")
                before = Before(applied=applied(connection), filled=filled(connection))
                changes = _bring(connection, wanted, plan, before, deadline)
            yield changes
            with _told():
                connection.execute("COMMIT")
    except BaseException:
        if not existed:
            _delete(database)
        raise


def undo_schema(database: Path, names: Sequence[str], *, existed: bool) -> None:
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
            connection.execute(f"DROP {kinds[name.casefold()]} IF EXISTS {quoted(name)}")
        connection.execute("COMMIT")


def _planned(wanted: Wanted, deadline: float) -> _Plan:
    with _scratch() as empty:
        return _plan(empty, wanted.schema, deadline)


def _plan(connection: sqlite3.Connection, schema_sql: str, deadline: float) -> _Plan:
    """Run the whole script on an empty database and note what every statement does."""
    check_size(len(schema_sql.encode(errors="replace")))
    steps = []
    with _ruled(connection, deadline, SchemaRules()) as rules:
        for statement in split_statements(schema_sql):
            before = objects(connection)
            rules.forget()
            _execute(connection, statement, rules, deadline)
            after = frozenset(objects(connection))
            # A virtual table fills the tables behind it too; those are not objects of the schema.
            fills = after.intersection(rules.filled)
            steps.append(_Step(statement=statement, creates=after.difference(before), fills=fills))
    return _Plan(steps=tuple(steps), shape=shape_of(connection))


def _bring(connection: sqlite3.Connection, wanted: Wanted, plan: _Plan, before: Before, deadline: float) -> Changes:
    """Do what the module's docstring says, steps 2 to 4."""
    new = pending(wanted.migrations, before.applied)
    run = new if objects(connection) or before.applied else ()
    _migrate(connection, new, run, deadline)
    created = _add_missing(connection, plan.steps, deadline, before.hidden | objects(connection).keys())
    shape = shape_of(connection)
    columns = _add_columns(connection, wanted, plan, shape, before.filled)
    _compare(wanted, plan, shape_of(connection) if columns else shape, before.hidden)
    stays = staying(plan.shape.tables, shape.tables)
    return Changes(created=created, columns=columns, migrations=tuple(each.name for each in run), stays=stays)


def _migrate(
    connection: sqlite3.Connection, new: Sequence[Migration], run: Sequence[Migration], deadline: float
) -> None:
    if not new:
        return
    connection.execute(RECORD_TABLE)
    for migration in run:
        with _ruled(connection, deadline, MigrationRules()) as rules:
            for statement in split_statements(migration.sql):
                rules.forget()
                _execute(connection, statement, rules, deadline, file=migration.file)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [(each.name, each.digest, moment) for each in new]
    connection.executemany("INSERT INTO placet_migrations VALUES (?, ?, ?)", rows)


def _add_missing(
    connection: sqlite3.Connection, steps: tuple[_Step, ...], deadline: float, present: AbstractSet[str]
) -> tuple[str, ...]:
    """Run the steps that make what is not `present`; return the names they made."""
    created: list[str] = []
    new: set[str] = set()
    with _ruled(connection, deadline, SchemaRules()) as rules:
        for step in steps:
            wanted = not (step.creates & present) if step.creates else bool(step.fills) and step.fills <= new
            if not wanted:
                continue
            _execute(connection, step.statement, rules, deadline)
            if step.creates:
                names = objects(connection)
                created += [name for key, name in names.items() if key not in present and key not in new]
                new |= names.keys() - present
    return tuple(created)


def _add_columns(
    connection: sqlite3.Connection, wanted: Wanted, plan: _Plan, shape: Shape, filled: frozenset[str]
) -> tuple[str, ...]:
    """Add the columns that tables lack, as `schema.sql` defines them; return `table.column` of each."""
    added = []
    for name, table, statement in _tables(plan):
        there = shape.tables.get(name)
        lacking = [] if there is None else [key for key in table.columns if key not in there.columns]
        if not lacking:
            continue
        texts = column_texts(statement.sql, tokens(statement.sql))
        for key in lacking:
            column = table.columns[key]
            text, offset = texts.get(key, (None, None))
            try:
                if name in filled and column.not_null and column.default is None:
                    raise sqlite3.OperationalError("the table has rows, and a NOT NULL column no default")
                if text is None:
                    raise sqlite3.OperationalError("the schema does not define it by itself")
                connection.execute(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {text}")
            except (sqlite3.Error, sqlite3.Warning) as error:
                said = f"{table.name}.{column.name} is missing in the database and cannot be added: {error}."
                raise unmet(wanted.mend(said), statement, offset) from error
            added.append(f"{table.name}.{column.name}")
    return tuple(added)


def _compare(wanted: Wanted, plan: _Plan, shape: Shape, hidden: frozenset[str]) -> None:
    """Raise `ModuleProblem` (schema_unmet) for the first thing that is not as the schema demands."""
    for name, table, statement in _tables(plan):
        there = shape.tables.get(name)
        if name in hidden:
            continue
        if there is None:
            raise unmet(wanted.mend(f"{table.name} is no table in the database."), statement)
        for key, said in differences(table, there):
            texts = column_texts(statement.sql, tokens(statement.sql))
            raise unmet(wanted.mend(said), statement, texts.get(key or "", (None, None))[1])
    for step in plan.steps:
        for name in step.creates - plan.shape.tables.keys() - hidden:
            if shape.others.get(name) != plan.shape.others.get(name):
                said = f"{name} is defined otherwise in the database. DROP it in a migration: then it is made anew."
                raise unmet(wanted.mend(said), step.statement)


def _tables(plan: _Plan) -> Iterator[tuple[str, Table, Statement]]:
    for step in plan.steps:
        for name in sorted(step.creates & plan.shape.tables.keys()):
            yield name, plan.shape.tables[name], step.statement


def _execute(
    connection: sqlite3.Connection,
    statement: Statement,
    rules: SchemaRules,
    deadline: float,
    *,
    file: str = SCHEMA_FILE,
) -> None:
    try:
        connection.execute(statement.sql).close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if rules.refused is not None:
            detail = f"{rules.refused} is not allowed in {file}; it may {rules.allowed}."
            raise invalid(detail, statement.line, file=file) from error
        if time.monotonic() >= deadline:
            detail = f"{file} takes too long to run; this statement was stopped. {rules.shorten}"
            raise invalid(detail, statement.line, file=file) from error
        offset = error_offset(connection, statement.sql, str(error))
        line, position = placed(statement, offset)
        raise invalid(f"{file}, line {line}: {error}.", line, position, file=file) from error


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say what SQLite says of the database as a whole."""
    try:
        yield
    except sqlite3.Error as error:
        raise invalid(f"{SCHEMA_FILE} cannot be applied: {error}.", None) from error


@contextlib.contextmanager
def _ruled(connection: sqlite3.Connection, deadline: float, rules: SchemaRules) -> Iterator[SchemaRules]:
    connection.set_authorizer(rules)
    connection.set_progress_handler(lambda: time.monotonic() >= deadline, _INSTRUCTIONS_BETWEEN_CHECKS)
    try:
        yield rules
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)


@contextlib.contextmanager
def _scratch() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA max_page_count = {_SCRATCH_PAGES}")
        yield connection


def _connect(database: Path, timeout_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=timeout_seconds, isolation_level=None)


def _delete(database: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
