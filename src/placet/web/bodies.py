"""JSON bodies are taken as they are written: ``"1"`` is no number, and ``1`` no flag.

Litestar converts a body as leniently as it converts a query, where everything is text. So each is looked at before.
"""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.exceptions import SerializationException, ValidationException
from litestar.params import BodyKwarg

_PLACE = re.compile(r" - at `\$\.?(.*)`$")


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Raise ``ValidationException`` naming the field where a JSON body is not what its route says, type by type."""
    field = request.route_handler.parsed_fn_signature.parameters.get("data")
    if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
        return
    if field.kwarg_definition.media_type != RequestEncodingType.JSON or not await request.body():
        return
    try:
        msgspec.convert(await request.json(), field.annotation, strict=True)
    except SerializationException:
        return  # it is no JSON at all, and is told so where it is read
    except msgspec.ValidationError as error:
        message = _PLACE.sub("", str(error))
        found = _PLACE.search(str(error))
        wrong = {"message": message, "key": (found and found[1]) or "body", "source": "body"}
        raise ValidationException(detail="The body is not what this call takes.", extra=[wrong]) from None
