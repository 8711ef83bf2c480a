"""What a request got wrong, in words with the numbers: what is allowed, and what was sent.

The validator speaks of its own types and of regular expressions. What it found is told by what the route says of the
parameter or member, so that whoever reads it knows what to send.
"""

import re
from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta, UnsetType

LONGEST_SENT = 60

PATTERNS: Mapping[str, str] = {
    "^[a-z][a-z0-9_-]{0,62}$": "a name of 1 to 63 small letters (a to z), digits, _ and -, with a letter first",
    "^[a-z][a-z0-9_]{0,62}$": "a name of 1 to 63 small letters (a to z), digits and _, with a letter first",
    "^[0-9a-f]{32}$": "an id of 32 digits and letters a to f",
    "^(|1|true|yes|0|false|no)$": "true or false",
    r"^[^\x00]+$": "a text without null characters",
    r"^[^\x00-\x1f\x7f]+$": "a text without control characters, such as line ends",
    r"^[^\x00-\x1f\x7f/\\]+$": "a text without control characters, / and \\",
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+$": "a text without control characters, such as line ends",
}
"""What each regular expression of a route means."""

_ABSENT = object()
_MISSING = re.compile("Object missing required field `(.*)`")
_UNKNOWN = re.compile("Object contains unknown field `(.*)`")
_FIRST_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def body_words(key: str, message: str, annotation: Any, sent: Any) -> str:
    """Say what is wrong with a JSON body of the type ``annotation``; ``key`` is where, ``sent`` the whole of it."""
    struct = _plain(annotation)
    tags = _tags(struct)
    if tags:
        tag = next(iter(tags.values())).__struct_config__.tag_field
        given = sent.get(tag, _ABSENT) if isinstance(sent, dict) else _ABSENT
        if not isinstance(given, str) or given not in tags:
            return told(tag, f"one of {', '.join(tags)}", given)
        struct = tags[given]
    fields = getattr(struct, "__struct_fields__", ())
    missing, unknown = _MISSING.match(message), _UNKNOWN.match(message)
    if missing:
        return f"{missing[1]}: it is missing. {_it_is(allowed(_hint(struct, missing[1])))}".strip()
    if unknown:
        return f"{unknown[1][:LONGEST_SENT]}: there is no such member here. There is: {', '.join(fields)}."
    if key in fields and isinstance(sent, dict):
        return told(key, allowed(_hint(struct, key)), sent.get(key, _ABSENT))
    if not isinstance(sent, dict) and fields:
        return told(key, "a JSON object", sent)
    return f"{key}: {without_types(message)}"


def told(key: str, is_: str | None, sent: Any) -> str:
    """Say what ``key`` has to be, and what was sent for it."""
    if sent is _ABSENT:
        return f"{key}: it is missing. {_it_is(is_)}".strip()
    return f"{key}: {shown(sent)} was sent, which is not allowed. {_it_is(is_)}".strip()


def parameter_words(key: str, annotation: Any, definition: Any, message: str, sent: str | None) -> str:
    """Say what is wrong with a parameter of a path or query string."""
    bounds = {
        name: value
        for name in ("ge", "le", "gt", "lt", "min_length", "max_length", "pattern")
        if (value := getattr(definition, name, None)) is not None
    }
    is_ = allowed(Annotated[annotation, Meta(**bounds)] if bounds else annotation)
    if is_ is None:
        return f"{key}: {without_types(message)}"
    return told(key, is_, _ABSENT if sent is None else sent)


def shown(sent: Any) -> str:
    """Answer what was sent as JSON, cut to what is worth reading."""
    try:
        text = msgspec.json.encode(sent).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        text = repr(sent)
    return text if len(text) <= LONGEST_SENT else f"{text[:LONGEST_SENT]}… ({len(text):,} characters)"


def allowed(hint: Any) -> str | None:
    """Say what a type allows, with its numbers; ``None`` for one that words have not been found for."""
    bounds: dict[str, Any] = {}
    kinds = [_unwrapped(kind, bounds) for kind in _kinds(hint, bounds) if kind not in (type(None), UnsetType)]
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"{'a whole number' if kind is int else 'a number'}{_from_to(bounds.get('ge'), bounds.get('le'))}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(each.value) for each in kind)}"
    if kind is str:
        return _text(bounds)
    return None


def _text(bounds: Mapping[str, Any]) -> str:
    pattern = bounds.get("pattern")
    what = "a text" if pattern is None else PATTERNS.get(pattern, "a text of another form")
    least, most = bounds.get("min_length"), bounds.get("max_length")
    if least is None and most is None:
        return what
    return f"{what}, of {least or 0:,} to {most:,} characters" if most is not None else f"{what}, of {least:,} or more"


def _from_to(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    if least is not None:
        return f" of {least:,} or more"
    return "" if most is None else f" of {most:,} or less"


def _kinds(hint: Any, bounds: dict[str, Any]) -> list[Any]:
    hint = _unwrapped(hint, bounds)
    return list(get_args(hint)) if get_origin(hint) in (Union, UnionType) else [hint]


def _unwrapped(hint: Any, bounds: dict[str, Any]) -> Any:
    """Take off ``Annotated``, and collect what it says."""
    while get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        for item in more:
            for name in ("ge", "le", "min_length", "max_length", "pattern"):
                if (value := getattr(item, name, None)) is not None:
                    bounds[name] = value
    return hint


def _plain(annotation: Any) -> Any:
    return _unwrapped(annotation, {})


def _tags(union: Any) -> dict[str, Any]:
    """The types of a union of structs by the tag that tells them apart; empty for anything else."""
    kinds = [kind for kind in get_args(union) if hasattr(kind, "__struct_config__")]
    return {kind.__struct_config__.tag: kind for kind in kinds if isinstance(kind.__struct_config__.tag, str)}


def _hint(struct: Any, field: str) -> Any:
    from typing import get_type_hints  # noqa: PLC0415

    return get_type_hints(struct, include_extras=True)[field]


def _it_is(is_: str | None) -> str:
    return "" if is_ is None else f"It is {is_}."


def without_types(message: str) -> str:
    """The validator's own words where there are no better ones, without its marks and regular expressions."""
    return re.sub(r" matching regex .*$", " of another form", message).replace("`", "").replace("Expected", "it is not")
