"""A module's database in PostgreSQL: a schema of its own beside Placet's tables, and roles that reach nothing else.

The owner's role is what the module connects as; the reader's is for test queries. Both have random passwords, which the
database server is told as a SCRAM verifier, and which are kept in a table that the server's own role alone may read.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from placet.platform import query_child_postgresql
from placet.platform.postgresql_schema import Plan, bringing, plan, remove
from placet.platform.postgresql_session import Access
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.query import Description, Place, QueryResult, ask, describe
from placet.platform.schema_files import Changes, Entity, Wanted
from placet.store import module_databases
from placet.store.database import Database
from placet.store.failures import DatabaseFailed
from placet.store.module_databases import ModuleDatabaseRow

ROLE_CONNECTIONS, READER_CONNECTIONS = 50, 20
TRIALS = ""  # whom the role belongs to that tries schemas out
_LOCK = 0x706C616D6F64  # one at a time makes or removes roles
_OWN = frozenset(("user", "password", "options", "application_name", "host", "port", "dbname"))
_MAY = (
    "SELECT r.rolsuper OR r.rolcreaterole, pg_catalog.pg_has_role(d.datdba, 'USAGE')"
    " FROM pg_catalog.pg_roles r, pg_catalog.pg_database d"
    " WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()"
)
_OWNS_PUBLIC = "SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = 'public'"
# What a role can reach that is not its own, by the engine's word.
_REACHES = """
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.pg_roles r
 WHERE r.rolname IN ({roles}) AND n.nspname NOT IN ('information_schema', {schema}) AND n.nspname NOT LIKE 'pg\\_%%'
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
   AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
 LIMIT 3
