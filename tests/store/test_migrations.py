"""The schema: made by Alembic, the same as the tables, and never older or newer than this code without a word."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, MetaData, create_engine, insert, inspect, select, text
from sqlalchemy.engine import make_url

from guard_support.guards import allocate, install, opened, used
from placet.enforcement import Code
from placet.store import dialects
from placet.store.database import SCHEMA_VERSION, Database, DatabaseUnusable
from placet.store.migrations import configuration, upgrade
from placet.store.schema import metadata
from store_support import children, threads
from store_support.databases import raw

OPENS = """
import sys
from placet.store.database import Database
from placet.store.installation import ensure_installation, read_installation
from datetime import datetime, UTC
print("ready", flush=True)
sys.stdin.readline()
database = Database.open(sys.argv[1])
with database.write() as connection:
    ensure_installation(connection, datetime.now(UTC))
with database.read() as connection:
    print(read_installation(connection).serial_number)
database.close()
"""


SCRIPTS = ScriptDirectory.from_config(configuration())
VERSIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]
AHEAD = f"{int(SCHEMA_VERSION) + 1:04}"
RELEASED = {"0001": "462d13ba57ab492f7dc8fcf441557aa98dddc3c6fc72f717b455908b9afad30b"}
PLANTED: dict[type, Any] = {int: 1, str: "1", bool: True, bytes: b"1"}


def plant(connection: Connection) -> None:
    """A row in each table there is, all ones: that satisfies every foreign key and check, now and in the future."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name != "alembic_version":
            row = {column.name: PLANTED[column.type.python_type] for column in table.columns}
            connection.execute(insert(table).values(row))


def rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, as the database has it."""
    found = MetaData()
    found.reflect(connection)
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in found.sorted_tables
    }


@contextmanager
def without_schema(url: str) -> Iterator[Database]:
    """The database at ``url`` as it is, with nothing brought up to date."""
    parsed = dialects.complete(make_url(url))
    database = Database(create_engine(parsed, **dialects.engine_arguments(parsed)))
    yield database
    database.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_each_released_schema_is_brought_up_with_all_it_holds(database_url: str, version: str) -> None:
    with without_schema(database_url) as old, old.write() as connection:
        upgrade(connection, version)
        plant(connection)
        before = rows(connection)
    assert before.pop("alembic_version") == [{"version_num": version}]
    assert all(len(found) == 1 for found in before.values())

    database = Database.open(database_url)
    with database.read() as connection:
        after = rows(connection)
    for table, (row,) in before.items():
        (kept,) = after[table]
        assert {name: kept[name] for name in row} == row
    assert_schema_is_current(database)
    database.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_goes_on_with_a_database_of_each_released_schema(database_url: str, version: str) -> None:
    with without_schema(database_url) as old, old.write() as connection:
        upgrade(connection, version)
        connection.execute(text("INSERT INTO totals (feature, used) VALUES ('software_units', 3)"))
        holds = (
            "INSERT INTO allocations (feature, holder, amount, changed_at) VALUES ('software_units', 'orders', 3, 0)"
        )
        connection.execute(text(holds))
    guard = opened(database_url)
    install(guard)
    allocate(guard, "billing", 97)
    assert guard.check("publish", software_units=1).code is Code.SOFTWARE_UNITS_LIMIT
    assert used(guard) == 100
    guard.close()


def test_versions_are_numbered_in_the_order_they_are_run_in() -> None:
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


@pytest.mark.parametrize(("version", "digest"), RELEASED.items())
def test_a_migration_that_was_released_stays_as_it_is(version: str, digest: str) -> None:
    """Databases of that schema may be anywhere; a change is a migration of its own."""
    content = Path(SCRIPTS.get_revision(version).path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest


def test_the_migrations_make_the_tables(database: Database) -> None:
    assert_schema_is_current(database)


def assert_schema_is_current(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        found = inspect(connection)
        for table in metadata.sorted_tables:  # what the comparison does not look at
            checks = {str(check["name"]) for check in found.get_check_constraints(table.name)}
            stated = {str(item.name) for item in table.constraints if isinstance(item, CheckConstraint)}
            assert checks == stated
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [key.name for key in table.primary_key]


def test_the_version_stated_is_the_newest_migration(database: Database) -> None:
    assert SCRIPTS.get_heads() == [SCHEMA_VERSION]
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [SCHEMA_VERSION]


def test_alembic_is_imported_where_the_schema_is_behind_and_nowhere_else(database_url: str) -> None:
    program = (
        "import sys; from placet.store.database import Database; "
        "Database.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", program, database_url]
    answers = [subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout for _ in "12"]
    assert answers == ["True\n", "False\n"]


def test_processes_that_open_a_new_database_at_once_make_one(database_url: str) -> None:
    serial_numbers = children.race(4, OPENS, database_url)
    assert len(serial_numbers) == 4
    assert len(set(serial_numbers)) == 1
    database = Database.open(database_url)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM installation")).scalar() == 1
    database.close()


def test_threads_that_open_a_new_database_at_once_make_one(database_url: str) -> None:
    for database in threads.race(6, lambda _: Database.open(database_url)):
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM totals")).scalar() == 0
        database.close()


def test_threads_may_each_open_a_new_database(tmp_path: Path) -> None:
    for database in threads.race(4, lambda number: Database.open_file(tmp_path / str(number))):
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM totals")).scalar() == 0
        database.close()


def test_a_migration_that_fails_leaves_nothing(path: Path) -> None:
    Database.open_file(path).close()
    with raw(path) as shell:
        for (name,) in shell.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            shell.execute(f"DROP TABLE {name}")
        shell.execute("CREATE TABLE module_versions (mine INTEGER)")  # the last one a migration makes
    with pytest.raises(DatabaseUnusable, match="table module_versions already exists"):
        Database.open_file(path)
    with raw(path) as shell:
        assert shell.execute("SELECT name FROM sqlite_master").fetchall() == [("module_versions",)]


def test_migrations_are_part_of_the_callers_transaction(path: Path) -> None:
    database = Database.open_file(path)
    with raw(path) as shell:
        for (name,) in shell.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            shell.execute(f"DROP TABLE {name}")

    def fail() -> None:
        with database.write() as connection:
            upgrade(connection)
            assert inspect(connection).has_table("totals")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (AHEAD, f"has schema {AHEAD}, and this Placet knows schemas up to {SCHEMA_VERSION}. Run the newer Placet"),
        ("9999", f"has schema 9999, and this Placet knows schemas up to {SCHEMA_VERSION}. Run the newer Placet"),
        ("00f3a9c81b2e", "belongs to another program: its schema is '00f3a9c81b2e'"),
        ("x" * 32, "belongs to another program: its schema is 'xxxx"),
    ],
)
def test_a_schema_this_code_does_not_know_is_refused_and_left_alone(
    database_url: str, version: str, sentence: str
) -> None:
    database = Database.open(database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    database.close()
    with pytest.raises(DatabaseUnusable, match=sentence):
        Database.open(database_url)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with raw(path) as shell:
        shell.execute("CREATE TABLE users (name TEXT)")
    with pytest.raises(DatabaseUnusable, match="table users already exists"):
        Database.open_file(path)
    with raw(path) as shell:
        assert shell.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]
