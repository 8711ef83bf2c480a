import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from placet.platform import schema as sqlite_schema
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema import declared_entities, undo_schema
from placet.platform.schema_files import MAX_SCHEMA_BYTES, Wanted, read_schema_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders" / "schema.sql"
SCHEMA = """-- the entities
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL DEFAULT 0);
CREATE INDEX orders_by_customer ON orders (customer);
CREATE VIEW totals AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer;
CREATE TABLE log (what TEXT);
CREATE TRIGGER noted AFTER INSERT ON orders BEGIN
  INSERT INTO log VALUES (CASE WHEN new.total > 0 THEN 'sold; END;' ELSE 'new' END);
  UPDATE orders SET total = 1 WHERE id = new.id;
END;
INSERT INTO orders (customer) VALUES ('Ada; -- Bo');
"""
VIRTUAL = """
CREATE VIRTUAL TABLE texts USING fts5(body);
CREATE VIRTUAL TABLE boxes USING rtree(id, a, b);
CREATE VIRTUAL TABLE older USING fts4(body);
INSERT INTO texts VALUES ('hello');
INSERT INTO boxes WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 500) SELECT x, x, x + 1 FROM c;
INSERT INTO older WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 500) SELECT 'w' || x FROM c;
"""
ENDLESS = "INSERT INTO a WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"


def check_schema(database: Path | None, schema: str, **options: float) -> tuple[str, ...]:
    return sqlite_schema.check_schema(database, Wanted(schema=schema), **options).created


