"""A module's database in PostgreSQL: what its roles may reach, and what schema.sql may do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from placet.platform.layout import Layout
from placet.platform.module_databases import ModuleDatabases
from placet.platform.module_postgresql import PostgresqlModuleDatabase, PostgresqlModules
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import Migration, Wanted
from placet.store.database import Database
from platform_support.postgresql import database_for_modules, module_connection
from store_support.databases import new_database_url
from store_support.postgres import shared_server

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE orders (id serial PRIMARY KEY, customer varchar(40) NOT NULL, total numeric(10, 2), felt mood);
CREATE INDEX orders_by_customer ON orders (customer);
CREATE VIEW totals AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer;
CREATE TABLE log (what text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log VALUES ('new; really'); RETURN NEW; END $$;
CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO orders (customer, total) VALUES ('Ada', 1.50), ('Bo', 3);
"""
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def facts() -> Iterator[Database]:
    with database_for_modules() as database:
        yield database


@pytest.fixture
def orders(facts: Database) -> Iterator[PostgresqlModuleDatabase]:
    module = PostgresqlModules(facts).of("my-orders")
    yield module
    module.undo((), existed=False)
    assert not any(name.startswith("trial_") for name in schemas(facts))


def check(module: PostgresqlModuleDatabase, schema: str, *migrations: Migration) -> tuple[str, ...]:
    return module.check(Wanted(schema=schema, migrations=migrations)).created


def apply(module: PostgresqlModuleDatabase, schema: str, *migrations: Migration) -> tuple[str, ...]:
    return module.apply(Wanted(schema=schema, migrations=migrations)).created


def rows(module: PostgresqlModuleDatabase, sql: str) -> list[tuple[Any, ...]]:
    with module_connection(module) as connection:
        return connection.execute(sql).fetchall()


def invalid(module: PostgresqlModuleDatabase, schema: str) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        check(module, schema)
    assert caught.value.code is ProblemCode.SCHEMA_INVALID
    return caught.value


