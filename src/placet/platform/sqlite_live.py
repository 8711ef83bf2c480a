"""What is known of a module's SQLite database before it is brought to a schema, and a copy of it without its rows."""

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from placet.platform.schema_files import READ_RECORD, invalid
from placet.platform.sql_rules import RECORD

_ANY_ROW = "SELECT 1 FROM {} LIMIT 1"


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the live database.

    Digests of the migrations that were `applied`, by name; the tables that are `filled`, and what is `hidden`, because
    no copy could be made of it, by lower-case name.
    """

    applied: dict[str, str]
    filled: frozenset[str]
    hidden: frozenset[str] = frozenset()


def objects(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the names of all objects that are not the engine's own, by their lower-case form."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ? AND name NOT IN"
        " (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') ORDER BY rowid",
        (RECORD,),
    )
    return {str(name).casefold(): str(name) for (name,) in rows}


def copy_schema(database: Path, copy: sqlite3.Connection) -> Before:
    """Make the live database's objects in `copy`; answer what else is known of it."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as live:
            names = set(objects(live))
            rows = live.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
            known = Before(applied=applied(live), filled=filled(live))
    except sqlite3.Error as error:
        raise invalid(f"The module's database cannot be read: {error}.", None) from error
    for name, sql in rows:
        # What needs functions that only the running module has cannot be made here; new entities rarely lean on it.
        if name.casefold() in names:
            with contextlib.suppress(sqlite3.Error):
                copy.execute(sql)
    return msgspec.structs.replace(known, hidden=frozenset(names - objects(copy).keys()))


def applied(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the digests of the migrations that are recorded, by name."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (RECORD,)).fetchone():
        return {}
    return dict(connection.execute(READ_RECORD).fetchall())


def filled(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the tables that have rows, in lower case."""
    names = [str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_list WHERE type = 'table'")]
    return frozenset(
        name.casefold()
        for name in names
        if not name.startswith("sqlite_") and connection.execute(_ANY_ROW.format(quoted(name))).fetchone()
    )


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'