"""


class PostgresqlModules:
    """What belongs to modules in Placet's own database, which is PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, owner: str) -> "PostgresqlModuleDatabase":
        """Answer the database of a module, or of a private instance, whether or not it is there."""
        return PostgresqlModuleDatabase(self, owner)

    def entities(self, schema_sql: str) -> tuple[Entity, ...]:
        """Answer the tables and views a schema declares, by running it in an empty schema that goes with it."""
        return self.tried(schema_sql).entities

    def tried(self, schema_sql: str) -> Plan:
        """Try a schema out like :func:`placet.platform.postgresql_schema.plan`."""
        role = self.made(TRIALS)
        scratch = f"trial_{secrets.token_hex(12)}"
        with self._alone() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {scratch} AUTHORIZATION {_quoted(role.role)}")
        try:
            return plan(self.access(role, scratch), schema_sql)
        finally:
            with self._alone() as connection:
                connection.exec_driver_sql(f"DROP SCHEMA {scratch} CASCADE")

    def find(self, owner: str) -> ModuleDatabaseRow | None:
        """Answer what belongs to somebody."""
        with self._database.read() as connection:
            return module_databases.find(connection, owner)

    def made(self, owner: str) -> ModuleDatabaseRow:
        """Answer what belongs to somebody, and make it first where it is not there. Raises ``ModuleProblem``."""
        found = self.find(owner)
        if found is not None:
            return found
        with self._alone() as connection:
            found = module_databases.find(connection, owner)
            if found is None:
                found = _new(owner)
                _make(connection, found)
                module_databases.add(connection, found)
        return found

    def remove(self, owner: str) -> None:
        """Remove the schema, all that is in it, and the roles."""
        with self._alone() as connection:
            row = module_databases.find(connection, owner)
            if row is None:
                return
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_quoted(row.schema_name)} CASCADE")
            _end_sessions(connection, row.role, row.reader)
            _drop_roles(connection, row.role, row.reader)
            module_databases.forget(connection, owner)

    def put_aside(self, owner: str, name: str) -> None:
        """Give a schema another name, and nobody a way in: it is there for whoever deleted the module by mistake."""
        with self._alone() as connection:
            row = module_databases.find(connection, owner)
            if row is None:
                return
            connection.exec_driver_sql(f"ALTER ROLE {_quoted(row.role)} NOLOGIN PASSWORD NULL")
            connection.exec_driver_sql(f"ALTER SCHEMA {_quoted(row.schema_name)} RENAME TO {_quoted(name)}")
            _end_sessions(connection, row.role, row.reader)
            _drop_roles(connection, row.reader)
            module_databases.forget(connection, owner)

    def access(self, row: ModuleDatabaseRow, schema: str) -> Access:
        """Answer how a schema is reached as its owner."""
        return Access(conninfo=self.conninfo(row.role, row.password, schema), schema=schema, end=self.end)

    def end(self, pid: int) -> None:
        """End a process of the database server that works for a module's role; one that is gone is fine."""
        with suppress(DBAPIError, DatabaseFailed), self._database.write() as connection:
            connection.exec_driver_sql(f"SELECT pg_catalog.pg_terminate_backend({pid:d})")

    def conninfo(self, role: str, password: str, schema: str) -> str:
        """Answer libpq's words for a connection as a role."""
        own = {"user": role, "password": password, "options": _search_path(schema), "application_name": "placet_module"}
        return make_conninfo("", **(self._parameters() | own))

    def url(self, row: ModuleDatabaseRow) -> str:
        """Answer the URL that a module's worker is given."""
        parameters = self._parameters()
        more = {name: value for name, value in parameters.items() if name not in _OWN}
        more["options"] = _search_path(row.schema_name)
        host, port, name = (parameters.get(key) or "" for key in ("host", "port", "dbname"))
        where = f"{host}:{port}" if host and port else host
        if not host or host.startswith("/") or "," in host or ":" in host:
            where, more = "", more | {key: value for key, value in (("host", host), ("port", port)) if value}
        return (
            f"postgresql://{row.role}:{row.password}@{where}/{quote(name, safe='')}?{urlencode(more, quote_via=quote)}"
        )

    def _parameters(self) -> dict[str, str]:
        """What Placet's own connection was made with, but for who it is."""
        with self._database.read() as connection:
            info = _driver(connection).info
            found: dict[str, str] = info.get_parameters()
            return found | {"host": info.host, "port": str(info.port), "dbname": info.dbname}

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction in which nobody else makes or removes roles; raises ``ModuleProblem`` for want of rights."""
        try:
            with self._database.write() as connection:
                connection.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_xact_lock({_LOCK})")
                yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                raise _not_offered(f"PostgreSQL says: {' '.join(str(error.orig).split())[:200]}") from error
            raise


class PostgresqlModuleDatabase:
    """One module's schema, or one private instance's."""

    kind = "postgresql"

    def __init__(self, modules: PostgresqlModules, owner: str) -> None:
        self._modules = modules
        self._owner = owner

    @property
    def address(self) -> str:
        """What the module's worker is told: a URL with its own role and schema."""
        return self._modules.url(self._modules.made(self._owner))

    def exists(self) -> bool:
        """Tell whether there is a schema."""
        return self._modules.find(self._owner) is not None

    def check(self, wanted: Wanted, *, empty: bool = False) -> Changes:
        """Answer what :meth:`apply` would change, having changed it and taken it back; raises ``ModuleProblem``.

        ``empty``: as if there were nothing yet.
        """
        planned = self._modules.tried(wanted.schema)
        row = None if empty else self._modules.find(self._owner)
        if row is None:
            return Changes(created=tuple(key for step in planned.steps for key in sorted(step.creates)))
        with bringing(self._modules.access(row, row.schema_name), wanted, planned, keep=False) as changes:
            return changes

    def apply(self, wanted: Wanted) -> Changes:
        """Bring it to what is wanted, in one transaction, and answer what was changed; raises ``ModuleProblem``."""
        with self.changing(wanted) as changes:
            return changes

    @contextmanager
    def changing(self, wanted: Wanted) -> Iterator[Changes]:
        """Do the same, committed when the body has ended, and not at all where that raises."""
        planned = self._modules.tried(wanted.schema)
        row = self._modules.made(self._owner)
        with bringing(self._modules.access(row, row.schema_name), wanted, planned) as changes:
            yield changes

    def undo(self, names: Sequence[str], *, existed: bool) -> None:
        """Take back what :meth:`apply` created: the names, or all of it where it had not existed."""
        if not existed:
            self._modules.remove(self._owner)
            return
        row = self._modules.find(self._owner)
        if row is not None and names:
            remove(self._modules.access(row, row.schema_name), names)

    def put_aside(self, now: datetime) -> str | None:
        """Keep the data where nobody uses it, and answer the schema's new name; ``None`` where there is none."""
        if not self.exists():
            return None
        name = f"deleted_{self._owner[:30]}_{now:%Y%m%dt%H%M%S_%f}"
        self._modules.put_aside(self._owner, name)
        return name

    def test_query(self, sql: str, **options: Any) -> QueryResult:
        """Ask it like :func:`placet.platform.query.ask`."""
        return ask(self._place(), sql, **options)

    def describe(self, queries: Sequence[str]) -> list[Description]:
        """Say what the parameters of queries are, and of which types."""
        return describe(self._place(), queries)

    def _place(self) -> Place:
        row = self._modules.made(self._owner)
        return Place(
            engine="PostgreSQL",
            script=Path(query_child_postgresql.__file__),
            orders={"conninfo": self._modules.conninfo(row.reader, row.reader_password, row.schema_name)},
            abandoned=self._end,
        )

    def _end(self, told: Mapping[str, Any]) -> None:
        if isinstance(told.get("pid"), int):
            self._modules.end(told["pid"])


