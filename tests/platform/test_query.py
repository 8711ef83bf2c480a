import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placet.platform import query
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.query import QueryResult

ENDLESS_BLOBS = "WITH RECURSIVE c (x) AS (SELECT randomblob(1000000) UNION ALL SELECT randomblob(1000000) FROM c)"
SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer VARCHAR(40), total REAL, scan BLOB);
CREATE VIEW totals AS SELECT customer, total * 2 AS doubled FROM orders;
CREATE TRIGGER noted AFTER INSERT ON orders BEGIN UPDATE orders SET total = 0 WHERE id = new.id; END;
INSERT INTO orders (customer, scan) VALUES ('Ada', x'00ff'), ('Bo', NULL);
UPDATE orders SET total = id * 1.5;
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders 100%?#.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


@pytest.fixture(autouse=True)
def unchanged(database: Path) -> Iterator[None]:
    """Whatever a test query does, the database is as it was and can be written to."""
    before = dump(database)
    yield
    assert dump(database) == before
    assert sorted(path.name for path in database.parent.iterdir() if path.name.startswith("leak")) == []
    with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")


def dump(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        state = [str(connection.execute(f"PRAGMA {name}").fetchone()) for name in ("user_version", "journal_mode")]
        return [*connection.iterdump(), *state]


def ask(database: Path, sql: str, **options: Any) -> QueryResult:
    return query.test_query(database, sql, **options)


def fails(database: Path, sql: str, **options: Any) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        query.test_query(database, sql, **options)
    return caught.value


def types(result: QueryResult) -> dict[str, str]:
    return {column.name: column.type for column in result.columns}


def test_rows_and_declared_types(database: Path) -> None:
    result = ask(database, "SELECT * FROM orders ORDER BY id")
    assert types(result) == {"id": "integer", "customer": "varchar(40)", "total": "real", "scan": "blob"}
    assert result.rows == [[1, "Ada", 1.5, {"base64": "AP8="}], [2, "Bo", 3.0, None]]
    assert (result.truncated, result.changes) == (False, 0)
    assert 0 <= result.elapsed < 5


def test_types_of_expressions_are_how_the_first_value_is_stored(database: Path) -> None:
    result = ask(database, "SELECT NULL AS a, 1 AS b, 'x' AS c, x'00' AS d, 1.5 AS e, doubled FROM totals")
    assert types(result) == {"a": "null", "b": "integer", "c": "text", "d": "blob", "e": "real", "doubled": "real"}


def test_types_with_parameters(database: Path) -> None:
    result = ask(database, "SELECT id, '?' AS mark, ? AS given FROM orders WHERE customer = ?", parameters=["x", "Ada"])
    assert types(result) == {"id": "integer", "mark": "text", "given": "text"}
    assert result.rows == [[1, "?", "x"]]


def test_two_columns_of_one_name_and_no_columns(database: Path) -> None:
    assert [column.name for column in ask(database, "SELECT 1 AS a, 2 AS a").columns] == ["a", "a"]
    assert ask(database, "UPDATE orders SET total = 0").columns == ()


@pytest.mark.parametrize(
    ("sql", "parameters", "row"),
    [
        ("SELECT :a, :b, :a", {"a": 1, "b": None}, [1, None, 1]),
        ("SELECT @a, $b", {"a": "x", "b": True}, ["x", 1]),
        ("SELECT ?2, ?1", [1, 2], [2, 1]),
        ("SELECT ?", [b"\x00\xff"], [{"base64": "AP8="}]),
        ("SELECT ?", [{"base64": "AP8="}], [{"base64": "AP8="}]),
        ("SELECT ?", ["'; DROP TABLE orders; --"], ["'; DROP TABLE orders; --"]),
        ("SELECT ?", ["\N{SNOWMAN}\0"], ["\N{SNOWMAN}\0"]),
        ("SELECT ?", [-(2**63)], [-(2**63)]),
        ("SELECT 9e999, -9e999", [], [{"real": "inf"}, {"real": "-inf"}]),
        ("SELECT CAST(x'ff' AS TEXT)", [], ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_parameters_and_values(database: Path, sql: str, parameters: Any, row: list[Any]) -> None:
    assert ask(database, sql, parameters=parameters).rows == [row]


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("SELECT ?", [], "uses 1, and there are 0 supplied"),
        ("SELECT ?", [1, 2], "uses 1, and there are 2 supplied"),
        ("SELECT :a", {"b": 1}, "value for binding parameter"),
        ("SELECT ?", [2**70], "too large"),
        ("SELECT ?", [float("nan")], "not a number"),
        ("SELECT ?", [[1]], "no known kind"),
        ("SELECT ?", [{"base64": "@"}], "no known kind"),
        ("SELECT ?", [{"hex": "00"}], "no known kind"),
        ("SELECT ?", ["\ud800"], "cannot be passed on"),
        ("SELECT ?", ["x" * 9_000_000], "larger than"),
        ("SELECT ?", ["x" * 5_000_000], "too big"),
    ],
)
def test_parameters_that_do_not_fit(database: Path, sql: str, parameters: Any, said: str) -> None:
    problem = fails(database, sql, parameters=parameters)
    assert problem.code is ProblemCode.QUERY_FAILED
    assert said in problem.detail


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("INSERT INTO orders (customer) VALUES ('Cy'), ('Di') RETURNING id, customer", 4),
        ("UPDATE orders SET total = 0", 2),
        ("DELETE FROM orders RETURNING id", 2),
        ("CREATE TABLE leak (a)", 0),
        ("CREATE TEMP TABLE leak AS SELECT * FROM orders", 2),
        ("DROP TABLE orders", 0),
        ("ALTER TABLE orders ADD COLUMN leak", 0),
        ("CREATE INDEX leak ON orders (customer)", 0),
        ("REINDEX", 0),
        ("ANALYZE", 0),
        ("REPLACE INTO orders (id, customer) VALUES (1, 'Eve')", 2),
    ],
)
def test_what_it_changes_is_taken_back(database: Path, sql: str, changes: int) -> None:
    result = ask(database, sql)
    assert result.changes == pytest.approx(changes, abs=3)
    assert (result.changes > 0) == (changes > 0) or "CREATE" in sql or "DROP" in sql or sql == "ANALYZE"


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ({"type": "int", "value": "42"}, 42),
        ({"type": "float", "value": 1}, 1.0),
        ({"type": "bool", "value": True}, 1),
        ({"type": "text", "value": "7"}, "7"),
        ({"type": "bytes", "value": "AP8="}, {"base64": "AP8="}),
        ({"type": "decimal", "value": "12.50"}, 12.5),
        ({"type": "decimal", "value": "9007199254740993"}, 9007199254740993),
        ({"type": "date", "value": "2026-03-01"}, "2026-03-01"),
        ({"type": "time", "value": "09:15"}, "09:15"),
        ({"type": "timestamp", "value": "2026-03-01T09:15:00Z"}, "2026-03-01T09:15:00Z"),
        ({"type": "date", "value": None}, None),
    ],
)
def test_parameters_that_say_their_type(database: Path, given: Any, bound: Any) -> None:
    assert ask(database, "SELECT ?", parameters=[given]).rows == [[bound]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "int", "value": "1.5"}, "'1.5' is no int. Write it in digits, as 42."),
        ({"type": "int", "value": "\u0664"}, "is no int"),
        ({"type": "int", "value": "9" * 201}, "has 201 characters; 200 are allowed"),
        ({"type": "float", "value": "inf"}, "is no float"),
        ({"type": "bool", "value": "yes"}, "is no bool"),
        ({"type": "text", "value": 7}, "is no text"),
        ({"type": "bytes", "value": "@"}, "is no bytes"),
        ({"type": "decimal", "value": "NaN"}, "is no decimal"),
        ({"type": "decimal", "value": "0.12345678901234567890"}, "more digits than its numbers can hold"),
        ({"type": "date", "value": "2026-02-30"}, "is no date. Write it as 2026-03-01."),
        ({"type": "date", "value": "20260301"}, "is no date"),
        ({"type": "timestamp", "value": "2026-03-01"}, "is no timestamp"),
        ({"type": "uuid", "value": "x"}, "of the type 'uuid'. There is: int, float"),
        ({"type": [], "value": "x"}, "There is: int"),
        ({"type": "date", "value": {}}, "no text and no number"),
    ],
)
def test_parameters_that_are_not_what_they_say(database: Path, given: Any, said: str) -> None:
    problem = fails(database, "SELECT ?", parameters=[given])
    assert problem.code is ProblemCode.QUERY_FAILED
    assert said in problem.detail


