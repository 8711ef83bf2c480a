"""Single values: each is of its column's type, within what that can mean, and there where it has to be."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Text, func, or_, select, type_coerce

from placet.platform.doctor.findings import Case, Finding
from placet.platform.doctor.kinds import Kind
from placet.store import dialects
from placet.store.schema import Instant, metadata, module_versions, seat_reservations

LATEST = 253_402_300_799_999_999  # 9999-12-31, in microseconds since 1970
_WORDS = {seat_reservations.c.subject_kind: ("user", "group")}


def examine_cells(connection: Connection, _: Case) -> list[Finding]:
    """Examine every value there is, column by column."""
    found = [*_unreadable(connection), *_elements(connection)]
    return found or [Finding(subject="values", text="each is of its column's type and within its bounds")]


def _unreadable(connection: Connection) -> Iterator[Finding]:
    for table in metadata.sorted_tables:
        wrong = {column.name: _wrong(connection, column) for column in table.columns}
        counts = [func.count().filter(condition).label(name) for name, condition in wrong.items()]
        row = connection.execute(select(*counts).select_from(table)).mappings().one()
        for name, count in row.items():
            if count:
                rows = "1 row has" if count == 1 else f"{count:,} rows have"
                text = f"{rows} a {name} that no operation writes"
                yield Finding(subject=table.name, text=text, kind=Kind.VALUE_UNREADABLE)


def _wrong(connection: Connection, column: Column[object]) -> ColumnElement[bool]:
    conditions = [dialects.is_of_another_type(connection, column)]
    if not column.nullable:
        conditions.append(column.is_(None))
    if isinstance(column.type, Instant):
        number = type_coerce(column, BigInteger)
        conditions += [number < 0, number > LATEST]
    if column in _WORDS:
        conditions.append(column.not_in(_WORDS[column]))
    return or_(*conditions)


def _elements(connection: Connection) -> Iterator[Finding]:
    """The elements of each version, which explain its units, are a list of objects."""
    columns = (module_versions.c.module, module_versions.c.version)
    for row in connection.execute(select(*columns, type_coerce(module_versions.c.elements, Text).label("elements"))):
        try:
            msgspec.json.decode(row.elements, type=list[dict[str, object]])
        except (msgspec.DecodeError, TypeError):
            text = f"the elements of version {row.version} cannot be read"
            yield Finding(subject=f"module {row.module}", text=text, kind=Kind.VALUE_UNREADABLE)
