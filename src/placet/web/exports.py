"""Tables to take along: as CSV (RFC 4180) and as JSON, written while they are read.

A cell of a CSV file that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return is a formula to a
spreadsheet, and may be somebody's who means harm. Text of that kind is prefixed with an apostrophe.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from litestar.response import Stream

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE = 500

Row = Sequence[Any]


class Form(StrEnum):
    """How a table is written."""

    CSV = "csv"
    JSON = "json"


def exported(name: str, form: Form, columns: Sequence[str], rows: Iterable[Row]) -> Stream:
    """Answer a table as a file called ``name``. What ``rows`` raises must have been raised before the first row."""
    parts = _csv(columns, rows) if form is Form.CSV else _json(columns, rows)
    media_type = "text/csv; charset=utf-8; header=present" if form is Form.CSV else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Stream(parts, media_type=media_type, headers=headers)


def cell(value: Any) -> Any:
    """Answer a value as it may stand in a CSV file: text is never a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    written = io.StringIO()
    writer = csv.writer(written)  # lines end with CRLF
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([cell(value) for value in row])
        if number % _ROWS_AT_ONCE == 0:
            yield written.getvalue().encode()
            written.seek(0)
            written.truncate()
    yield written.getvalue().encode()


def _json(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """A list of objects, one a line."""
    part = b"["
    for number, row in enumerate(rows):
        part += (b",\n" if number else b"\n") + msgspec.json.encode(dict(zip(columns, row, strict=True)))
        if number % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
            yield part
            part = b""
    yield part + b"\n]\n"
