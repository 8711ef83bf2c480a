"""A busy installation to examine, and ways to damage it."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, text
from sqlalchemy.types import TypeEngine

from builders import DAY, EVERYTHING, NOW, TRUST
from guard_support.guards import Clock, install
from placet.enforcement import Metered, Product, Seats
from placet.guard import Guard
from placet.platform.layout import Layout
from placet.platform.product import PLATFORM_SERVER
from placet.store import modules, usage, users
from placet.store.credentials import Role
from placet.store.database import Database
from placet.store.modules import ModuleVersion
from placet.store.schema import front_ends, leases, microseconds

PRODUCT = Product(
    PLATFORM_SERVER.name,
    features=(
        *PLATFORM_SERVER.features,
        Seats("editors", "Editors", included=9),
        Metered("calls", "Calls", included=99),
    ),
    operations=PLATFORM_SERVER.operations,
)
NOW_US = microseconds(NOW)
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
ARCHIVE = b"zip"

VALUES: dict[type, Any] = {int: 1, str: "1", bool: False}


def a_row(table: Table, **values: Any) -> dict[str, Any]:
    """A row of a table, of ones and nothings; its instants are now."""

    def value(type_: TypeEngine[Any]) -> Any:
        return NOW if type(type_).__name__ == "Instant" else VALUES.get(type_.python_type)

    row = {
        column.name: None if column.nullable else value(column.type)
        for column in table.columns
        if column.name not in values and not (column.primary_key and column.type.python_type is int)
    }
    return row | values


class Patient:
    """An installation with a license, modules ``shop`` (4 units) and ``news`` (2), users, a lease, and consumption."""

    def __init__(self, database: Database, layout: Layout) -> None:
        layout.make()
        self.database, self.layout = database, layout
        self.guard = Guard(database, PRODUCT, TRUST, clock=Clock())
        install(self.guard, features=EVERYTHING)
        self.publish("shop", 4)
        self.publish("news", 2)
        for name, active in (("maria", True), ("joão", True), ("gone", False)):
            with database.write() as connection:
                users.add_user(connection, name=name, role=Role.DEVELOPER, active=active, now=NOW)
                if active:
                    usage.set_amount(connection, "users", name, 1, limit=None, now=NOW)
        self._use()
        self.guard.tick()

    def publish(self, name: str, units: int, *, version_id: str | None = None) -> None:
        """Record a module, and write what stands for its files and its database."""
        version = ModuleVersion(
            id=version_id or f"{name}-1",
            module=name,
            version="1.0.0",
            entrypoint="app:app",
            units=units,
            elements=[
                {"kind": "screen", "name": str(number), "weight": 1, "why": "a screen"} for number in range(units)
            ],
            digest=sha256(ARCHIVE).hexdigest(),
            published_at=NOW,
            published_by="maria",
        )
        self.write_files(name, version.id)
        with closing(sqlite3.connect(self.layout.module_database(name))) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS prices (id INTEGER PRIMARY KEY, name TEXT)")
        with self.guard.allocation("publish", name, software_units=units) as grant:
            modules.activate(grant.connection, version, ARCHIVE)

    def write_files(self, module: str, version_id: str) -> Path:
        directory = self.layout.version(module, version_id)
        (directory / "module").mkdir(parents=True)
        (directory / "module" / "module.toml").touch()
        return directory

    def _use(self) -> None:
        with self.database.write() as connection:
            usage.set_amount(connection, "front_end_servers", "f-1", 1, limit=None, now=NOW)
            connection.execute(insert(front_ends).values(a_row(front_ends, id="f-1", name="one")))
            lease = a_row(leases, id="l-1", feature="editors", holder="maria", amount=2, expires_at=NOW + 9000 * DAY)
            connection.execute(insert(leases).values(lease))
            connection.execute(text("UPDATE totals SET used = 2 WHERE feature = 'editors'"))
        self.guard.consume("calls", 7, key="k1")
        self.guard.return_block(self.guard.take_block("calls", 9, holder="me").id, 4)
        self.guard.take_block("calls", 5, holder="me")

    def suffer(self, *statements: str) -> None:
        """Damage the database as somebody with its own tools can: no constraint holds."""
        if self.database.engine.dialect.name == "sqlite":
            with closing(sqlite3.connect(self.layout.database, timeout=30)) as shell:
                shell.execute("PRAGMA ignore_check_constraints = ON")
                for statement in statements:
                    shell.execute(statement)
                shell.commit()
            return
        with self.database.write() as connection:
            constraints = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
            found = f"{constraints} AND conrelid <> 0 AND connamespace = 'public'::regnamespace"
            for table, name in connection.execute(text(found)).all():
                connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE"))
            for statement in statements:
                connection.execute(text(statement))