def _new(owner: str) -> ModuleDatabaseRow:
    whose = owner.replace("-", "_")[:30] or "trials"
    role = f"module_{whose}_{secrets.token_hex(5)}"
    schema = f"module_{owner or 'trials'}"
    if len(schema) > 63:
        schema = f"{schema[:46]}_{hashlib.sha256(owner.encode()).hexdigest()[:16]}"
    return ModuleDatabaseRow(
        owner=owner,
        schema_name=schema,
        role=role,
        password=secrets.token_hex(24),
        reader=f"{role}_reader",
        reader_password=secrets.token_hex(24),
    )


def _make(connection: Connection, row: ModuleDatabaseRow) -> None:
    may_create_roles, owns = connection.exec_driver_sql(_MAY).one()
    if not may_create_roles:
        raise _not_offered("Placet's role may not create roles. Give it the right: ALTER ROLE placet CREATEROLE")
    if not owns:
        raise _not_offered("Placet's role does not own its database. Make it: ALTER DATABASE placet OWNER TO placet")
    database = _quoted(str(connection.exec_driver_sql("SELECT pg_catalog.current_database()").scalar_one()))
    schema, role, reader = _quoted(row.schema_name), _quoted(row.role), _quoted(row.reader)
    secret = [_verifier(connection, *pair) for pair in ((row.role, row.password), (row.reader, row.reader_password))]
    statements = [
        f"CREATE ROLE {role} LOGIN PASSWORD '{secret[0]}' CONNECTION LIMIT {ROLE_CONNECTIONS}",
        f"CREATE ROLE {reader} LOGIN PASSWORD '{secret[1]}' CONNECTION LIMIT {READER_CONNECTIONS}",
        f"GRANT {role}, {reader} TO CURRENT_USER",
        f"GRANT CONNECT ON DATABASE {database} TO {role}, {reader}",
        f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        f"CREATE SCHEMA {schema} AUTHORIZATION {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO {reader}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT SELECT ON SEQUENCES TO {reader}",
        *(f"ALTER ROLE {each} IN DATABASE {database} SET search_path = {schema}" for each in (role, reader)),
        *(f"ALTER ROLE {each} SET idle_in_transaction_session_timeout = '60s'" for each in (role, reader)),
        f"ALTER ROLE {role} SET statement_timeout = '60s'",
        f"ALTER ROLE {reader} SET statement_timeout = '30s'",
        f"ALTER ROLE {reader} SET default_transaction_read_only = on",
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)
    if connection.exec_driver_sql(_OWNS_PUBLIC).scalar():
        connection.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    _prove(connection, row)


def _prove(connection: Connection, row: ModuleDatabaseRow) -> None:
    """Have the engine say that the roles reach nothing else, whatever was granted to everybody before."""
    roles = f"'{row.role}', '{row.reader}'"
    sql = _REACHES.format(roles=roles, schema="'" + row.schema_name + "'")
    reached = connection.exec_driver_sql(sql).scalars().all()
    if reached:
        raise _not_offered(
            f"A module's role would reach {', '.join(reached)}, which everybody was given rights on. Revoke them: "
            f"REVOKE ALL ON {reached[0]} FROM PUBLIC"
        )


def _end_sessions(connection: Connection, *roles: str) -> None:
    connection.exec_driver_sql(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = ANY(%s)",
        (list(roles),),
    )


def _drop_roles(connection: Connection, *roles: str) -> None:
    names = ", ".join(map(_quoted, roles))
    connection.exec_driver_sql(f"DROP OWNED BY {names} CASCADE")
    connection.exec_driver_sql(f"DROP ROLE {names}")


def _verifier(connection: Connection, role: str, password: str) -> str:
    """Answer what the server keeps of a password, so that its log never has the password itself."""
    made: bytes = _driver(connection).pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _search_path(schema: str) -> str:
    return f"-csearch_path={_quoted(schema)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _not_offered(why: str) -> ModuleProblem:
    return ModuleProblem(
        ProblemCode.DATABASE_NOT_OFFERED,
        f'The module asks for database = "postgresql", and this server cannot make it a schema and a role. {why}.',
        step="database",
    )
