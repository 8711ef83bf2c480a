"""Published modules and their versions."""

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from builders import DAY, NOW
from placet.store.database import Database
from placet.store.modules import (
    ModuleVersion,
    activate,
    active_version,
    active_versions,
    delete_module,
    known_versions,
)
from placet.store.schema import modules

ORDERS = ModuleVersion(
    id="11111111-1111-1111-1111-111111111111",
    module="orders",
    version="1.0.0",
    entrypoint="orders.app:app",
    units=3,
    elements=[{"kind": "screen", "name": "Überblick", "units": 3}],
    digest="0" * 64,
    published_at=NOW,
    published_by="me",
)
NEWER = msgspec.structs.replace(ORDERS, id="2", version="1.1.0", published_at=NOW + DAY)
BILLING = msgspec.structs.replace(ORDERS, id="3", module="billing")


def publish(database: Database, *versions: ModuleVersion) -> None:
    with database.write() as connection:
        for version in versions:
            activate(connection, version, b"zip")


def test_a_version_comes_back_as_it_was(database: Database) -> None:
    publish(database, ORDERS)
    with database.read() as connection:
        assert active_version(connection, "orders") == ORDERS
        assert active_version(connection, "billing") is None


def test_the_newest_version_is_the_one_served_and_the_others_are_known(database: Database) -> None:
    publish(database, ORDERS, NEWER, BILLING)
    with database.read() as connection:
        assert active_version(connection, "orders") == NEWER
        assert active_versions(connection) == [BILLING, NEWER]
        assert known_versions(connection) == {ORDERS.id, "2", "3"}
        assert connection.execute(select(modules.c.created_at).where(modules.c.name == "orders")).scalar() == NOW


def test_a_deleted_module_takes_its_versions_along(database: Database) -> None:
    publish(database, ORDERS, NEWER, BILLING)
    with database.write() as connection:
        assert delete_module(connection, "orders")
        assert not delete_module(connection, "orders")
        assert not delete_module(connection, "' OR 1=1 --")
        assert active_versions(connection) == [BILLING]
        assert known_versions(connection) == {"3"}
    publish(database, ORDERS)
    with database.read() as connection:
        assert active_version(connection, "orders") == ORDERS


def test_a_version_is_published_once(database: Database) -> None:
    publish(database, ORDERS)
    with pytest.raises(IntegrityError):
        publish(database, BILLING, ORDERS)
    with database.read() as connection:
        assert active_versions(connection) == [ORDERS]
