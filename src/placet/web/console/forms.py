"""Forms: read whole under a cap, then typed. What is no form of ours is the sender's mistake, told in words.

A form's type is a ``msgspec.Struct``. Text is trimmed and has LF line ends; an empty field is as good as none where
the type has a default; ``bool`` is a checkbox; ``list[str]`` is a field sent several times; ``bytes`` is a file.
``Annotated[str, Meta(title="Name", max_length=100)]`` says what a field is called and what it may hold.
"""

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import HTTPException
from msgspec import inspect
from msgspec.structs import FieldInfo

from placet.web.console.asking import AnyRequest
from placet.web.problems import Problem

_DRAINED = 32 * 1024 * 1024
_DRAIN_SECONDS = 10
_NOT = frozenset({"", "no", "false", "0"})


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was sent: the value of its type, and its texts as they came, without files."""

    form: Any = None
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts by their names, to fill the form in again."""
        return dict(self.pairs)


async def read_form(request: AnyRequest, form: type[msgspec.Struct], *, largest: int) -> Sent:
    """Read a form of a type. Raises :class:`Problem`: 413 past ``largest`` bytes, 400 where it is not of the type."""
    fields = await read_fields(request, largest=largest)
    values = {}
    for field in msgspec.structs.fields(form):
        value = await _value_of(field, fields.getall(field.encode_name, []))
        if value is not None:
            values[field.name] = _typed(field, value)
        elif field.required:
            raise _wrong(field, "is missing")
    pairs = tuple((name, value) for name, value in fields.multi_items() if isinstance(value, str))
    return Sent(form=form(**values), pairs=pairs)


async def read_fields(
    request: AnyRequest, *, largest: int, what: str = "This form", advice: str = "Send less."
) -> FormMultiDict:
    """Read the fields of a form, whatever they are. Raises :class:`Problem`: 413 past ``largest`` bytes, 400."""
    try:
        return await request.form()
    except HTTPException as error:
        if error.status_code == 413:
            await _drain(request)
            raise _too_large(largest, what, advice) from None
        raise
    except (UnicodeDecodeError, LookupError, ValueError):
        raise Problem(
            "bad_request",
            title="Bad Request",
            status=400,
            detail="The form cannot be read: its text is not UTF-8. Nothing was changed. Send files as they came.",
        ) from None


async def _value_of(field: FieldInfo, sent: list[Any]) -> Any:
    """What was sent for a field, ``None`` where nothing was."""
    kind = _kind_of(field)
    if isinstance(kind, inspect.BytesType):
        return await file_of(sent)
    texts = [value.replace("\r\n", "\n").strip() for value in sent if isinstance(value, str)]
    if isinstance(kind, inspect.ListType):
        return texts
    if isinstance(kind, inspect.BoolType):
        return bool(texts) and texts[-1] not in _NOT
    return texts[-1] if texts and (texts[-1] or field.required) else None


async def file_of(sent: list[Any]) -> bytes | None:
    """Answer the content of the first file among what was sent, ``None`` where there is none."""
    for entry in sent:
        if isinstance(entry, UploadFile):
            try:
                return await entry.read()
            finally:
                await entry.close()
    return None


def _typed(field: FieldInfo, value: Any) -> Any:
    try:
        return msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError:
        raise _wrong(field, f"has to be {_described(_kind_of(field))}") from None


def _kind_of(field: FieldInfo) -> inspect.Type:
    """The type of a field's values, without what else is said of them."""
    kind = inspect.type_info(field.type)
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        else:
            kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _described(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType():
            least, most = kind.min_length or 0, kind.max_length
            length = f" of {f'{least:,} to ' if least else 'at most '}{most:,} characters" if most else ""
            return f"text{length}{' in the form that is asked for' if kind.pattern else ''}"
        case inspect.IntType():
            bounds = (("from", kind.ge), ("to", kind.le))
            return " ".join(["a whole number", *(f"{word} {bound:,}" for word, bound in bounds if bound is not None)])
        case inspect.LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
        case inspect.EnumType():
            return f"one of {', '.join(str(value.value) for value in kind.cls)}"
        case inspect.ListType():
            return f"a list, each entry {_described(kind.item_type)}"
        case inspect.Metadata():
            return _described(kind.type)
        case inspect.BytesType():
            return f"a file of at most {kind.max_length or 0:,} bytes"
    return "as it is asked for"


def _title_of(field: FieldInfo) -> str:
    kind = inspect.type_info(field.type)
    told = (kind.extra_json_schema or {}) if isinstance(kind, inspect.Metadata) else {}
    return str(told.get("title") or field.name.replace("_", " ").capitalize())


def _wrong(field: FieldInfo, what: str) -> Problem:
    return Problem(
        "bad_request",
        title="Bad Request",
        status=400,
        detail=f"{_title_of(field)} {what}. Nothing was changed. Correct it and send the form again.",
    )


async def _drain(request: AnyRequest) -> None:
    """Read on past what is too large, for a while: a browser that is still sending would not show the answer."""
    left = _DRAINED
    with anyio.move_on_after(_DRAIN_SECONDS):
        while left > 0:
            event = await request.receive()
            if event["type"] != "http.request" or not event.get("more_body", False):
                return
            left -= len(event["body"])


def _too_large(largest: int, what: str, advice: str) -> Problem:
    return Problem(
        "request_too_large",
        title="The request body is too large",
        status=413,
        detail=f"{what} is larger than {largest // 1024:,} KiB. Nothing was changed. {advice}",
    )
