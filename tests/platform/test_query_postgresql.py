"""Test queries on PostgreSQL: what they answer, and that they leave nothing behind whatever they are."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from placet.platform.module_postgresql import PostgresqlModuleDatabase, PostgresqlModules
from placet.platform.postgresql_text import numbered
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.query import QueryResult
from placet.platform.schema_files import Wanted
from placet.store.database import Database
from platform_support.postgresql import database_for_modules, module_connection
from store_support.postgres import shared_server

SCHEMA = """
CREATE TABLE orders (id serial PRIMARY KEY, customer varchar(40), total numeric(10, 2), at timestamptz, scan bytea);
CREATE INDEX orders_by_customer ON orders (customer);
INSERT INTO orders (customer, total, at, scan)
VALUES ('Ada', 1.50, '2026-03-01T09:15:00Z', '\\x00ff'), ('Bo', 3, NULL, NULL);
CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql AS $$ BEGIN LOOP
  BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$;
CREATE FUNCTION writes() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM orders; SELECT 1';
CREATE FUNCTION commits() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; RETURN 1; END $$;
CREATE FUNCTION unset() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM set_config('statement_timeout', '0', false); RETURN 1; END $$;
"""
ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {} FROM c"


@pytest.fixture(scope="module")
def facts() -> Iterator[Database]:
    with database_for_modules() as database:
        yield database


@pytest.fixture(scope="module")
def module(facts: Database) -> PostgresqlModuleDatabase:
    made = PostgresqlModules(facts).of("shop")
    made.apply(Wanted(schema=SCHEMA))
    return made


@pytest.fixture(autouse=True)
def unchanged(module: PostgresqlModuleDatabase) -> Iterator[None]:
    """Whatever a test query does, the data is as it was, and nobody works for it any more."""
    before = state(module)
    yield
    assert state(module) == before
    sql = "SELECT query FROM pg_stat_activity WHERE usename LIKE 'module_shop%%_reader'"
    deadline = time.monotonic() + 10
    while (left := shared_server().run(sql)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def state(module: PostgresqlModuleDatabase) -> list[Any]:
    with module_connection(module) as connection:
        return [
            connection.execute(sql).fetchall()
            for sql in (
                "SELECT * FROM orders ORDER BY id",
                "SELECT last_value, is_called FROM orders_id_seq",
                "SELECT count(*) FROM pg_class",
                "SELECT count(*) FROM pg_largeobject_metadata",
                "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory'",
            )
        ]


def ask(module: PostgresqlModuleDatabase, sql: str, **options: Any) -> QueryResult:
    return module.test_query(sql, **options)


def fails(module: PostgresqlModuleDatabase, sql: str, **options: Any) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        module.test_query(sql, **options)
    return caught.value


def test_rows_and_types(module: PostgresqlModuleDatabase) -> None:
    result = ask(module, "SELECT * FROM orders ORDER BY id")
    assert {column.name: column.type for column in result.columns} == {
        "id": "integer",
        "customer": "character varying(40)",
        "total": "numeric(10,2)",
        "at": "timestamp with time zone",
        "scan": "bytea",
    }
    assert result.rows[0][:3] == [1, "Ada", "1.50"]
    assert result.rows[0][3].startswith("2026-03-01 ")
    assert (result.rows[0][4], result.rows[1]) == ({"base64": "AP8="}, [2, "Bo", "3.00", None, None])
    assert (result.truncated, result.changes, result.plan) == (False, 0, None)
    assert 0 <= result.elapsed < 5
    assert ask(module, "SELECT true, 'infinity'::float8, 9007199254740993, '{1,2}'::int[], NULL;").rows == [
        [True, {"real": "inf"}, 9007199254740993, "{1,2}", None]
    ]


@pytest.mark.parametrize(
    "sql", ["VALUES (1)", "TABLE orders LIMIT 0", "WITH x AS (SELECT 1) SELECT * FROM x", "SELECT"]
)
def test_all_that_answers_rows(module: PostgresqlModuleDatabase, sql: str) -> None:
    assert ask(module, sql).truncated is False


@pytest.mark.parametrize(
    ("sql", "parameters", "row"),
    [
        ("SELECT :a + 1, :b, :a", {"a": 1, "b": True}, [2, True, 1]),
        ("SELECT $2, $1", [1, 2.5], [2.5, 1]),
        (("SELECT ':no', E'\\':no', $$:no$$, \":yes\", 1::int /* :no /* */ :no */"
         ' FROM (SELECT :yes AS ":yes") AS t -- :no'),
            {"yes": 7}, [":no", "':no", ":no", 7, 1]),
        ("SELECT id FROM orders WHERE at < :day", {"day": "2026-04-01"}, [1]),
        ("SELECT id FROM orders WHERE at < :day", {"day": {"type": "date", "value": "2026-04-01"}}, [1]),
        ("SELECT " + ", ".join(f"pg_typeof(:{name})::text" for name in "abcde"),
            {"a": {"type": "decimal", "value": "1.50"}, "b": {"type": "time", "value": "09:15"},
             "c": {"type": "timestamp", "value": "2026-03-01T09:15:00"},
             "d": {"type": "timestamp", "value": "2026-03-01T09:15:00+02:00"}, "e": {"type": "text", "value": "x"}},
            ["numeric", "time without time zone", "timestamp without time zone", "timestamp with time zone", "text"]),
        ("SELECT :a::text, :b", {"a": {"type": "decimal", "value": "0.12345678901234567890"}, "b": 2**70},
            ["0.12345678901234567890", str(2**70)]),
        ("SELECT $1", [b"\x00\xff"], [{"base64": "AP8="}]),
        ("SELECT $1::text", [None], [None]),
        ("SELECT $1", ["'; DROP TABLE orders; --"], ["'; DROP TABLE orders; --"]),
    ],
)  # fmt: skip
def test_parameters(module: PostgresqlModuleDatabase, sql: str, parameters: Any, row: list[Any]) -> None:
    assert ask(module, sql, parameters=parameters).rows == [row]


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("SELECT :a", {"b": 1}, "did not supply a value for the parameter a"),
        ("SELECT $1", [], "parameter"),
        ("SELECT $1::int", ["x"], "invalid input syntax for type integer"),
        ("SELECT $1", ["a\0b"], "NUL"),
    ],
)
def test_parameters_that_do_not_fit(module: PostgresqlModuleDatabase, sql: str, parameters: Any, said: str) -> None:
    problem = fails(module, sql, parameters=parameters)
    assert (problem.code, said in problem.detail) == (ProblemCode.QUERY_FAILED, True), problem.detail


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders (customer) VALUES ('leak')",
        "UPDATE orders SET total = 0",
        "DELETE FROM orders RETURNING id",
        "MERGE INTO orders USING (SELECT 1) AS x ON false WHEN NOT MATCHED THEN INSERT (customer) VALUES ('leak')",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "CREATE TABLE leak (a int)",
        "CREATE TEMP TABLE leak (a int)",
        "SELECT * INTO leak FROM orders",
        "SELECT * INTO TEMP leak FROM orders",
        "CREATE FUNCTION leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE orders",
        "ALTER TABLE orders ADD leak int",
        "TRUNCATE orders",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SAVEPOINT leak",
        "SET TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
        "SET statement_timeout = 0",
        "SET ROLE postgres",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION postgres",
        "SHOW server_version",
        "DISCARD ALL",
        "LISTEN leak",
        "NOTIFY placet",
        "LOCK orders",
        "PREPARE leak AS SELECT 1",
        "DECLARE leak CURSOR FOR SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "DO $$ BEGIN END $$",
        "CALL leak()",
        "COPY orders TO STDOUT",
        "COPY orders TO '/tmp/leak'",
        "COPY (SELECT 1) TO PROGRAM 'cat > /tmp/leak'",
        "VACUUM",
        "CHECKPOINT",
        "GRANT ALL ON orders TO PUBLIC",
        "SELECT nextval('orders_id_seq')",
        "SELECT setval('orders_id_seq', 99)",
        "SELECT * FROM orders FOR UPDATE",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'leak')",
        "SELECT lo_export(1, '/tmp/leak')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT set_config('session_authorization', 'postgres', false)",
        "SELECT pg_reload_conf()",
        "SELECT pg_stat_reset()",
        "SELECT writes()",
        "SELECT commits()",
        "SELECT query_to_xml('DELETE FROM orders', true, true, '')",
        "SELECT * FROM public.licenses",
        "SELECT * FROM public.module_databases",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
        "SELECT 1; DROP TABLE orders",
        "SELECT 1; COMMIT",
    ],
)
def test_what_does_more_than_read_is_refused_by_the_engine(module: PostgresqlModuleDatabase, sql: str) -> None:
    problem = fails(module, sql)
    assert problem.code in {ProblemCode.QUERY_REFUSED, ProblemCode.QUERY_FAILED}
    assert "reached" not in problem.detail


def test_the_modules_own_sessions_cannot_be_ended(module: PostgresqlModuleDatabase) -> None:
    with module_connection(module) as session:
        problem = fails(module, "SELECT pg_terminate_backend(:pid)", parameters={"pid": session.info.backend_pid})
        assert problem.code is ProblemCode.QUERY_REFUSED
        assert "permission denied" in problem.detail


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_advisory_lock(7881707418996)",
        "SELECT pg_notify('placet', 'leak')",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT pg_export_snapshot()",
        "SELECT currval('orders_id_seq') WHERE false",
    ],
)
def test_what_ends_with_the_session_is_harmless(module: PostgresqlModuleDatabase, sql: str) -> None:
    assert ask(module, sql).truncated is False


@pytest.mark.parametrize(
    "sql",
    [ENDLESS.format("count(*)"), "SELECT pg_sleep(600)", "SELECT stubborn()", "SELECT unset(), pg_sleep(600)"],
    ids=["counts", "sleeps", "catches its cancelling", "unsets its time"],
)
def test_an_endless_query_is_really_stopped(module: PostgresqlModuleDatabase, sql: str) -> None:
    began = time.monotonic()
    problem = fails(module, sql, timeout_seconds=0.5)
    assert problem.code is ProblemCode.QUERY_TIMEOUT
    assert time.monotonic() - began < 10


def test_a_lock_of_the_modules_is_waited_for_only_so_long(module: PostgresqlModuleDatabase) -> None:
    with module_connection(module) as session, session.transaction():
        session.execute("LOCK TABLE orders")
        problem = fails(module, "SELECT * FROM orders", timeout_seconds=0.5)
    assert problem.code is ProblemCode.QUERY_TIMEOUT


def test_rows_bytes_and_memory_are_bounded(module: PostgresqlModuleDatabase) -> None:
    for asked, given in ((10, 10), (1_000_000, 10_000), (-1, 0)):
        result = ask(module, ENDLESS.format("x"), max_rows=asked)
        assert (len(result.rows), result.truncated) == (given, True)
    result = ask(module, "SELECT repeat('x', 1000000) FROM generate_series(1, 20)")
    assert (len(result.rows), result.truncated) == (4, True)
    assert ask(module, "SELECT generate_series(1, 10)", max_rows=10).truncated is False
    assert fails(module, "SELECT repeat('x', 1000000000)", timeout_seconds=20).code in {
        ProblemCode.QUERY_FAILED,
        ProblemCode.QUERY_TIMEOUT,
    }


@pytest.mark.parametrize(
    ("sql", "said", "place"),
    [
        ("SELECT * FORM orders", 'syntax error at or near "FORM"', (10, 1, 10)),
        ("SELECT customer,\n       nope\n  FROM orders", 'column "nope" does not exist', (25, 2, 8)),
        ("SELECT :longer_name,\n :a, nope", "nope", (27, 2, 6)),
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist', (15, 1, 15)),
        ("SELECT 1; SELECT 2", "multiple commands", (None, None, None)),
        ("SELECT 1 / 0", "division by zero", (None, None, None)),
    ],
)
def test_errors_have_the_engines_words_and_a_place(
    module: PostgresqlModuleDatabase, sql: str, said: str, place: tuple[int | None, ...]
) -> None:
    problem = fails(module, sql, parameters={"longer_name": 1, "a": 2})
    assert (problem.code, said in problem.detail) == (ProblemCode.QUERY_FAILED, True), problem.detail
    assert (problem.position, problem.line, problem.column) == place


def test_a_plan_runs_nothing(module: PostgresqlModuleDatabase) -> None:
    result = ask(
        module,
        "SELECT * FROM orders WHERE customer = :who AND pg_sleep(60) IS NULL",
        parameters={"who": "x"},
        plan=True,
    )
    assert result.plan is not None
    assert "orders" in result.plan[0]
    assert (result.columns, result.rows) == ((), [])
    assert ask(module, "SELECT stubborn()", plan=True).plan
    assert fails(module, "COMMIT", plan=True).code is ProblemCode.QUERY_REFUSED
    assert fails(module, "SELECT nope", plan=True).position == 8
    for sql in ("ANALYZE SELECT writes()", "(ANALYZE) SELECT writes()", "(ANALYZE) DELETE FROM orders"):
        fails(module, sql, plan=True)


def test_the_engine_types_the_parameters(module: PostgresqlModuleDatabase) -> None:
    found = module.describe(
        ["SELECT * FROM orders WHERE customer = :who AND at < :day", "SELECT nope", "SELECT $1 + 1", "COMMIT"]
    )
    assert [[(parameter.name, parameter.type) for parameter in each.parameters] for each in found] == [
        [("who", "text"), ("day", "timestamp with time zone")],
        [],
        [("1", "integer")],
        [],
    ]
    assert [each.problem is None for each in found] == [True, False, True, True]


def test_positions_are_those_of_the_original() -> None:
    text = numbered("SELECT :a, :long, :a, :b")
    assert (text.sql, text.names) == ("SELECT $1, $2, $1, $3", ("a", "long", "b"))
    assert [text.original(position) for position in (1, 8, 12, 16, 20)] == [1, 8, 12, 19, 23]
    many = numbered(" ".join(f":{chr(97 + i)}" for i in range(12)) + " x")
    assert many.original(len(many.sql)) == 37
    assert numbered("/* " * 20_000 + ":a").names == ()
    assert numbered("'" + ":a" * 20_000).names == ()
