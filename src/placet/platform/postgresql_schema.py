"""Brings a module's PostgreSQL schema to what its version wants: migrations first, then what `schema.sql` demands.

The promise is that of `schema`, kept by the same steps:

1. `schema.sql` runs in an empty scratch schema, in a transaction that is rolled back. The catalogs, compared around
   each statement, say what it creates; its command tag and plan, which tables it fills. A role that may reach nothing
   but that schema runs it, so that what leaves it is refused by rights.
2. On the live schema the migrations that are pending run, as the role that owns it, and are recorded.
3. A statement is run only if nothing of what it creates is there; rows are put only into tables created in the same
   run. Columns that a table lacks are added, where the engine can.
4. What is still not as `schema.sql` demands is refused, with its line. All of it is one transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from placet.platform.postgresql_session import Access, Object, Session, not_allowed, opened
from placet.platform.postgresql_shape import Table, differences
from placet.platform.postgresql_text import split_statements, tokens
from placet.platform.schema_files import (
    DEFAULT_TIMEOUT_SECONDS,
    SCHEMA_FILE,
    Changes,
    Entity,
    Wanted,
    check_size,
    invalid,
    pending,
    unmet,
)
from placet.platform.sql_text import Statement
from placet.platform.table_text import column_texts

_KINDS = {"table": "table", "foreign table": "table", "view": "view", "materialized view": "view"}
# Taken back from the last to the first: what goes with a table is named before it, and is gone by then.
_OWNED_FIRST = ("sequence", "index", "trigger", "function", "procedure", "aggregate", "type")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, the keys of what it creates, and the names of the tables it fills."""

    statement: Statement
    creates: frozenset[str]
    fills: frozenset[str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of `schema.sql`, and what an empty schema has after them."""

    steps: tuple[Step, ...]
    objects: dict[str, Object]
    tables: dict[str, Table]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The tables and views."""
        found = (item for item in self.objects.values() if item.kind in _KINDS)
        entities = (Entity(kind=_KINDS[item.kind], name=item.name or "") for item in found)
        return tuple(sorted(entities, key=lambda entity: entity.name))

    def of_tables(self) -> Iterator[tuple[Table, str, Statement]]:
        """Yield each table with its name and the statement that makes it."""
        for step in self.steps:
            for key in sorted(step.creates):
                name = self.objects[key].name or ""
                if self.objects[key].kind == "table" and name in self.tables:
                    yield self.tables[name], name, step.statement


def plan(access: Access, schema_sql: str, *, seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Plan:
    """Try a script in an empty schema and take it back.

    Raises ``ModuleProblem`` (schema_invalid) with line and position.
    """
    check_size(len(schema_sql.encode(errors="replace")))
    _check_text(schema_sql, SCHEMA_FILE)
    steps = []
    with opened(access, seconds) as session:
        before = session.objects()
        for statement in split_statements(schema_sql):
            tag = session.run(statement)
            after = session.objects()
            creates = frozenset(after.keys() - before.keys())
            fills = session.filled(statement) if tag.startswith("INSERT") else frozenset[str]()
            if not (creates and tag.startswith(("CREATE", "SELECT")) and before.keys() <= after.keys()) and not fills:
                raise not_allowed(tag, statement)
            steps.append(Step(statement=statement, creates=creates, fills=fills))
            before = after
        return Plan(steps=tuple(steps), objects=before, tables=session.tables())


@contextmanager
def bringing(access: Access, wanted: Wanted, planned: Plan, *, keep: bool = True) -> Iterator[Changes]:
    """Bring the live schema to what is wanted; it is committed when the body has ended, and not where that raises.

    Without ``keep`` it never is. Raises ``ModuleProblem`` (schema_invalid, schema_unmet, migration_failed).
    """
    with opened(access, wanted.seconds) as session:
        applied = session.applied()
        new = pending(wanted.migrations, applied)
        run = new if applied or session.objects() else ()
        if new:
            session.record(new)
        for migration in run:
            _check_text(migration.sql, migration.file)
            for statement in split_statements(migration.sql):
                session.migrate(statement, migration.file)
        if new and session.applied() != applied | {each.name: each.digest for each in new}:
            raise invalid(f"{new[-1].file}: migrations may not write placet_migrations.", None, file=new[-1].file)
        created = _add_missing(session, planned.steps)
        columns, there = _add_columns(session, wanted, planned)
        _compare(session, wanted, planned, there)
        stays = tuple(
            f"{name}.{column}"
            for name, table in there.items()
            if name in planned.tables
            for column in table.columns.keys() - planned.tables[name].columns.keys()
        )
        yield Changes(created=created, columns=columns, migrations=tuple(each.name for each in run), stays=stays)
        if keep:
            session.command("COMMIT")


def remove(access: Access, keys: Sequence[str], *, seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    """Drop what is there of what was created, the last first."""
    with opened(access, seconds) as session:
        for key in reversed(keys):
            found = session.objects().get(key)
            if found is not None:
                session.command(f"DROP {found.kind} {found.identity}")
        session.command("COMMIT")


def _add_missing(session: Session, steps: Sequence[Step]) -> tuple[str, ...]:
    """Run the steps that make what is missing and answer the keys of what they made."""
    created: list[str] = []
    tables: set[str | None] = set()
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
    return tuple(created)


def _add_columns(session: Session, wanted: Wanted, planned: Plan) -> tuple[tuple[str, ...], dict[str, Table]]:
    """Add the columns that tables lack, as `schema.sql` defines them; answer `table.column` of each, and all tables."""
    added = []
    there = session.tables()
    for table, name, statement in planned.of_tables():
        lacking = [key for key in table.columns if key not in there[name].columns] if name in there else []
        texts = column_texts(statement.sql, tokens(statement.sql)) if lacking else {}
        for key in lacking:
            text, offset = texts.get(key.casefold(), (None, None))
            quoted = '"' + name.replace('"', '""') + '"'
            why = "the schema does not define it by itself" if text is None else session.try_column(quoted, text)
            if why is not None:
                said = f"{name}.{key} is missing in the database and cannot be added: {why}."
                raise unmet(wanted.mend(said), statement, offset)
            added.append(f"{name}.{key}")
    return tuple(added), session.tables() if added else there


def _compare(session: Session, wanted: Wanted, planned: Plan, there: dict[str, Table]) -> None:
    """Raise ``ModuleProblem`` (schema_unmet) for the first thing that is not as the schema demands."""
    for table, name, statement in planned.of_tables():
        if name not in there:
            raise unmet(wanted.mend(f"{name} is no table in the database."), statement)
        for key, said in differences(name, table, there[name]):
            texts = column_texts(statement.sql, tokens(statement.sql))
            raise unmet(wanted.mend(said), statement, texts.get((key or "").casefold(), (None, None))[1])
    found = session.objects()
    for step in planned.steps:
        for key in sorted(step.creates):
            if key in found and found[key].definition != planned.objects[key].definition:
                said = f"{key} is defined otherwise in the database. DROP it in a migration: then it is made anew."
                raise unmet(wanted.mend(said), step.statement)


def _check_text(sql: str, file: str) -> None:
    if "\0" in sql:
        line = sql.count("\n", 0, sql.index("\0")) + 1
        raise invalid(f"{file} has a NUL character. Remove it.", line, file=file)


def _rank(item: Object) -> int:
    return _OWNED_FIRST.index(item.kind) if item.kind in _OWNED_FIRST else len(_OWNED_FIRST)