def test_a_plan_shows_the_steps_and_runs_nothing(database: Path) -> None:
    sql = "SELECT * FROM orders WHERE id = ? UNION SELECT * FROM orders WHERE customer = 'Ada'"
    result = ask(database, sql, parameters=[1], plan=True)
    assert result.plan is not None
    assert result.plan[0] == "COMPOUND QUERY"
    assert "    SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)" in result.plan
    assert (result.columns, result.rows, result.changes) == ((), [], 0)
    assert ask(database, "DELETE FROM orders", plan=True).changes == 0
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    assert ask(database, endless, plan=True).plan
    assert fails(database, "SELECT nope FROM orders", plan=True).position == 8
    assert fails(database, "COMMIT", plan=True).code is ProblemCode.QUERY_REFUSED
    assert fails(database, "ATTACH 'leak' AS leak", plan=True).code is ProblemCode.QUERY_REFUSED


def test_an_error_has_a_line_and_a_column(database: Path) -> None:
    problem = fails(database, "SELECT customer,\n       nope\n  FROM orders")
    assert (problem.position, problem.line, problem.column) == (25, 2, 8)


def test_the_engine_names_the_parameters(database: Path) -> None:
    queries = [
        "SELECT ':no', /* :no */ :yes, @also, $and, :yes FROM orders",
        "SELECT 1",
        "SELECT ?",
        "SELECT :a FROM nowhere",
        "ATTACH :a AS leak",
        "DELETE FROM orders WHERE id = :id",
    ]
    found = query.describe(query.sqlite_place(database), queries)
    assert [[parameter.name for parameter in each.parameters] for each in found] == [
        ["yes", "also", "and"],
        *([], [], [], []),
        ["id"],
    ]
    assert [each.problem for each in found[:2]] == [None, None]
    assert "no name" in str(found[2].problem)
    assert found[3].problem == "SQLite says: no such table: nowhere."
    assert "ATTACH" in str(found[4].problem)
    assert query.describe(query.sqlite_place(database), []) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM sqlite_dbpage",
        "UPDATE sqlite_dbpage SET data = zeroblob(4096)",
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('leak', x'0000000000000000')",
        "SELECT * FROM generate_series(1, 2)",
        "SELECT * FROM zipfile('leak')",
        "SELECT * FROM fsdir('.')",
        "PRAGMA temp_store_directory = '{directory}'",
        "SELECT * FROM pragma_temp_store_directory('{directory}')",
        "SELECT * FROM pragma_journal_mode('delete')",
        "SELECT * FROM pragma_writable_schema(1)",
        "SELECT * FROM pragma_user_version(7)",
        "PRAGMA main.synchronous = OFF",
        "CREATE TRIGGER leak AFTER INSERT ON orders BEGIN ATTACH 'leak' AS leak; END",
        "CREATE TRIGGER leak AFTER INSERT ON orders BEGIN PRAGMA user_version = 7; END",
        "CREATE TABLE temp.leak AS SELECT load_extension('leak')",
        "WITH leak AS (SELECT load_extension('leak')) SELECT * FROM leak",
        "EXPLAIN ATTACH 'leak' AS leak",
        "VACUUM main INTO '{directory}/leak.db'",
    ],
)
def test_ways_out_of_the_transaction_and_the_database(database: Path, sql: str) -> None:
    problem = fails(database, sql.format(directory=database.parent))
    assert problem.code in {ProblemCode.QUERY_REFUSED, ProblemCode.QUERY_FAILED}


