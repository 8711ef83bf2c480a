"""From rows to frozen values, and what every database can store of a name."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Result, RowMapping

T = TypeVar("T")
LONGEST_NAME = 200


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


def storable(name: str) -> str:
    """Answer what every database can store of somebody's name: 200 characters, and no null character."""
    return name[:LONGEST_NAME].replace("\0", "\ufffd")


def may_be_stored(name: str) -> bool:
    """Tell whether any database can hold a name as it is; what none can hold is nobody's."""
    return len(name) <= LONGEST_NAME and "\0" not in name and not any("\ud800" <= sign <= "\udfff" for sign in name)


def _value(type_: type[T], row: RowMapping) -> T:
    return msgspec.convert({str(name): value for name, value in row.items()}, type_)
