"""A module that keeps its data in PostgreSQL, from its publishing to its deletion."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import text

from builders import EVERYTHING, KEY, a_license, trust_store
from contract.archives import files_of, zipped
from guard_support.guards import Clock
from placet.guard import Guard
from placet.platform.instances import Purpose
from placet.platform.layout import Layout
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.product import PLATFORM_SERVER
from placet.platform.server import PlatformServer
from placet.store.database import Database
from platform_support.postgresql import database_for_modules

SCHEMA = "CREATE TABLE prices (cents integer);\nINSERT INTO prices VALUES (7);\n"
# Counting imports it without a database; a worker has one.
UNSTARTABLE = {
    "shop/app.py": """
import os
if "PLACET_MODULE_DATABASE" in os.environ:
    raise RuntimeError("not today")
async def app(scope, receive, send):
    pass
"""
}
READS = """
import os
if "PLACET_MODULE_DATABASE" in os.environ:
    import psycopg
    with psycopg.connect(os.environ["PLACET_MODULE_DATABASE"]) as connection:
        assert connection.execute("SELECT cents FROM prices").fetchall() == [(7,)]
        assert connection.execute("SELECT current_schema()").fetchone()[0].startswith("module_")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformServer]:
    with database_for_modules() as database:
        layout = Layout(tmp_path_factory.mktemp("server") / "data")
        layout.make()
        guard = Guard(database, PLATFORM_SERVER, trust_store(KEY, issuer="Acme Software"), clock=Clock())
        guard.install(a_license(serial_number=guard.status().serial_number, features=EVERYTHING), acknowledge=True)
        with closing(PlatformServer(guard, layout)) as running:
            running.start()
            yield running


def archive(
    number: int, *, schema: str = SCHEMA, database: str | None = "postgresql", name: str = "shop", **files: str
) -> bytes:
    found = files_of(name, 1, version=f"{number}.0.0", **{"schema.sql": schema, **files})
    if database is not None:
        found["module.toml"] = found["module.toml"].replace("[module]\n", f'[module]\ndatabase = "{database}"\n')
    return zipped(found)


def publish(server: PlatformServer, archive_: bytes) -> int:
    return server.publisher.publish(archive_, actor="maria").units


def schemas(database: Database) -> set[str]:
    with database.read() as connection:
        names = connection.execute(
            text("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(module|run|deleted|trial)_'")
        )
        return set(names.scalars())


def test_from_publishing_to_deletion(server: PlatformServer) -> None:
    facts = server.guard.database
    reads = {"shop/app.py": READS + files_of("shop", 1)["shop/app.py"]}
    assert publish(server, archive(1, **reads)) == 2  # the operation, and the table that PostgreSQL says there is
    assert schemas(facts) == {"module_shop", "module_trials"}
    database = server.databases.published("shop")
    assert database.address.startswith("postgresql://module_shop_")
    with psycopg.connect(database.address) as connection:
        assert connection.execute("SELECT * FROM prices").fetchall() == [(7,)]
    assert database.test_query("SELECT cents FROM prices").rows == [[7]]
    # A version that fails to start leaves the data as it was, and what its schema added is gone.
    more = SCHEMA + "CREATE TABLE more (a integer);"
    with pytest.raises(ModuleProblem, match="not today"):
        publish(server, archive(2, schema=more, **UNSTARTABLE))
    assert database.test_query("SELECT to_regclass('more')::text").rows == [[None]]
    with pytest.raises(ModuleProblem, match="has its data in postgresql") as moved:
        publish(server, archive(4, schema="CREATE TABLE prices (cents INTEGER);", database=None))
    assert moved.value.code is ProblemCode.DATABASE_NOT_OFFERED
    kept = server.publisher.delete("shop", actor="maria")
    assert kept is not None
    assert kept.startswith("deleted_shop_")
    assert schemas(facts) == {kept, "module_trials"}


def roles(facts: Database) -> set[str]:
    """The roles of modules named shop, on the whole database server: other tests have left some."""
    with facts.read() as connection:
        query = text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'module\\_shop\\_%'")
        return set(connection.execute(query).scalars())


def test_a_first_publish_that_fails_leaves_nothing(server: PlatformServer) -> None:
    before, known = schemas(server.guard.database), roles(server.guard.database)
    with pytest.raises(ModuleProblem):
        publish(server, archive(1, schema=SCHEMA + "CREATE TABEL x (a int);"))
    with pytest.raises(ModuleProblem, match="not today"):
        publish(server, archive(1, **UNSTARTABLE))
    assert schemas(server.guard.database) == before
    assert server.databases.published("shop").kind == "sqlite"
    assert roles(server.guard.database) == known


def test_a_private_instance_has_a_schema_of_its_own(server: PlatformServer) -> None:
    before = schemas(server.guard.database)
    app = READS + files_of("shop", 1)["shop/app.py"]
    instance = server.instances.start(archive(1, **{"shop/app.py": app}), Purpose.RUN, actor="maria")
    assert schemas(server.guard.database) == before | {f"module_{instance.id}"}
    server.instances.stop(instance.id, Purpose.RUN, actor="maria")
    assert schemas(server.guard.database) == before


def test_a_publish_migrates_and_a_failure_leaves_the_version_before(server: PlatformServer) -> None:
    publish(server, archive(1, name="stock"))
    data = server.databases.published("stock")
    schema = SCHEMA.replace("cents integer", "amount bigint NOT NULL").replace("7", "8")
    unstartable = {"stock/app.py": UNSTARTABLE["shop/app.py"]}
    rename = {
        "migrations/0001_amount.sql": "ALTER TABLE prices RENAME cents TO amount;\n"
        "ALTER TABLE prices ALTER amount TYPE bigint, ALTER amount SET NOT NULL;"
    }
    with pytest.raises(ModuleProblem, match="not today"):
        publish(server, archive(2, name="stock", schema=schema, **rename, **unstartable))
    with pytest.raises(ModuleProblem, match=r"migrations/0002_bad\.sql, line 1: "):
        publish(
            server,
            archive(2, name="stock", schema=schema, **rename, **{"migrations/0002_bad.sql": "DROP TABLE nobody;"}),
        )
    assert data.test_query("SELECT cents FROM prices").rows == [[7]]
    publish(server, archive(2, name="stock", schema=schema, **rename))
    assert data.test_query("SELECT amount FROM prices").rows == [[7]]
    assert not [name for name in schemas(server.guard.database) if name.startswith("run_")]
    with pytest.raises(ModuleProblem, match=r"stock 1\.0\.0 cannot serve again"):
        server.publisher.rollback("stock", "1.0.0", actor="maria")
    server.publisher.delete("stock", actor="maria")
