"""From rows to frozen values."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Result, RowMapping

T = TypeVar("T")


def the_one(type_: type[T], result: Result[Any]) -> T:
    """Answer the one row of a result as a value."""
    return _value(type_, result.mappings().one())


def one_of(type_: type[T], result: Result[Any]) -> T | None:
    """Answer the one row of a result as a value, or ``None`` where there is none."""
    row = result.mappings().one_or_none()
    return None if row is None else _value(type_, row)


def all_of(type_: type[T], result: Result[Any]) -> list[T]:
    """Answer every row of a result as a value."""
    return [_value(type_, row) for row in result.mappings()]


def _value(type_: type[T], row: RowMapping) -> T:
    return msgspec.convert({str(name): value for name, value in row.items()}, type_)