def test_dbstat_shows_sizes_or_is_not_there(database: Path) -> None:
    with contextlib.suppress(ModuleProblem):
        assert ask(database, "SELECT count(*) FROM dbstat").rows[0][0] > 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT hex(randomblob(100000000))",
        "SELECT replace(hex(zeroblob(1900000)), '0', 'xxxxxxxx')",
        "SELECT 'a' LIKE '" + "%a" * 600 + "'",
        "SELECT 'a' GLOB '" + "*a" * 600 + "'",
        "SELECT " + "+".join(["1"] * 300),
        "SELECT " + "abs(" * 300 + "1" + ")" * 300,
        "SELECT " + ",".join(["1"] * 600),
        "SELECT ?5000",
        "SELECT json(" + "'" + "[" * 50_000 + "'" + ")",
    ],
    ids=lambda sql: sql[:24],
)
def test_what_is_too_large_for_the_engine_is_said_by_it(database: Path, sql: str) -> None:
    assert fails(database, sql).code is ProblemCode.QUERY_FAILED


@pytest.mark.parametrize(
    "sql",
    [
        "{endless} SELECT count(DISTINCT x) FROM c",
        "INSERT INTO orders (scan) {endless} SELECT x FROM c",
        "CREATE TEMP TABLE leak AS {endless} SELECT x FROM c",
    ],
    ids=["sorts", "writes", "keeps"],
)
def test_what_fills_memory_or_the_disk_is_stopped(database: Path, sql: str) -> None:
    problem = fails(database, sql.format(endless=ENDLESS_BLOBS), timeout_seconds=20)
    assert problem.code in {ProblemCode.QUERY_FAILED, ProblemCode.QUERY_TIMEOUT}
    assert sum(path.stat().st_size for path in database.parent.iterdir()) < query.MAX_GROWTH_BYTES


