"""From rows to frozen values."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Result

T = TypeVar("T")


def one_of(type_: type[T], result: Result[Any]) -> T | None:
    """Answer the one row of a result as a value, or ``None`` where there is none."""
    row = result.mappings().one_or_none()
    return None if row is None else msgspec.convert(dict(row), type_)


def all_of(type_: type[T], result: Result[Any]) -> list[T]:
    """Answer every row of a result as a value."""
    return msgspec.convert([dict(row) for row in result.mappings()], list[type_])  # type: ignore[valid-type]