def apply_schema(database: Path, schema: str, **options: float) -> tuple[str, ...]:
    return sqlite_schema.apply_schema(database, Wanted(schema=schema), **options).created


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def execute(database: Path, script: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(script)


def objects(database: Path) -> set[str]:
    return {name for (name,) in rows(database, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}


def invalid(schema: str, database: Path | None = None, **options: float) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        check_schema(database, schema, **options)
    assert caught.value.code is ProblemCode.SCHEMA_INVALID
    assert caught.value.file == "schema.sql"
    return caught.value


def test_a_new_database_gets_everything(database: Path) -> None:
    assert check_schema(database, SCHEMA) == ("orders", "orders_by_customer", "totals", "log", "noted")
    assert not database.exists(), "a check makes nothing"
    assert apply_schema(database, SCHEMA) == ("orders", "orders_by_customer", "totals", "log", "noted")
    assert rows(database, "SELECT * FROM totals") == [("Ada; -- Bo", 1.0)]
    assert rows(database, "SELECT * FROM log") == [("new",)]


def test_applying_again_changes_nothing(database: Path) -> None:
    apply_schema(database, SCHEMA)
    execute(database, "DELETE FROM log")
    assert check_schema(database, SCHEMA) == ()
    assert apply_schema(database, SCHEMA) == ()
    assert rows(database, "SELECT count(*) FROM orders") == [(1,)]
    assert rows(database, "SELECT * FROM log") == []


def test_only_what_is_missing_is_added_and_only_new_tables_are_filled(database: Path) -> None:
    execute(database, "CREATE TABLE Orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL DEFAULT 0, own TEXT);")
    more = "CREATE TABLE items (name TEXT);\nINSERT INTO items VALUES ('pen'), ('ink');\n"
    assert apply_schema(database, SCHEMA + more) == ("orders_by_customer", "totals", "log", "noted", "items")
    assert rows(database, "SELECT count(*) FROM Orders") == [(0,)]
    assert rows(database, "SELECT name FROM items") == [("pen",), ("ink",)]
    assert "own" in rows(database, "SELECT sql FROM sqlite_master WHERE name = 'Orders'")[0][0]


def test_undo_drops_exactly_what_was_created(database: Path) -> None:
    execute(
        database,
        "CREATE TABLE mine (a); CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL DEFAULT 0);",
    )
    names = apply_schema(database, SCHEMA)
    undo_schema(database, names, existed=True)
    assert objects(database) == {"mine", "orders"}
    undo_schema(database, names, existed=True)
    assert objects(database) == {"mine", "orders"}


def test_undo_removes_a_database_that_had_not_existed(database: Path) -> None:
    names = apply_schema(database, SCHEMA)
    for suffix in ("-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).touch()
    undo_schema(database, names, existed=False)
    assert list(database.parent.iterdir()) == []


def test_virtual_tables_are_one_entity_and_go_with_what_is_behind_them(database: Path) -> None:
    assert [entity.name for entity in declared_entities(VIRTUAL)] == ["boxes", "older", "texts"]
    execute(database, "CREATE TABLE mine (a)")
    names = apply_schema(database, VIRTUAL)
    assert names == ("texts", "boxes", "older")
    assert rows(database, "SELECT body FROM texts('hello')") == [("hello",)]
    assert rows(database, "SELECT count(*) FROM boxes UNION ALL SELECT count(*) FROM older") == [(500,), (500,)]
    undo_schema(database, names, existed=True)
    assert objects(database) == {"mine"}


def test_entities_are_tables_and_views() -> None:
    entities = declared_entities(SCHEMA + "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT);")
    found = [(entity.kind, entity.name) for entity in entities]
    assert found == [("table", "counted"), ("table", "log"), ("table", "orders"), ("view", "totals")]


def test_the_example_can_be_applied(database: Path) -> None:
    text = EXAMPLE.read_text()
    assert apply_schema(database, text) == check_schema(None, text)


def test_odd_names_are_created_and_taken_back(database: Path) -> None:
    execute(database, "CREATE TABLE mine (a)")
    schema = (
        'CREATE TABLE "a ""b; c" (x);\nCREATE TABLE [d;e] (x);\nCREATE TABLE `f` (x);\nCREATE VIEW "Größe" AS SELECT 1;'
    )
    names = apply_schema(database, schema)
    assert names == ('a "b; c', "d;e", "f", "Größe")
    undo_schema(database, names, existed=True)
    assert objects(database) == {"mine"}


@pytest.mark.parametrize(
    ("schema", "said", "line"),
    [
        ("ATTACH 'x.db' AS x", "ATTACH is not allowed", 1),
        ("CREATE TABLE a (b);\n\nPRAGMA journal_mode = WAL;", "PRAGMA is not allowed", 3),
        ("CREATE TABLE a (b);\nDROP TABLE a;", "DROP TABLE is not allowed", 2),
        ("CREATE TABLE a (b);\nALTER TABLE a ADD c;", "ALTER TABLE is not allowed", 2),
        ("CREATE TABLE a (b);\nDELETE FROM a;", "DELETE is not allowed", 2),
        ("CREATE TABLE a (b);\nUPDATE a SET b = 1;", "UPDATE is not allowed", 2),
        ("BEGIN;\nCREATE TABLE a (b);\nCOMMIT;", "TRANSACTION is not allowed", 1),
        ("SAVEPOINT x", "SAVEPOINT is not allowed", 1),
        ("VACUUM", "ATTACH is not allowed", 1),
        ("CREATE TEMP TABLE a (b)", "CREATE TEMP TABLE is not allowed", 1),
        ("CREATE TEMPORARY VIEW a AS SELECT 1", "CREATE TEMP VIEW is not allowed", 1),
        ("SELECT load_extension('x')", "FUNCTION is not allowed", 1),
        ("CREATE TABLE sqlite_x (a)", "reserved for internal use", 1),
        ("INSERT INTO nowhere VALUES (1)", "no such table: nowhere", 1),
        ("CREATE TABLE a (b);\nCREATE TABLE a (b);", "already exists", 2),
    ],
)
def test_what_a_schema_may_not_do(database: Path, schema: str, said: str, line: int) -> None:
    problem = invalid(schema)
    assert said in problem.detail
    assert problem.line == line
    with pytest.raises(ModuleProblem):
        apply_schema(database, schema)
    assert not database.exists()


@pytest.mark.parametrize(
    ("schema", "line", "position"),
    [
        ("CREATE TABLE a (b);\n\n/* x\n */ CREATE TABEL c (d);", 4, 12),
        ("CREATE TABLE a (b);\nINSERT INTO a\n  SELECT nope\n  FROM a;", 3, 10),
        ("CREATE TABLE a (b", 1, None),
        ("CREATE TABLE a (b);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  SELEC 1;\nEND;", 3, 3),
    ],
)
def test_an_error_is_located(schema: str, line: int, position: int | None) -> None:
    problem = invalid(schema)
    assert (problem.line, problem.position) == (line, position)


def test_a_failure_on_the_live_database_takes_all_back(database: Path) -> None:
    execute(database, "CREATE TABLE orders (other);")
    schema = "CREATE TABLE orders (id, customer);\nCREATE TABLE first (a);\nCREATE INDEX i ON orders (customer);\n"
    assert invalid(schema, database).line == 3
    with pytest.raises(ModuleProblem, match="no such column: customer"):
        apply_schema(database, schema)
    assert objects(database) == {"orders"}


def test_a_check_needs_no_rows_and_leaves_the_live_database_alone(database: Path) -> None:
    execute(database, SCHEMA)
    before = database.read_bytes()
    more = "CREATE TABLE more (a); INSERT INTO more SELECT id FROM orders;"
    assert check_schema(database, SCHEMA + more) == ("more",)
    assert database.read_bytes() == before


def test_a_live_schema_with_functions_of_the_module_does_not_matter(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.create_function("discount", 1, lambda value: value, deterministic=True)
        connection.execute("CREATE TABLE old (a CHECK (discount(a) > 0))")
    assert check_schema(database, "CREATE TABLE old (a); CREATE TABLE new (a);") == ("new",)
    assert apply_schema(database, "CREATE TABLE old (a); CREATE TABLE new (a);") == ("new",)


def test_endless_scripts_are_stopped() -> None:
    began = time.monotonic()
    problem = invalid(f"CREATE TABLE a (b);\n{ENDLESS}", timeout_seconds=0.5)
    assert (problem.line, "too long" in problem.detail) == (2, True)
    assert time.monotonic() - began < 10


def test_hostile_text_takes_no_time() -> None:
    began = time.monotonic()
    declared_entities("CREATE TABLE a (b); INSERT INTO a VALUES ('" + ";" * 900_000 + "');")
    declared_entities(";" * 900_000 + "--" * 50_000)
    invalid("CREATE TRIGGER " + ";END" * 200_000)
    invalid("'" * 900_001)
    invalid("/*" * 400_000 + "x")
    assert time.monotonic() - began < 20


def test_too_much_text_is_refused(tmp_path: Path) -> None:
    assert "1,048,576 bytes" in invalid("-" * (MAX_SCHEMA_BYTES + 1)).detail
    (tmp_path / "schema.sql").write_bytes(b"-" * (MAX_SCHEMA_BYTES + 1))
    with pytest.raises(ModuleProblem):
        read_schema_file(tmp_path)


def test_the_file_of_a_module(tmp_path: Path) -> None:
    assert read_schema_file(tmp_path) is None
    (tmp_path / "schema.sql").write_bytes(b"\xef\xbb\xbfCREATE TABLE a (b);\n")
    assert read_schema_file(tmp_path) == "CREATE TABLE a (b);\n"
    (tmp_path / "schema.sql").write_bytes(b"-- fine\n-- \xff\n")
    with pytest.raises(ModuleProblem, match="line 2"):
        read_schema_file(tmp_path)


@pytest.mark.parametrize("schema", ["", "-- nothing\n", " ; ;; "])
def test_an_empty_schema_makes_no_database(database: Path, schema: str) -> None:
    assert apply_schema(database, schema) == ()
    assert not database.exists()


def test_a_locked_database_is_a_problem_not_a_wait_for_ever(database: Path) -> None:
    execute(database, "CREATE TABLE mine (a)")
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(ModuleProblem, match="database is locked"):
            apply_schema(database, "CREATE TABLE a (b)", timeout_seconds=0.3)
    assert objects(database) == {"mine"}


def test_a_damaged_database_is_a_problem(database: Path) -> None:
    database.write_text("not a database " * 100)
    with pytest.raises(ModuleProblem, match="not a database"):
        apply_schema(database, "CREATE TABLE a (b)")
    invalid("CREATE TABLE a (b)", database)
    assert database.exists()