def test_returning_shows_the_rows(database: Path) -> None:
    assert ask(database, "INSERT INTO orders (customer) VALUES ('Cy') RETURNING id, customer").rows == [[3, "Cy"]]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("ATTACH '{directory}/leak.db' AS other", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("COMMIT", "COMMIT"),
        ("/* x */ End -- y\n Transaction", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("BEGIN", "BEGIN"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE a", "SAVEPOINT"),
        ("PRAGMA journal_mode = WAL", "PRAGMA journal_mode"),
        ("PRAGMA writable_schema = ON", "PRAGMA writable_schema"),
        ("PRAGMA user_version = 7", "PRAGMA user_version"),
        ("PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint"),
        ("PRAGMA database_list", "PRAGMA database_list"),
        ("SELECT * FROM pragma_database_list", "PRAGMA database_list"),
        ("PRAGMA trusted_schema = ON", "PRAGMA trusted_schema"),
        ("SELECT load_extension('leak')", "load_extension"),
        ("SELECT Load_Extension('leak')", "load_extension"),
        ("CREATE VIRTUAL TABLE leak USING fts5(a)", "CREATE VIRTUAL TABLE"),
        ("CREATE TEMP TRIGGER t AFTER INSERT ON orders BEGIN SELECT load_extension('x'); END", ""),
    ],
)
def test_what_would_leave_the_transaction_is_refused(database: Path, sql: str, named: str) -> None:
    if not named:
        ask(database, sql)
        return
    problem = fails(database, sql.format(directory=database.parent))
    assert problem.code is ProblemCode.QUERY_REFUSED
    assert named.casefold() in problem.detail.casefold()


@pytest.mark.parametrize("sql", ["VACUUM", "VACUUM INTO '{directory}/leak.db'", "UPDATE sqlite_master SET sql = ''"])
def test_what_the_engine_itself_refuses(database: Path, sql: str) -> None:
    fails(database, sql.format(directory=database.parent))


@pytest.mark.parametrize("sql", ["SELECT readfile('/etc/passwd')", "SELECT writefile('leak', 'x')", "SELECT edit('x')"])
def test_functions_that_touch_files_are_not_there(database: Path, sql: str) -> None:
    assert "no such function" in fails(database, sql).detail


@pytest.mark.parametrize("sql", ["PRAGMA table_info(orders)", "PRAGMA user_version", "SELECT * FROM pragma_table_list"])
def test_pragmas_that_only_show_are_allowed(database: Path, sql: str) -> None:
    assert ask(database, sql).rows


@pytest.mark.parametrize(
    ("sql", "said", "position"),
    [
        ("SELECT * FORM orders", 'near "FORM": syntax error', 10),
        ("SELECT 'FORM', \"FORM\"\n -- FORM\n FORM x y", "syntax error", 38),
        ("SELECT nope FROM orders", "no such column: nope", 8),
        ("SELECT o.nope FROM orders o", "no such column: o.nope", 10),
        ("SELECT * FROM nope", "no such table: nope", 15),
        ("SELECT nope, nope FROM orders", "no such column: nope", None),
        ("SELECT (", "incomplete input", None),
        ("SELECT 1; SELECT 2", "one statement", None),
        ("INSERT INTO orders (id) VALUES (1)", "UNIQUE constraint failed: orders.id", None),
        ("SELECT abs(-9223372036854775808)", "integer overflow", None),
    ],
)
def test_errors_have_the_engines_words_and_a_place(database: Path, sql: str, said: str, position: int | None) -> None:
    problem = fails(database, sql)
    assert problem.code is ProblemCode.QUERY_FAILED
    assert said in problem.detail
    assert problem.position == position


@pytest.mark.parametrize("sql", ["", " ;; ", "-- nothing", "/* nothing */ ;"])
def test_no_statement(database: Path, sql: str) -> None:
    assert "no statement" in fails(database, sql).detail


def test_ten_megabytes_of_sql_and_odd_characters(database: Path) -> None:
    assert "10,000,009 bytes; 102,400 are allowed" in fails(database, f"SELECT '{'x' * 10_000_000}'").detail
    assert fails(database, "SELECT 1 \0, 2").position == 10
    assert "cannot be passed on" in fails(database, "SELECT '\ud800'").detail
    fails(database, "SELECT " + "(" * 50_000)
    fails(database, "SELECT 1" + " UNION SELECT 1" * 5000)


def test_rows_and_bytes_are_bounded(database: Path) -> None:
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    for asked, given in ((10, 10), (1_000_000, 10_000), (-1, 0)):
        result = ask(database, endless, max_rows=asked)
        assert (len(result.rows), result.truncated) == (given, True)
    result = ask(database, "SELECT randomblob(1000000) FROM pragma_function_list LIMIT 20")
    assert result.truncated
    assert len(result.rows) == 3
    result = ask(database, f"{endless} LIMIT 10", max_rows=10)
    assert (len(result.rows), result.truncated) == (10, False)
    assert "too big" in fails(database, "SELECT zeroblob(1000000000)").detail


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "INSERT INTO orders (id) WITH RECURSIVE c (x) AS (SELECT 9 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        # One single call of one function: nothing within the process can interrupt it.
        "SELECT instr(zeroblob(4000000), zeroblob(2000000) || x'01')",
    ],
    ids=["reads", "writes", "one call"],
)
def test_an_endless_query_is_really_stopped(database: Path, sql: str) -> None:
    began = time.monotonic()
    problem = fails(database, sql, timeout_seconds=0.5)
    assert problem.code is ProblemCode.QUERY_TIMEOUT
    assert "0.5 seconds" in problem.detail
    assert time.monotonic() - began < 8


