"""The types, and that every table and statement is one PostgreSQL understands as well."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateIndex, CreateTable

from builders import PRODUCT, TRUST, a_license, a_status_list
from placet.enforcement import Policy
from placet.guard import Guard
from placet.store import audit, credentials, history, holders, modules, usage, users
from placet.store.credentials import Kind, Role
from placet.store.database import Database
from placet.store.modules import ModuleVersion
from placet.store.schema import Instant, Json, audit_events, metadata
from store_support.databases import statements

POSTGRESQL, SQLITE = postgresql.dialect(), sqlite.dialect()  # type: ignore[no-untyped-call]
NOW = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
INSTANTS = [
    NOW,
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
]
VALUES: list[Any] = [
    {},
    {"number": 2**53 + 1, "negative": -1, "fraction": 0.1, "nothing": None, "truth": True},
    {"text": 'Ünïcödé 🔑 "quoted" \'; DROP TABLE totals; --\n\t\\', "": "empty name"},
    {"deep": [[[{"list": [1, "2", None]}]]]},
]


def written_and_read(database: Database, at: datetime, detail: Any) -> tuple[datetime, Any]:
    row = {"at": at, "actor": "a", "event": "e", "subject": "s", "detail": detail}
    with database.write() as connection:
        row_id = connection.execute(insert(audit_events).values(row).returning(audit_events.c.id)).scalar_one()
    with database.read() as connection:
        found = connection.execute(select(audit_events).where(audit_events.c.id == row_id)).one()
    return found.at, found.detail


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_instants_come_back_exactly(database: Database, instant: datetime) -> None:
    found, _ = written_and_read(database, instant, {})
    assert found == instant
    assert found.tzinfo is UTC


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_json_comes_back_as_it_was(database: Database, value: Any) -> None:
    assert written_and_read(database, NOW, value) == (NOW, value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_instant_survives(instant: datetime) -> None:
    for dialect in (POSTGRESQL, SQLITE):
        stored = Instant().process_bind_param(instant, dialect)
        assert isinstance(stored, int)
        assert -(2**63) <= stored < 2**63
        assert Instant().process_result_value(stored, dialect) == instant


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_instants_are_stored_in_their_order(one: datetime, two: datetime) -> None:
    first, second = (Instant().process_bind_param(instant, SQLITE) for instant in (one, two))
    assert first is not None
    assert second is not None
    assert (first < second) is (one < two)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(), st.lists, max_leaves=9))
def test_any_json_survives(value: Any) -> None:
    assert Json().process_result_value(Json().process_bind_param(value, SQLITE), SQLITE) == value


def test_an_instant_without_a_zone_is_a_mistake(database: Database) -> None:
    with pytest.raises(StatementError):
        written_and_read(database, datetime(2026, 6, 1), {})  # noqa: DTZ001


def test_instants_are_whole_numbers_in_the_database(database: Database) -> None:
    written_and_read(database, NOW, {})
    with database.read() as connection:
        assert connection.execute(text("SELECT at FROM audit_events")).scalar() == 1_780_315_200_123_456


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_is_one_postgresql_makes(table: Any) -> None:
    made = str(CreateTable(table).compile(dialect=POSTGRESQL))
    assert made.strip().startswith(f"CREATE TABLE {table.name} (")
    for index in table.indexes:
        assert str(CreateIndex(index).compile(dialect=POSTGRESQL)).startswith("CREATE INDEX")


def test_rows_are_numbered_by_64_bits() -> None:
    assert "id BIGSERIAL NOT NULL" in str(CreateTable(audit_events).compile(dialect=POSTGRESQL))
    assert "id INTEGER NOT NULL" in str(CreateTable(audit_events).compile(dialect=SQLITE))


def everything(database: Database) -> None:
    """Use each statement of the store."""
    guard = Guard(database, PRODUCT, TRUST, policy=Policy(), clock=NOW.timestamp)
    guard.install(a_license(serial_number=guard.status().serial_number))
    guard.restore(guard.history()[0].id)
    guard.install_status_list(a_status_list("L-0002"))
    guard.preview("publish", "orders", software_units=3)
    with guard.allocation("publish", "orders", software_units=3) as grant:
        version = ModuleVersion(
            id="1",
            module="orders",
            version="1.0",
            entrypoint="orders:app",
            units=3,
            elements=[],
            digest="d",
            published_at=NOW,
            published_by="me",
        )
        modules.activate(grant.connection, version, b"zip")
    with guard.releasing("orders", "software_units") as connection:
        modules.delete_module(connection, "orders")
    guard.tick()
    with database.write() as connection:
        token, secret = credentials.create(connection, Kind.TOKEN, name="me", role=Role.DEVELOPER, now=NOW)
        credentials.find(connection, Kind.TOKEN, secret, NOW)
        credentials.use_once(connection, Kind.SIGN_IN, secret, NOW)
        credentials.in_force(connection, Kind.TOKEN, NOW)
        credentials.end(connection, Kind.TOKEN, token, NOW)
        users.add_user(connection, name="me", role=Role.DEVELOPER, active=True, now=NOW)
        users.set_active(connection, "me", active=False, now=NOW)
        users.find_user(connection, "me")
        users.all_users(connection)
        modules.active_version(connection, "orders")
        modules.active_versions(connection)
        modules.known_versions(connection)
        audit.events(connection, before=3)
        usage.allocations_of(connection, "software_units")
        history.history(connection, "software_units", NOW, NOW + timedelta(days=30))
        history.samples_of(connection, "software_units")
        holders.holder_history(connection, "software_units", "orders", NOW, NOW)
        usage.drifts(connection)
    guard.renew_serial_number()


def test_the_installation_is_locked_where_more_than_one_may_write(database: Database) -> None:
    with statements(database) as seen:
        everything(database)
    locking = {
        " ".join(str(statement.compile(dialect=POSTGRESQL)).split())
        for statement in seen
        if getattr(statement, "_for_update_arg", None) is not None
    }
    assert locking == {
        "SELECT installation.id FROM installation FOR UPDATE",
    }
