"""Where modules keep their data: one small interface, and which of its implementations a module has.

A module says in `module.toml` what it asks for. SQLite is there on every server; PostgreSQL where Placet's own facts
are in it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from placet.platform.instance_database import StartsFrom, make_database
from placet.platform.layout import Layout
from placet.platform.manifest import DATABASES
from placet.platform.module_sqlite import SqliteModuleDatabase
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.query import Description, QueryResult
from placet.platform.schema import declared_entities
from placet.platform.schema_files import Changes, Entity, Wanted
from placet.store import module_databases, modules
from placet.store.database import Database

if TYPE_CHECKING:
    from placet.platform.module_postgresql import PostgresqlModules

SQLITE, POSTGRESQL = DATABASES


class ModuleDatabase(Protocol):
    """One module's database."""

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        ...

    @property
    def address(self) -> str:
        """What the module's worker gets as ``PLACET_MODULE_DATABASE``."""
        ...

    def exists(self) -> bool:
        """Tell whether there is one already."""
        ...

    def check(self, wanted: Wanted, *, empty: bool = False) -> Changes:
        """Answer what :meth:`apply` would change, and change nothing; ``empty``: as if there were nothing yet.

        Raises ``ModuleProblem`` (schema_invalid, schema_unmet, migration_failed).
        """
        ...

    def apply(self, wanted: Wanted) -> Changes:
        """Bring it to what is wanted, in one transaction, and answer what was changed; raises ``ModuleProblem``."""
        ...

    def changing(self, wanted: Wanted) -> AbstractContextManager[Changes]:
        """Do the same, committed when the body has ended, and not at all where that raises."""
        ...

    def undo(self, names: Sequence[str], *, existed: bool) -> None:
        """Take back what :meth:`apply` created; all of it where it had not existed. Twice is no more than once."""
        ...

    def put_aside(self, now: datetime) -> str | None:
        """Keep the data where nobody uses it, and answer the name it has there; ``None`` where there is none."""
        ...

    def test_query(self, sql: str, **options: Any) -> QueryResult:
        """Ask it like :func:`placet.platform.query.ask`."""
        ...

    def describe(self, queries: Sequence[str]) -> list[Description]:
        """Say what the parameters of queries are, by the engine's word."""
        ...


class ModuleDatabases:
    """The databases of one server's modules."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    def of(self, module: str, kind: str) -> ModuleDatabase:
        """Answer a module's database of a kind, whether or not it is there yet.

        Raises ``ModuleProblem`` (database_not_offered) where this server has none of that kind, and where the module
        has its data in another.
        """
        found = self.of_kind(module, kind)
        self._check_kind(module, kind)
        return found

    def of_kind(self, module: str, kind: str) -> ModuleDatabase:
        """Answer a module's database of a kind, whatever it has; raises ``ModuleProblem`` (database_not_offered)."""
        return self._postgresql().of(module) if kind == POSTGRESQL else self._sqlite(module)

    def published(self, module: str) -> ModuleDatabase:
        """Answer the database that a published module has."""
        return self._postgresql().of(module) if self._kept_in_postgresql(module) else self._sqlite(module)

    def entities(self, kind: str, schema: str) -> tuple[Entity, ...]:
        """Answer the tables and views a schema declares, by the engine's word; raises ``ModuleProblem``."""
        return self._postgresql().entities(schema) if kind == POSTGRESQL else declared_entities(schema)

    def put_aside(self, module: str, now: datetime) -> str | None:
        """Put aside whatever a module has left, and answer what it is called now."""
        kept = [self._sqlite(module).put_aside(now)]
        if self._kept_in_postgresql(module):
            kept.append(self._postgresql().of(module).put_aside(now))
        return next((name for name in kept if name is not None), None)

    def copy_for(
        self, instance: Path, module: str, kind: str, wanted: Wanted, *, empty: bool
    ) -> tuple[ModuleDatabase, StartsFrom]:
        """Make a private instance's own database, below its directory ``instance``, and apply its schema.

        On SQLite it begins with what the published module has, unless it is to be ``empty``; on PostgreSQL it is a new
        schema.
        """
        if kind == POSTGRESQL:
            found = self._postgresql().of(instance.name)
            found.apply(wanted)
            return found, StartsFrom.SCHEMA
        own = SqliteModuleDatabase(path=instance / "database.sqlite3", deleted=instance)
        published = None if empty else self._layout.module_database(module)
        return own, make_database(own.path, wanted, published)

    def remove_copy(self, instance: str) -> None:
        """Remove what a private instance had outside of its directory."""
        if self._kept_in_postgresql(instance):
            self._postgresql().of(instance).undo((), existed=False)

    def _sqlite(self, module: str) -> SqliteModuleDatabase:
        return SqliteModuleDatabase(path=self._layout.module_database(module), deleted=self._layout.deleted)

    def _postgresql(self) -> "PostgresqlModules":
        if self._database.engine.dialect.name != POSTGRESQL:
            raise ModuleProblem(
                ProblemCode.DATABASE_NOT_OFFERED,
                'The module asks for database = "postgresql", and this server keeps its own facts in SQLite. Leave '
                "that line out of module.toml, or publish on a server that was started with --database postgresql://...",
                step="database",
            )
        from placet.platform.module_postgresql import PostgresqlModules  # noqa: PLC0415 (psycopg takes time)

        return PostgresqlModules(self._database)

    def _kept_in_postgresql(self, module: str) -> bool:
        if self._database.engine.dialect.name != POSTGRESQL:
            return False
        with self._database.read() as connection:
            return module_databases.find(connection, module) is not None

    def _check_kind(self, module: str, wanted: str) -> None:
        with self._database.read() as connection:
            if modules.active_version(connection, module) is None:  # what one of that name may have left is not its own
                return
        in_postgresql = self._kept_in_postgresql(module)
        has = POSTGRESQL if in_postgresql else SQLITE if self._sqlite(module).exists() else wanted
        if has != wanted:
            raise ModuleProblem(
                ProblemCode.DATABASE_NOT_OFFERED,
                f'{module!r} has its data in {has}, and this version asks for database = "{wanted}". Data is not '
                "moved from one to the other: leave it where it is, or delete the module, which puts its data aside, "
                "and publish it anew.",
                step="database",
            )
