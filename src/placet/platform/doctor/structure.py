"""The schema as this Placet knows it: tables, columns and indexes that somebody may have dropped."""

from collections.abc import Iterator

from sqlalchemy import Connection, Index, inspect, select

from placet.platform.doctor.findings import Case, Change, Finding, Repair, some
from placet.platform.doctor.kinds import Kind
from placet.store.schema import installation, licenses, metadata


def examine_structure(connection: Connection) -> list[Finding]:
    """Examine what every statement relies on; where a table or a column is missing, nothing else can be examined."""
    found = list(_tables(connection))
    if all(finding.kind is Kind.INDEX_MISSING for finding in found):
        found += _installation(connection)
    return found or [Finding(subject="schema", text="every table, column and index is there")]


def _installation(connection: Connection) -> Iterator[Finding]:
    if connection.execute(select(installation.c.id)).first() is None:
        serials = list(connection.execute(select(licenses.c.serial_number).distinct()).scalars())
        told = f"; its licenses were issued to {some(serials)}" if serials else ""
        text = f"the row of the installation is missing{told}"
        yield Finding(subject="installation", text=text, kind=Kind.INSTALLATION_MISSING)


def _tables(connection: Connection) -> Iterator[Finding]:
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield Finding(subject="schema", text=f"the table {table.name} is missing", kind=Kind.TABLE_MISSING)
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for name in sorted(set(table.columns.keys()) - columns):
            text = f"the column {name} of {table.name} is missing"
            yield Finding(subject="schema", text=text, kind=Kind.TABLE_MISSING)
        known = {index["name"] for index in inspector.get_indexes(table.name)}
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.name not in known:
                text = f"the index {index.name} of {table.name} is missing"
                yield Finding(subject="schema", text=text, kind=Kind.INDEX_MISSING, repair=_with(index))


def _with(index: Index) -> Repair:
    def repair(connection: Connection, _: Case) -> Change | None:
        assert index.table is not None  # noqa: S101 - each belongs to a table of the metadata
        if index.name in {found["name"] for found in inspect(connection).get_indexes(index.table.name)}:
            return None
        index.create(connection)
        return Change(None, str(index.name))

    return repair
