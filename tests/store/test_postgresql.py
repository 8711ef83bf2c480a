"""What only PostgreSQL does: a server that can be gone, slow, locked, or not fit."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, func, insert, select, text

from builders import NOW
from placet.store import dialects, modules, usage, users
from placet.store.database import Database, DatabaseUnusable
from placet.store.failures import DatabaseUnavailable
from placet.store.installation import change_installation, ensure_installation
from placet.store.postgresql import BoundedConnection
from placet.store.schema import totals
from store_support.cuttable_proxy import CuttableProxy
from store_support.databases import database_traffic
from store_support.postgres import PASSWORD, PostgresServer, lent_database, shared_server


@pytest.fixture
def url() -> Iterator[str]:
    with lent_database() as lent:
        yield lent


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database.open(url)
    try:
        yield database
    finally:
        database.close()


def setting(database: Database, name: str) -> str:
    with database.read() as connection:
        return str(connection.execute(text(f"SHOW {name}")).scalar_one())


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(totals)).scalar_one()


def through(network: CuttableProxy, url: str) -> str:
    return url.replace(f":{shared_server().port}/", f":{network.port}/")


def told(url: str) -> str:
    """Why a database cannot be opened; never with the password."""
    with pytest.raises(DatabaseUnusable) as caught:
        Database.open(url)
    message = str(caught.value)
    assert PASSWORD not in message
    assert "\n" not in message
    return message


# Connections


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_needs_no_driver(url: str, scheme: str) -> None:
    with opened(url.replace("postgresql", scheme, 1)) as database:
        assert database.engine.dialect.driver == "psycopg"


def test_nothing_waits_for_ever(url: str) -> None:
    with opened(url) as database:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        assert [setting(database, name) for name in names] == ["3s", "6s", "1min"]
        with database.read() as connection:
            found = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        names = ("connect_timeout", "keepalives_idle", "tcp_user_timeout", "application_name")
        assert [found.get(name) for name in names] == ["3", "5", "5000", "placet"]


def test_what_the_url_says_goes_before(url: str) -> None:
    with opened(f"{url}?options=-c%20lock_timeout%3D7s&application_name=mine") as database:
        assert setting(database, "lock_timeout") == "7s"
        assert setting(database, "statement_timeout") == "6s"
        assert setting(database, "application_name") == "mine"


def test_the_url_may_name_several_hosts(url: str) -> None:
    address = f"127.0.0.1:{shared_server().port}"
    several = url.replace(f"@{address}/", "@/") + f"?host=127.0.0.1:1&host={address}&target_session_attrs=read-write"
    with opened(several) as database, database.write() as connection:
        assert count(connection) == 0


def test_a_transaction_is_of_the_isolation_it_needs(url: str) -> None:
    with opened(url) as database:
        with database.write() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        with database.read() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
            assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on"


def test_a_lock_that_is_not_given_back_is_not_waited_for_for_ever(url: str) -> None:
    with opened(f"{url}?options=-c%20lock_timeout%3D200ms") as database:
        with database.write() as connection:
            usage.ensure_totals(connection, ["users"])
        with psycopg.connect(url) as other:
            other.execute("SELECT * FROM totals FOR UPDATE")
            with pytest.raises(DatabaseUnavailable, match="lock timeout"), database.write() as connection:
                usage.lock(connection, ["users"])
        with database.write() as connection:
            usage.lock(connection, ["users"])


def test_writers_of_other_rows_do_not_wait_for_each_other(url: str) -> None:
    short = f"{url}?options=-c%20lock_timeout%3D200ms"
    with opened(short) as database, opened(short) as another:
        with database.write() as connection:
            usage.ensure_totals(connection, ["users", "software_units"])
        with database.write() as one, another.write() as two:
            for connection, feature in ((one, "users"), (two, "software_units")):
                usage.lock(connection, [feature])
                usage.set_amount(connection, feature, "orders", 1, limit=1, now=NOW)
        with database.read() as connection:
            assert usage.usage(connection) == {"users": 1, "software_units": 1}


# A server that is gone for a while


def test_it_goes_on_when_the_server_is_back() -> None:
    with PostgresServer() as server, opened(server.url(server.new_database())) as database:
        with database.write() as connection:
            connection.execute(insert(totals).values(feature="users", used=0))
        for stop in (server.stop_immediately, server.kill):
            stop()
            with pytest.raises(DatabaseUnavailable), database.read() as connection:
                count(connection)
            assert database.is_lost
            server.start()
            with database.read() as connection:
                assert count(connection) == 1
            assert not database.is_lost


def test_it_goes_on_when_the_network_is_mended(url: str) -> None:
    with CuttableProxy(shared_server().port) as network, opened(through(network, url)) as database:
        network.cut()
        with pytest.raises(DatabaseUnavailable), database.read() as connection:
            count(connection)
        network.mend()
        with database.read() as connection:
            assert count(connection) == 0


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_within", 0.3)
    with CuttableProxy(shared_server().port) as network, opened(through(network, url)) as database:

        def count_while_it_stalls() -> None:
            with database.write() as connection:
                network.stall()
                count(connection)

        with pytest.raises(DatabaseUnavailable, match=r"has not answered for 0\.3 seconds"):
            count_while_it_stalls()
        network.mend()
        with database.read() as connection:
            assert count(connection) == 0


def test_while_it_is_lost_one_tries_and_the_others_are_told_at_once(url: str) -> None:
    with CuttableProxy(shared_server().port) as network, opened(through(network, url)) as database:
        network.cut()
        with pytest.raises(DatabaseUnavailable), database.read() as connection:
            count(connection)
        network.mend()
        network.stall()
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            tries = [threads.submit(lambda: database.read().__enter__()) for _ in range(8)]
            errors = sorted((type(done.exception()).__name__, time.monotonic() - began) for done in as_completed(tries))
        assert [name for name, _ in errors] == ["DatabaseLost"] * 7 + ["DatabaseUnavailable"]
        assert [seconds < 1 for _, seconds in errors] == [True] * 7 + [False]
        network.mend()
        assert database.change_mark() == ()
        assert not database.is_lost


def test_a_connection_that_was_idle_is_asked_whether_it_lives(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "_IDLE_SECONDS", 0.0)
    with opened(url) as database:
        with database.read() as connection:
            count(connection)
        shared_server().run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'placet'")
        with database.read() as connection:
            assert count(connection) == 0


def test_a_change_is_heard_of_at_once(url: str) -> None:
    with opened(url) as database, opened(url) as other:
        listener = database.listener()
        assert listener is not None
        with other.write() as connection:
            ensure_installation(connection, NOW)
        assert not listener.hear(0.05)
        with other.write() as connection:
            change_installation(connection, evaluation_jti="L-1")
            assert not listener.hear(0.05)
        assert listener.hear(5)
        listener.close()


def test_a_server_that_does_not_answer_is_told_of_within_seconds(url: str) -> None:
    with CuttableProxy(shared_server().port) as network:
        network.stall()
        began = time.monotonic()
        message = told(through(network, url))
        assert "cannot be used: connection timeout expired" in message
        assert time.monotonic() - began < 8


# What is not fit


def test_a_wrong_password(url: str) -> None:
    message = told(url.replace(PASSWORD, f"not-{PASSWORD}"))
    assert 'password authentication failed for user "placet"' in message


def test_a_password_among_the_options_is_not_shown(url: str) -> None:
    message = told(url.replace(f":{PASSWORD}", "").replace("/placet_", "/gone_") + f"?password={PASSWORD}")
    assert "does not exist" in message


def test_a_database_whose_encoding_cannot_write_every_name() -> None:
    server = shared_server()
    server.run("DROP DATABASE IF EXISTS latin")
    server.run(
        "CREATE DATABASE latin OWNER placet ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    assert "Its encoding is LATIN1, in which not every name can be written" in told(server.url("latin"))


def test_what_speaks_the_protocol_and_is_not_postgresql() -> None:
    server = shared_server()
    name = server.new_database()
    with server.superuser(name) as connection:
        connection.execute("SET allow_system_table_mods = on")
        says = "RETURNS text LANGUAGE sql AS $$ SELECT 'CockroachDB CCL v25.4.0' $$"
        connection.execute(f"CREATE OR REPLACE FUNCTION pg_catalog.version() {says}")
    assert "is not PostgreSQL: Could not determine version from string 'CockroachDB CCL" in told(server.url(name))


def test_a_role_that_may_make_no_tables() -> None:
    server = shared_server()
    server.run("DROP DATABASE IF EXISTS somebodys")
    server.run("CREATE DATABASE somebodys")  # and its schema is the superuser's
    assert "permission denied for schema public" in told(server.url("somebodys"))


def test_a_migration_that_fails_leaves_nothing(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE module_versions (mine INTEGER)")
    assert 'relation "module_versions" already exists' in told(url)
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert names == [("module_versions",)]


def test_without_psycopg_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from placet.store.database import Database, DatabaseUnusable\n"
        "try: Database.open('postgresql://placet:s3cret@host/name')\n"
        "except DatabaseUnusable as error: print(error)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("PostgreSQL needs the package psycopg, which cannot be loaded here (")
    assert said.endswith("Install Placet with it: pip install 'placet[postgresql]'.\n")


# What is asked of it


def test_names_are_in_the_order_of_their_characters_however_the_database_was_made(url: str) -> None:
    with opened(url) as database, database.read() as connection, database_traffic(database) as traffic:
        users.all_users(connection)
        modules.active_versions(connection)
        usage.allocations_of(connection, "users")
    assert [statement.count('COLLATE "C"') for statement in traffic if "ORDER BY" in statement] == [1, 1, 1]


def test_it_needs_no_extension(url: str) -> None:
    with opened(url), psycopg.connect(url) as connection:
        assert connection.execute("SELECT extname FROM pg_extension").fetchall() == [("plpgsql",)]  # always there
