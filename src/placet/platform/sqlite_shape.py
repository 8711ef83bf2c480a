"""What a SQLite database is made of, by the engine's own word, and where it differs from what a schema demands."""

import re
import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

from placet.platform.sql_rules import RECORD
from placet.platform.sql_text import tokens
from placet.platform.table_text import unquoted

_SPACE = re.compile(r"\s+")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table; ``key`` is its place in the primary key, from 1, or 0."""

    name: str
    type: str
    not_null: bool
    default: str | None
    key: int
    generated: bool

    def described(self) -> str:
        """Say it as a definition would."""
        parts = [self.type or "without a type"]
        parts += ["PRIMARY KEY"] if self.key else []
        parts += ["NOT NULL"] if self.not_null else []
        parts += [f"DEFAULT {self.default[:80]}"] if self.default is not None else []
        return " ".join([*parts, *(["GENERATED"] if self.generated else [])])


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table: columns by lower-case name, its constraints in words, and its name as it is written."""

    name: str
    columns: dict[str, Column]
    constraints: frozenset[str]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """All tables but virtual ones, and the text of everything else, brought to one form; by lower-case name."""

    tables: dict[str, Table]
    others: dict[str, str]


def shape_of(connection: sqlite3.Connection) -> Shape:
    """Answer what there is in a database."""
    listed = connection.execute(
        "SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ?",
        (RECORD,),
    ).fetchall()
    tables = {
        str(name).casefold(): _table(connection, str(name), without_rowid=bool(wr), strict=bool(strict))
        for name, wr, strict in listed
    }
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    others = {str(name).casefold(): _plain(str(sql)) for name, sql in rows if str(name).casefold() not in tables}
    return Shape(tables=tables, others=others)


def differences(wanted: Table, there: Table) -> Iterator[tuple[str | None, str]]:
    """Yield what a table lacks but whole columns: the column where it is about one, and what is the matter."""
    for key, column in wanted.columns.items():
        found = there.columns.get(key)
        if found is not None and msgspec.structs.replace(found, name=column.name) != column:
            said = f"{wanted.name}.{column.name} is {found.described()} in the database, and should be"
            yield key, f"{said} {column.described()}."
    for constraint in sorted(wanted.constraints - there.constraints):
        yield None, f"table {wanted.name} has no {constraint} in the database."
    for key, column in there.columns.items():
        if key not in wanted.columns and column.not_null and column.default is None and not column.key:
            said = f"{wanted.name}.{column.name} is {column.described()} in the database, and not in the schema"
            yield None, f"{said}: no row could be inserted."


def staying(wanted: Mapping[str, Table], there: Mapping[str, Table]) -> tuple[str, ...]:
    """Answer the columns that are there and not wanted, of tables that are."""
    return tuple(
        f"{table.name}.{column.name}"
        for name, table in there.items()
        if name in wanted
        for key, column in table.columns.items()
        if key not in wanted[name].columns
    )


def _table(connection: sqlite3.Connection, name: str, *, without_rowid: bool, strict: bool) -> Table:
    columns = {}
    rows = connection.execute(
        'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', (name,)
    )
    for column, kind, not_null, default, key, hidden in rows:
        columns[str(column).casefold()] = Column(
            name=column,
            type=_SPACE.sub(" ", str(kind).strip()).upper(),
            not_null=bool(not_null),
            default=default if default is None else str(default).strip(),
            key=key,
            generated=hidden in {2, 3},
        )
    constraints = {*_uniques(connection, name), *_references(connection, name)}
    constraints |= ({"WITHOUT ROWID"} if without_rowid else set()) | ({"STRICT"} if strict else set())
    return Table(name=name, columns=columns, constraints=frozenset(constraints))


def _uniques(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    rows = connection.execute(
        "SELECT group_concat(lower(i.name), ', ') FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i"
        " WHERE l.origin = 'u' GROUP BY l.name",
        (table,),
    )
    for (columns,) in rows:
        yield f"UNIQUE ({columns})"


def _references(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    rows = connection.execute(
        'SELECT "table", group_concat(lower("from"), \', \'), group_concat(lower("to"), \', \'), on_update, on_delete'
        " FROM pragma_foreign_key_list(?) GROUP BY id",
        (table,),
    )
    for parent, columns, targets, on_update, on_delete in rows:
        more = "".join(
            f" ON {what} {does}" for what, does in (("UPDATE", on_update), ("DELETE", on_delete)) if does != "NO ACTION"
        )
        to = f" ({targets})" if targets else ""
        yield f"FOREIGN KEY ({columns}) REFERENCES {str(parent).lower()}{to}{more}"


def _plain(sql: str) -> str:
    """Bring the text of a view, index or trigger to one form: no comments, one case, no quotes around names."""
    parts = (
        sql[start:end] if kind == "quoted" and sql[start] == "'" else unquoted(sql[start:end]).casefold()
        for kind, start, end in tokens(sql)
        if kind not in {"space", "end"}
    )
    return " ".join(parts)
