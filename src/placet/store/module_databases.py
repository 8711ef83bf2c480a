"""The modules' databases on a database server: which schema and roles each has. For the server alone to read."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from placet.store.rows import one_of
from placet.store.schema import module_databases


class ModuleDatabaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to ``owner``: a module, a private instance, or, where it is empty, the trying out of schemas.

    ``role`` owns ``schema_name``; ``reader`` may read it, and nothing else.
    """

    owner: str
    schema_name: str
    role: str
    password: str
    reader: str
    reader_password: str


def find(connection: Connection, owner: str) -> ModuleDatabaseRow | None:
    """Answer what belongs to somebody, if anything does."""
    columns = [module_databases.c[name] for name in ModuleDatabaseRow.__struct_fields__]
    query = select(*columns).where(module_databases.c.owner == owner)
    return one_of(ModuleDatabaseRow, connection.execute(query))


def add(connection: Connection, row: ModuleDatabaseRow) -> None:
    """Record what has been made."""
    connection.execute(insert(module_databases).values(**msgspec.structs.asdict(row)))


def forget(connection: Connection, owner: str) -> None:
    """Forget what belonged to somebody."""
    connection.execute(delete(module_databases).where(module_databases.c.owner == owner))