def schemas(facts: Database) -> set[str]:
    with facts.read() as connection:
        return set(connection.execute(text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")).scalars())


def test_a_schema_is_checked_applied_and_filled_once(facts: Database, orders: PostgresqlModuleDatabase) -> None:
    before = schemas(facts)
    assert not orders.exists()
    would = check(orders, SCHEMA)
    assert not orders.exists()
    assert set(would) >= {
        "type mood",
        "table orders",
        "index orders_by_customer",
        "view totals",
        "trigger noted on orders",
    }
    created = apply(orders, SCHEMA)
    assert (orders.exists(), set(created)) == (True, set(would))
    assert schemas(facts) == before | {"module_my-orders", "module_trials"}
    assert rows(orders, "SELECT customer, total::text FROM totals ORDER BY 1") == [("Ada", "1.50"), ("Bo", "3.00")]
    assert rows(orders, "SELECT count(*) FROM log") == [(2,)]
    assert check(orders, SCHEMA) == apply(orders, SCHEMA) == ()
    assert rows(orders, "SELECT count(*) FROM orders") == [(2,)]


def test_only_what_is_missing_is_added_and_only_new_tables_are_filled(orders: PostgresqlModuleDatabase) -> None:
    apply(orders, SCHEMA)
    more = SCHEMA + "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('pen'), ('ink');"
    assert check(orders, more) == apply(orders, more) == ("table items",)
    assert rows(orders, "SELECT count(*) FROM orders") == [(2,)]
    orders.undo(("table items",), existed=True)
    orders.undo(("table items",), existed=True)
    assert rows(orders, "SELECT to_regclass('items')") == [(None,)]


def test_undo_takes_back_exactly_what_was_created(orders: PostgresqlModuleDatabase) -> None:
    apply(orders, "CREATE TABLE mine (a int);")
    created = apply(orders, "CREATE TABLE mine (a int);" + SCHEMA)
    orders.undo(created, existed=True)
    assert rows(orders, "SELECT relname FROM pg_class WHERE relnamespace = 'module_my-orders'::regnamespace") == [
        ("mine",)
    ]


def test_entities_are_tables_and_views(facts: Database) -> None:
    found = [(entity.kind, entity.name) for entity in PostgresqlModules(facts).entities(SCHEMA)]
    assert found == [("table", "log"), ("table", "orders"), ("view", "totals")]


@pytest.mark.parametrize(
    ("schema", "said", "line", "position"),
    [
        ("CREATE TABLE a (b int);\n\nCREATE TABEL c (d);", "syntax error", 3, 8),
        ("CREATE TABLE a (b int);\nINSERT INTO a\n  SELECT nope\n  FROM a;", "nope", 3, 10),
        ("CREATE TABLE a (b int);\nCREATE TABLE a (b int);", "already exists", 2, None),
        ("CREATE TABLE a (b int);\nDROP TABLE a;", "DROP TABLE is not allowed", 2, None),
        ("CREATE TABLE a (b int);\nALTER TABLE a ADD c int;", "ALTER TABLE is not allowed", 2, None),
        ("CREATE TABLE a (b int);\nDELETE FROM a;", "DELETE 0 is not allowed", 2, None),
        (
            "CREATE TABLE a (b int);\nWITH x AS (DELETE FROM a) INSERT INTO a VALUES (1);",
            "DELETE is not allowed",
            2,
            None,
        ),
        ("SELECT 1;", "answers rows", 1, None),
        ("SELECT repeat('x', 1000000000);", "answers rows", 1, None),
        ("COMMIT;", "COMMIT is not allowed", 1, None),
        ("CREATE TABLE a (b int);\nROLLBACK;", "ROLLBACK is not allowed", 2, None),
        ("SET search_path = public;", "SET is not allowed", 1, None),
        ("SET ROLE postgres;", "permission denied", 1, None),
        ("RESET ROLE;", "RESET is not allowed", 1, None),
        ("SET SESSION AUTHORIZATION postgres;", "permission denied", 1, None),
        ("DO $$ BEGIN COMMIT; END $$;", "invalid transaction termination", 1, None),
        ("DO $$ BEGIN NULL; END $$;", "DO is not allowed", 1, None),
        ("CREATE TABLE public.a (b int);", "permission denied", 1, 14),
        ("CREATE TEMP TABLE a (b int);", "permission denied", 1, None),
        ("CREATE SCHEMA other;", "permission denied", 1, None),
        ("CREATE ROLE other;", "permission denied", 1, None),
        ("CREATE EXTENSION hstore;", "", 1, None),
        ("CREATE TABLE a AS SELECT * FROM public.licenses;", "permission denied", 1, None),
        ("COPY pg_class TO '/tmp/leak';", "permission denied", 1, None),
        ("COPY pg_class TO PROGRAM 'cat';", "permission denied", 1, None),
        ("CREATE TABLE a AS SELECT pg_read_file('/etc/passwd');", "permission denied", 1, None),
        ("CREATE TABLE a AS SELECT 1 FROM pg_sleep(60);", "takes too long", 1, None),
        ("GRANT ALL ON SCHEMA public TO PUBLIC;", "", 1, None),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x';", "permission denied", 1, None),
    ],
)
def test_what_a_schema_may_not_do(
    orders: PostgresqlModuleDatabase, schema: str, said: str, line: int, position: int | None
) -> None:
    problem = invalid(orders, schema)
    assert said in problem.detail
    assert problem.line == line
    if position is not None:
        assert problem.position == position
    assert not orders.exists()


def test_routines_with_bodies_are_one_statement(orders: PostgresqlModuleDatabase) -> None:
    schema = """
    /* a comment; /* nested; */ still; */
    CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;
    CREATE FUNCTION two() RETURNS text LANGUAGE sql AS $body$ SELECT 'it''s; $$'; $body$;
    CREATE TABLE "a ""b; c" (x text DEFAULT E'it\\'s; x');
    """
    assert apply(orders, schema) == ("function one()", "function two()", 'table "a ""b; c"')


def test_a_role_reaches_its_schema_and_nothing_else(facts: Database, orders: PostgresqlModuleDatabase) -> None:
    apply(orders, SCHEMA)
    other = PostgresqlModules(facts).of("other")
    apply(other, "CREATE TABLE secrets (a int)")
    try:
        with module_connection(orders) as connection:
            assert connection.execute("SHOW search_path").fetchone() == ('"module_my-orders"',)
            for sql in (
                "SELECT * FROM public.installation",
                "SELECT * FROM public.module_databases",
                "SELECT * FROM module_other.secrets",
                "CREATE TABLE public.leak (a int)",
                "CREATE SCHEMA leak",
                "CREATE TEMP TABLE leak (a int)",
                "CREATE ROLE leak",
                "SELECT pg_read_file('/etc/passwd')",
                "SELECT lo_export(1, '/tmp/leak')",
                "COPY orders TO PROGRAM 'cat'",
                "SELECT rolpassword FROM pg_authid",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql)
            connection.execute("INSERT INTO orders (customer) VALUES ('Cy')")
    finally:
        other.undo((), existed=False)


def test_a_deleted_modules_data_is_kept_and_nobody_gets_in(facts: Database, orders: PostgresqlModuleDatabase) -> None:
    apply(orders, SCHEMA)
    address = orders.address
    kept = orders.put_aside(NOW)
    assert kept == "deleted_my-orders_20260601t120000_000000"
    assert kept in schemas(facts)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    assert (orders.exists(), orders.put_aside(NOW)) == (False, None)
    apply(orders, "CREATE TABLE orders (a int)")
    assert rows(orders, "SELECT count(*) FROM orders") == [(0,)]


def test_nothing_is_left_of_what_is_removed(facts: Database) -> None:
    module = PostgresqlModules(facts).of("gone")
    apply(module, SCHEMA)
    module.undo((), existed=False)
    module.undo((), existed=False)
    with facts.read() as connection:
        assert connection.execute(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'module_gone%'")).all() == []
        assert connection.execute(text("SELECT owner FROM module_databases WHERE owner = 'gone'")).all() == []
    assert "module_gone" not in schemas(facts)


def test_a_role_that_may_not_create_roles_is_told_what_to_do(tmp_path: Path) -> None:
    database = Database.open(new_database_url("postgresql", tmp_path))
    try:
        with pytest.raises(ModuleProblem) as caught:
            check(PostgresqlModules(database).of("orders"), "CREATE TABLE a (b int)")
    finally:
        database.close()
    assert caught.value.code is ProblemCode.DATABASE_NOT_OFFERED
    assert "ALTER ROLE placet CREATEROLE" in caught.value.detail


def test_what_everybody_was_given_rights_on_is_noticed() -> None:
    with database_for_modules() as facts:
        with facts.write() as connection:
            connection.execute(text("CREATE SCHEMA shared"))
            connection.execute(text("CREATE TABLE shared.everything (a int)"))
            connection.execute(text("GRANT USAGE ON SCHEMA shared TO PUBLIC"))
            connection.execute(text("GRANT SELECT ON shared.everything TO PUBLIC"))
        with pytest.raises(ModuleProblem, match=r"would reach shared\.everything"):
            apply(PostgresqlModules(facts).of("orders"), "")
        assert not PostgresqlModules(facts).of("orders").exists()


def test_a_server_on_sqlite_says_what_to_do(tmp_path: Path) -> None:
    database = Database.open_file(tmp_path / "placet.sqlite3")
    try:
        with pytest.raises(ModuleProblem, match="--database postgresql://") as caught:
            ModuleDatabases(database, Layout(tmp_path)).of("orders", "postgresql")
    finally:
        database.close()
    assert caught.value.code is ProblemCode.DATABASE_NOT_OFFERED


def test_an_endless_schema_that_cannot_be_cancelled_is_ended(facts: Database) -> None:
    stubborn = """
    CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql AS $$ BEGIN LOOP
      BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
    END LOOP; END $$;
    CREATE TABLE a AS SELECT stubborn();
    """
    began = time.monotonic()
    with pytest.raises(ModuleProblem, match="too long"):
        PostgresqlModules(facts).entities(stubborn)
    assert time.monotonic() - began < 60
    found = shared_server().run(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%stubborn%%' AND pid <> pg_backend_pid()"
    )
    assert found == [(0,)]
