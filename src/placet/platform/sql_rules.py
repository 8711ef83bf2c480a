"""What SQL may do, judged by SQLite itself: callbacks for its authorizer, asked while a statement is compiled.

The engine names every action a statement would take, so no spelling, comment or nesting gets past.
https://www.sqlite.org/c3ref/c_alter_table.html lists the actions and what the two arguments hold.
"""

import sqlite3

RECORD = "placet_migrations"  # the table that only Placet writes
OUTWARD_FUNCTIONS = frozenset(("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "lsdir", "zipfile"))
READING_PRAGMAS = frozenset(
    (
        *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
        *("foreign_key_list", "function_list", "collation_list", "compile_options", "data_version"),
    )
)
SHOWING_PRAGMAS = frozenset(
    ("application_id", "encoding", "freelist_count", "page_count", "page_size", "schema_version", "user_version")
)
_READING = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE))
_CREATING = frozenset(
    (
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_REINDEX,
    )
)
_CHANGING = frozenset(
    (
        *(sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_ALTER_TABLE),
        *(sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_INDEX, sqlite3.SQLITE_DROP_VIEW, sqlite3.SQLITE_DROP_TRIGGER),
        *(sqlite3.SQLITE_DROP_VTABLE, sqlite3.SQLITE_ANALYZE),
    )
)
_CHECKING_PRAGMAS = frozenset(("quick_check", "foreign_key_check", "integrity_check"))  # ALTER TABLE asks them itself
_FORBIDDEN_IN_A_QUERY = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_TRANSACTION: "BEGIN, COMMIT or ROLLBACK",
    sqlite3.SQLITE_SAVEPOINT: "SAVEPOINT",
    sqlite3.SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
    sqlite3.SQLITE_DROP_VTABLE: "DROP of a virtual table",
}
_NAMES = {
    value: name.removeprefix("SQLITE_").replace("_", " ")
    for name, value in vars(sqlite3).items()
    if name.startswith(("SQLITE_ALTER", "SQLITE_ANALYZE", "SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_REINDEX"))
    or name in ("SQLITE_ATTACH", "SQLITE_DETACH", "SQLITE_TRANSACTION", "SQLITE_SAVEPOINT", "SQLITE_PRAGMA")
    or name in ("SQLITE_DELETE", "SQLITE_UPDATE", "SQLITE_FUNCTION")
}


class QueryRules:
    """For a test query: anything that a rollback takes back, nothing that reaches outside the transaction.

    `refused` names what was denied last, for people.
    """

    def __init__(self) -> None:
        self.refused: str | None = None

    def __call__(self, action: int, first: str | None, second: str | None, _db: str | None, _by: str | None) -> int:
        """Answer SQLITE_OK or SQLITE_DENY for one action."""
        denied = _FORBIDDEN_IN_A_QUERY.get(action)
        if action == sqlite3.SQLITE_FUNCTION and (second or "").casefold() in OUTWARD_FUNCTIONS:
            denied = f"the function {second}"
        if action == sqlite3.SQLITE_PRAGMA and not _only_reads(first, second):
            denied = f"PRAGMA {first}" + (" with a value" if second is not None else "")
        if denied is None:
            return sqlite3.SQLITE_OK
        self.refused = denied
        return sqlite3.SQLITE_DENY


class SchemaRules:
    """For a module's schema: it creates objects in its own database and fills tables, nothing else.

    `filled` collects, in lower case, the tables that statements insert into; `refused` names what was denied.
    """

    allowed = "create tables, views, indexes and triggers and insert rows into tables it creates"
    shorten = "Insert fewer rows."

    def __init__(self) -> None:
        self.refused: str | None = None
        self.filled: set[str] = set()

    def forget(self) -> None:
        """Begin a new statement."""
        self.filled.clear()

    def __call__(self, action: int, first: str | None, second: str | None, _db: str | None, by: str | None) -> int:
        """Answer SQLITE_OK or SQLITE_DENY for one action."""
        if self._allows(action, first or "", second, by):
            return sqlite3.SQLITE_OK
        self.refused = _NAMES.get(action, "This statement")
        return sqlite3.SQLITE_DENY

    def _allows(self, action: int, first: str, second: str | None, by: str | None) -> bool:
        if action == sqlite3.SQLITE_CREATE_TABLE and first.casefold() == RECORD:
            return False
        if action in _READING or action in _CREATING:
            return True
        if action == sqlite3.SQLITE_FUNCTION:
            return (second or "").casefold() not in OUTWARD_FUNCTIONS
        if action == sqlite3.SQLITE_INSERT:
            if by is None and not first.startswith("sqlite_"):
                self.filled.add(first.casefold())
            return True
        if action in (sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE):
            # The engine's own tables while it creates; inside a trigger; while a statement inserts: an upsert, or
            # what a virtual table does behind itself. No statement that inserts can be a DELETE or UPDATE as well.
            return first.startswith("sqlite_") or by is not None or bool(self.filled)
        return action == sqlite3.SQLITE_PRAGMA and _only_reads(first, second)


class MigrationRules(SchemaRules):
    """For a migration: anything in the module's own database, within its transaction, but to the record of migrations.

    It has no rights outside: no ATTACH, no PRAGMA that changes anything, no extension.
    """

    allowed = "create, alter, fill, change and drop what is the module's own, within the transaction it runs in"
    shorten = "Change fewer rows at a time."

    def _allows(self, action: int, first: str, second: str | None, by: str | None) -> bool:
        table = second if action == sqlite3.SQLITE_ALTER_TABLE else first
        if action not in _READING and (table or "").casefold() == RECORD:
            return False
        if action in _CHANGING or (action == sqlite3.SQLITE_PRAGMA and first.casefold() in _CHECKING_PRAGMAS):
            return True
        return super()._allows(action, first, second, by)


def _only_reads(pragma: str | None, value: str | None) -> bool:
    name = (pragma or "").casefold()
    return name in READING_PRAGMAS or (name in SHOWING_PRAGMAS and value is None)
