"""Placet's database on PostgreSQL with a role that may create roles, as modules there need it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from placet.platform.module_postgresql import PostgresqlModuleDatabase, PostgresqlModules
from placet.store.database import Database
from store_support.postgres import shared_server


@contextmanager
def database_for_modules() -> Iterator[Database]:
    """A new one."""
    server = shared_server()
    owner = server.new_role()
    with closing(Database.open(server.url(server.new_database(owner=owner), role=owner))) as database:
        yield database


@contextmanager
def module_connection(database: PostgresqlModuleDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A connection as a module makes it."""
    with psycopg.connect(database.address, autocommit=True) as connection:
        yield connection


def modules_of(database: Database) -> PostgresqlModules:
    return PostgresqlModules(database)