def test_a_locked_database_is_waited_for_only_so_long(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        problem = fails(database, "SELECT * FROM orders", timeout_seconds=0.5)
    assert problem.code is ProblemCode.QUERY_TIMEOUT
    assert "locked" in problem.detail


def test_a_short_lock_is_waited_for(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    with contextlib.closing(connection):
        connection.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.5, connection.rollback)
        timer.start()
        assert ask(database, "SELECT count(*) FROM orders").rows == [[2]]
        timer.join()


def test_a_module_without_a_database_is_asked_on_an_empty_one(tmp_path: Path) -> None:
    none = tmp_path / "none.db"
    assert ask(none, "SELECT 1").rows == [[1]]
    assert ask(none, "SELECT count(*) FROM sqlite_master").rows == [[0]]
    assert "no such table: orders" in fails(none, "SELECT * FROM orders").detail
    assert fails(none, "COMMIT").code is ProblemCode.QUERY_REFUSED
    assert not none.exists()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "odd.db").write_text("this is not a database " * 100)
    assert "not a database" in fails(tmp_path / "odd.db", "SELECT * FROM sqlite_master").detail


def test_functions_only_the_module_has_are_missing_and_said(database: Path) -> None:
    assert "no such function: discount" in fails(database, "SELECT discount(total) FROM orders").detail
