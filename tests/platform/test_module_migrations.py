"""Bringing a module's data to a version: migrations, added columns, and what is refused, on both databases."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from placet.platform.module_databases import ModuleDatabase
from placet.platform.module_postgresql import PostgresqlModules
from placet.platform.module_sqlite import SqliteModuleDatabase
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import MAX_SCHEMA_BYTES, Migration, Wanted, read_wanted
from platform_support.postgresql import database_for_modules

FIRST = "CREATE TABLE orders (\n  id integer PRIMARY KEY,\n  customer text\n);\n"
SECOND = (
    "CREATE TABLE orders (id integer PRIMARY KEY, customer text, -- who, when\n"
    '  "note, or so" varchar(20), total numeric(10, 2) DEFAULT 0 NOT NULL);\n'
    "CREATE INDEX by_customer ON orders (customer);\n"
)
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def modules() -> Iterator[PostgresqlModules]:
    with database_for_modules() as facts:
        yield PostgresqlModules(facts)


@pytest.fixture(params=["sqlite", "postgresql"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModuleDatabase]:
    if request.param == "sqlite":
        yield SqliteModuleDatabase(path=tmp_path / "orders.sqlite3", deleted=tmp_path)
        return
    modules = request.getfixturevalue("modules")
    yield modules.of("orders")
    modules.remove("orders")


@pytest.fixture
def rows(data: ModuleDatabase) -> Rows:
    def run(sql: str) -> list[tuple[Any, ...]]:
        if data.kind == "sqlite":
            with closing(sqlite3.connect(data.address)) as connection, connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(data.address) as connection:
            done = connection.execute(sql)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    return run


def migration(name: str, sql: str) -> Migration:
    return Migration(name=name, sql=sql, digest=hashlib.sha256(sql.encode()).hexdigest())


def wanted(schema: str, *migrations: Migration) -> Wanted:
    return Wanted(schema=schema, migrations=migrations)


def refused(data: ModuleDatabase, what: Wanted, code: ProblemCode) -> ModuleProblem:
    """Refused when it is looked at and when it is done, and nothing is changed."""
    said = []
    for does in (data.check, data.apply):
        with pytest.raises(ModuleProblem) as caught:
            does(what)
        assert caught.value.code is code, caught.value.detail
        said.append(caught.value.detail)
    assert said[0] == said[1]
    return caught.value


def test_columns_are_added_as_the_schema_defines_them(data: ModuleDatabase, rows: Rows) -> None:
    data.apply(wanted(FIRST))
    rows("INSERT INTO orders VALUES (1, 'Ada')")
    would = data.check(wanted(SECOND))
    assert would.columns == ("orders.note, or so", "orders.total")
    assert would.alters
    assert data.apply(wanted(SECOND)) == would
    assert rows('SELECT customer, "note, or so", total + 0 FROM orders') == [("Ada", None, 0)]
    assert data.apply(wanted(SECOND)) == data.check(wanted(SECOND))
    assert not data.check(wanted(SECOND)).alters
    back = data.check(wanted(FIRST))
    assert set(back.stays) == {"orders.note, or so", "orders.total"}, (
        "what an earlier version has not stays, and is told"
    )


@pytest.mark.parametrize(
    ("schema", "line", "said"),
    [
        (FIRST.replace("customer text", "customer integer"), 3, "orders.customer is"),
        (FIRST.replace("customer text", "customer text NOT NULL"), 3, "orders.customer is"),
        (FIRST.replace("customer text", "customer text DEFAULT 'x'"), 3, "orders.customer is"),
        (FIRST.replace("customer text", "customer text UNIQUE"), 1, "table orders has no UNIQUE (customer)"),
        (FIRST.replace("text\n", "text,\n  paid integer NOT NULL\n"), 4, "orders.paid is missing in the database and"),
        ("CREATE TABLE orders (id integer PRIMARY KEY);\nCREATE VIEW many AS SELECT 2 AS two;", 2, "many is defined"),
    ],
)
def test_what_cannot_be_added_is_refused_with_its_place(
    data: ModuleDatabase, rows: Rows, schema: str, line: int, said: str
) -> None:
    data.apply(wanted(FIRST + "CREATE VIEW many AS SELECT 1 AS two;\n"))
    rows("INSERT INTO orders VALUES (1, 'Ada')")
    problem = refused(data, wanted(schema), ProblemCode.SCHEMA_UNMET)
    assert (problem.file, problem.line) == ("schema.sql", line)
    assert said in problem.detail
    assert "migrations/0001_" in problem.detail
    assert rows("SELECT * FROM orders") == [(1, "Ada")]


def test_a_required_column_that_the_schema_lost_is_refused(data: ModuleDatabase) -> None:
    data.apply(wanted("CREATE TABLE orders (id integer PRIMARY KEY, who text NOT NULL);"))
    schema = "CREATE TABLE orders (id integer PRIMARY KEY);"
    assert "no row could be inserted" in refused(data, wanted(schema), ProblemCode.SCHEMA_UNMET).detail
    drop = migration("0001_drop_who.sql", "ALTER TABLE orders DROP COLUMN who;")
    assert data.apply(wanted(schema, drop)).migrations == ("0001_drop_who.sql",)


def test_migrations_run_once_in_order_and_with_the_schema(data: ModuleDatabase, rows: Rows) -> None:
    view = "CREATE VIEW names AS SELECT {} FROM orders;"
    data.apply(wanted(FIRST + view.format("customer")))
    rows("INSERT INTO orders VALUES (1, 'Ada')")
    schema = FIRST.replace("customer text", "who text NOT NULL DEFAULT ''") + view.format("who")
    one = migration("0001_who.sql", "DROP VIEW names; -- made anew\nALTER TABLE orders RENAME COLUMN customer TO who;")
    rebuild = (
        "CREATE TABLE new (id integer PRIMARY KEY, who text NOT NULL DEFAULT '');\n"
        "INSERT INTO new SELECT id, upper(who) FROM orders;\nDROP TABLE orders;\nALTER TABLE new RENAME TO orders;\n"
    )
    if data.kind == "postgresql":  # the names of constraints follow nobody
        rebuild = (
            "UPDATE orders SET who = upper(who);\nALTER TABLE orders ALTER who SET NOT NULL, ALTER who SET DEFAULT '';"
        )
    two = migration("0002_upper.sql", rebuild)
    would = data.check(wanted(schema, one, two))
    assert would.migrations == ("0001_who.sql", "0002_upper.sql")
    assert rows("SELECT customer FROM names") == [("Ada",)], "looking changes nothing"
    assert data.apply(wanted(schema, one, two)) == would
    assert rows("SELECT who FROM names") == [("ADA",)]
    assert data.apply(wanted(schema, one, two)).migrations == ()
    assert [row[0] for row in rows("SELECT name FROM placet_migrations ORDER BY name")] == [one.name, two.name]
    changed = migration("0001_who.sql", "DROP TABLE orders;")
    problem = refused(data, wanted(schema, changed, two), ProblemCode.MIGRATION_FAILED)
    assert problem.file == "migrations/0001_who.sql"
    assert "was changed after it had been applied" in problem.detail
    late = migration("0001_late.sql", "DROP TABLE orders;")
    assert "comes before 0002_upper.sql" in refused(data, wanted(schema, late), ProblemCode.MIGRATION_FAILED).detail


def test_a_new_database_begins_with_the_schema_and_takes_the_migrations_as_applied(
    data: ModuleDatabase, rows: Rows
) -> None:
    one = migration("0001_note.sql", "ALTER TABLE orders ADD COLUMN note text;")
    schema = FIRST.replace("customer text", "customer text, note text")
    assert data.apply(wanted(schema, one)).migrations == ()
    assert rows("SELECT name, digest FROM placet_migrations") == [(one.name, one.digest)]
    assert data.check(wanted(schema, one)).migrations == ()


@pytest.mark.parametrize("said", ["syntax error", "Ada"])
def test_a_failure_names_file_and_line_and_leaves_nothing(data: ModuleDatabase, rows: Rows, said: str) -> None:
    data.apply(wanted(FIRST))
    rows("INSERT INTO orders VALUES (1, 'Ada')")
    rows("INSERT INTO orders VALUES (2, 'Ada')")
    good = migration("0001_note.sql", "ALTER TABLE orders ADD COLUMN note text;")
    sql = (
        "UPDATE orders SET note = 'x';\n\nDROP TABEL orders;"
        if said == "syntax error"
        else "SELECT 1;\n\nDROP VIEW Ada;"
    )
    with pytest.raises(ModuleProblem, match=r"^migrations/0002_bad.sql, line 3: ") as caught:
        data.apply(wanted(FIRST, good, migration("0002_bad.sql", sql)))
    assert (caught.value.file, caught.value.line) == ("migrations/0002_bad.sql", 3)
    assert caught.value.code is ProblemCode.MIGRATION_FAILED
    assert rows("SELECT * FROM orders") == [(1, "Ada"), (2, "Ada")], "no column, and no record of the first"
    assert data.check(wanted(FIRST)).migrations == ()


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT;",
        "BEGIN;",
        "SAVEPOINT one;",
        "UPDATE placet_migrations SET digest = 'x';",
        "DROP TABLE placet_migrations;",
        "INSERT INTO placet_migrations VALUES ('0009_x.sql', 'x', 'x');",
    ],
)
def test_what_a_migration_may_not_do(data: ModuleDatabase, rows: Rows, sql: str) -> None:
    data.apply(wanted(FIRST))
    refused(data, wanted(FIRST, migration("0001_x.sql", sql)), ProblemCode.MIGRATION_FAILED)
    assert rows("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize("sql", ["ATTACH 'x' AS y;", "PRAGMA writable_schema = 1;", "SELECT load_extension('x');"])
def test_a_migration_stays_in_its_file(tmp_path: Path, sql: str) -> None:
    data = SqliteModuleDatabase(path=tmp_path / "orders.sqlite3", deleted=tmp_path)
    data.apply(wanted(FIRST))
    problem = refused(data, wanted(FIRST, migration("0001_x.sql", sql)), ProblemCode.MIGRATION_FAILED)
    assert "is not allowed in migrations/0001_x.sql" in problem.detail or "no such function" in problem.detail


def test_what_is_open_is_committed_only_when_the_body_ends(data: ModuleDatabase, rows: Rows) -> None:
    data.apply(wanted(FIRST))
    rows("INSERT INTO orders VALUES (1, 'Ada')")
    one = migration("0001_who.sql", "UPDATE orders SET customer = 'Bo';")
    with pytest.raises(ConnectionError), data.changing(wanted(FIRST, one)):
        raise ConnectionError
    assert rows("SELECT customer FROM orders") == [("Ada",)]
    with data.changing(wanted(FIRST, one)) as changes:
        assert changes.migrations == ("0001_who.sql",)
    assert rows("SELECT customer FROM orders") == [("Bo",)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"one.sql": "x"}, "is no name of a migration"),
        ({"0001_One.sql": "x"}, "is no name of a migration"),
        ({"0001_a.sql": "x", "0001_b.sql": "x"}, "have the same number"),
        ({"0001_a.sql": "x" * (MAX_SCHEMA_BYTES + 1)}, "is larger than the 1,048,576 bytes allowed"),
        ({f"{number:04d}_a.sql": "" for number in range(1001)}, "1,000 are allowed"),
        ({f"{number:04d}_a.sql": "x" * MAX_SCHEMA_BYTES for number in range(9)}, "8,388,608 bytes allowed"),
        ({"0001_a.sql": "\udcff"}, "is not UTF-8 text (line 1)"),
    ],
)
def test_files_are_named_and_capped(tmp_path: Path, files: dict[str, str], said: str) -> None:
    (tmp_path / "schema.sql").write_text(FIRST)
    (tmp_path / "migrations").mkdir()
    for name, text in files.items():
        (tmp_path / "migrations" / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ModuleProblem) as caught:
        read_wanted(tmp_path)
    assert said in caught.value.detail
    assert caught.value.code is ProblemCode.MIGRATION_FAILED


def test_migrations_without_a_schema_are_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_a.sql").write_text("CREATE TABLE a (b);")
    with pytest.raises(ModuleProblem, match=r"and no schema\.sql"):
        read_wanted(tmp_path)
    (tmp_path / "schema.sql").write_text(FIRST)
    assert [each.file for each in read_wanted(tmp_path).migrations] == ["migrations/0001_a.sql"]
