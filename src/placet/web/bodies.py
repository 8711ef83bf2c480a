"""JSON bodies are taken as they are written: ``"1"`` is no number, ``1`` no flag, and no member is given twice.

Litestar converts a body as leniently as it converts a query, where everything is text; of a member that is given twice
it takes the last, and what stands before it another. So each is looked at before.
"""

import json
import re
from collections import Counter
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException, SerializationException
from litestar.params import BodyKwarg

from placet.web.words import body_words

_PLACE = re.compile(r" - at `\$\.?(.*)`$")


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Raise where a JSON body is not what its route says, type by type, naming the member and what is allowed."""
    field = request.route_handler.parsed_fn_signature.parameters.get("data")
    if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
        return
    body = await request.body()
    if field.kwarg_definition.media_type != RequestEncodingType.JSON or not body:
        return
    try:
        sent = await request.json()
        msgspec.convert(sent, field.annotation, strict=True)
    except SerializationException:
        return  # it is no JSON at all, and is told so where it is read
    except msgspec.ValidationError as error:
        message, found = _PLACE.sub("", str(error)), _PLACE.search(str(error))
        key = (found and found[1]) or "body"
        raise ClientException(body_words(key, message, field.annotation, sent)) from None
    _check_members(body)


def _check_members(body: bytes) -> None:
    """Raise ``ClientException`` naming a member that is given twice."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return dict(pairs)

    json.loads(body, object_pairs_hook=members)
    if twice:
        raise ClientException(
            f"{twice[0][:40]}: the JSON body has this member more than once, so that it says two things. Nothing was "
            "changed; give it once."
        )
