"""The parameters of a test query: what a caller may give, and the form in which they reach the engine.

Plain JSON values stand for themselves. What JSON has no form for says what it is: ``{"base64": "..."}`` for bytes,
``{"type": "date", "value": "2026-03-01"}`` for the rest.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

MAX_TYPED_CHARACTERS = 200
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_TIMESTAMP = re.compile(rf"{_DATE.pattern}[T ]{_TIME.pattern}(?:Z|[+-]\d\d:\d\d)?")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+")
_WHOLE = re.compile(r"[+-]?\d+")
_WORDS = MappingProxyType({"true": True, "false": False})
_KNOWN = 'text, numbers, true, false, null, {"base64": "..."} or {"type": "date", "value": "..."}'

Value = str | int | float | bytes | bool | None | Mapping[str, Any]
Parameters = Mapping[str, Value] | Sequence[Value]


class UnfitParameter(ValueError):
    """A parameter that cannot be given to a query; the message is a whole sentence that says why."""


def portable(parameters: Parameters) -> dict[str, Any] | list[Any]:
    """Answer parameters as JSON values that are known to be right; raises :class:`UnfitParameter`."""
    if isinstance(parameters, Mapping):
        return {name: _portable(value) for name, value in parameters.items()}
    return [_portable(value) for value in parameters]


def _portable(value: Value) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitParameter(f"A parameter is {value}, which is not a number. Use a finite one, or null.")
    if value is None or isinstance(value, str | int | float):
        return value
    if not isinstance(value, Mapping):
        raise UnfitParameter(f"A parameter is of no known kind; use {_KNOWN}.")
    if set(value) == {"type", "value"}:
        return _typed(value["type"], value["value"])
    try:
        return {"base64": base64.b64encode(base64.b64decode(value["base64"], validate=True)).decode()}
    except (KeyError, TypeError, ValueError):
        raise UnfitParameter(f"A parameter is of no known kind; use {_KNOWN}.") from None


def _typed(kind: Any, value: Any) -> Any:
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise UnfitParameter(f"A parameter is of the type {str(kind)[:40]!r}. There is: {', '.join(_READERS)}.")
    if value is None:
        return {"type": kind, "value": None}
    if not isinstance(value, str | int | float):
        raise UnfitParameter(f"The value of a parameter of type {kind} is no text and no number. Write it as text.")
    text = str(value) if isinstance(value, str) else str(value).lower()
    if len(text) > MAX_TYPED_CHARACTERS and kind not in {"text", "bytes"}:
        raise UnfitParameter(
            f"The value of a parameter of type {kind} has {len(text):,} characters; {MAX_TYPED_CHARACTERS} are allowed."
        )
    try:
        return read(value if kind == "text" else text)  # type: ignore[arg-type]
    except (ValueError, InvalidOperation, OverflowError):
        raise UnfitParameter(f"{text[:60]!r} is no {kind}. Write it {_FORMS[kind]}.") from None


def _matching(form: re.Pattern[str], text: str) -> str:
    if not text.isascii() or form.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _bool(text: str) -> bool:
    if text not in _WORDS:
        raise ValueError(text)
    return _WORDS[text]


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _text(value: Any) -> dict[str, str]:
    if not isinstance(value, str):
        raise ValueError(str(value))  # noqa: TRY004 - the one kind of error that is a wrong value here
    return {"type": "text", "value": value}


def _decimal(text: str) -> dict[str, str]:
    return {"type": "decimal", "value": str(Decimal(_matching(_NUMBER, text)))}


def _moment(kind: str, form: re.Pattern[str], check: Callable[[str], object]) -> Callable[[str], dict[str, str]]:
    def read(text: str) -> dict[str, str]:
        check(_matching(form, text))
        return {"type": kind, "value": text}

    return read


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "int": lambda text: int(_matching(_WHOLE, text)),
        "float": _float,
        "text": _text,
        "bool": _bool,
        "bytes": lambda text: {"base64": base64.b64encode(base64.b64decode(text, validate=True)).decode()},
        "decimal": _decimal,
        "date": _moment("date", _DATE, date.fromisoformat),
        "time": _moment("time", _TIME, time.fromisoformat),
        "timestamp": _moment("timestamp", _TIMESTAMP, datetime.fromisoformat),
    }
)
TYPES = tuple(_READERS)
"""The types a parameter can say that it is of."""

_FORMS = MappingProxyType(
    {
        "int": "in digits, as 42",
        "float": "as 1.5 or 2e9",
        "text": "as text",
        "bool": "as true or false",
        "bytes": "in base64",
        "decimal": "in digits, as 12.50",
        "date": "as 2026-03-01",
        "time": "as 09:15 or 09:15:00",
        "timestamp": "as 2026-03-01T09:15:00, with Z or +02:00 where it has a zone",
    }
)
