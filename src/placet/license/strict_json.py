"""JSON as a signed document needs it: one meaning for every byte sequence.

RFC 8259 leaves open what two members of one name mean, what a number beyond all floats is, and what half a
surrogate pair is; and Python accepts ``NaN``. Each lets two readers of one signed document see two things, so all
are refused here.
"""

import json
import math
from collections import Counter
from typing import Any, NoReturn

import msgspec

from placet.license.diagnosis import Diagnosis, rejected

_READER, _WRITER = msgspec.json.Decoder(), msgspec.json.Encoder()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise rejected(
            Diagnosis.DUPLICATE_MEMBER,
            f"Not a license: the JSON member {twice[:40]!r} occurs twice, so the file has two meanings. "
            "Ask for the file to be issued anew.",
        )
    return members


def _constant(name: str) -> NoReturn:
    raise rejected(Diagnosis.NOT_JSON, f"Not a license: {name} is not a number of JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def loads(text: str) -> Any:
    """Read JSON ``text`` (RFC 8259, duplicate members refused).

    Raises :class:`DocumentRejected` with ``truncated``, ``duplicate_member``, ``not_json`` or ``absurd_value``.

    What is read quickly and, written again, is the same text has that one meaning: a member that occurs twice would
    be missing, and what is no JSON could not be written. All else, good or not, is read slowly.
    """
    try:
        value = _READER.decode(text)
        if _WRITER.encode(value) == text.encode():
            return value
    except (msgspec.MsgspecError, RecursionError, ArithmeticError, ValueError):
        pass
    return _loads(text)


def _loads(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_constant, parse_float=_finite)
        if "\\u" in text:  # the one way half a surrogate pair gets into text that came as UTF-8
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        unfinished = error.pos >= len(text) or error.msg.startswith("Unterminated string")
        if unfinished and text.startswith("{"):
            raise rejected(
                Diagnosis.TRUNCATED,
                f"Not a whole license: the file ends after {len(text):,} characters, in the middle of the document. "
                "Get it again, as an attachment rather than as pasted text.",
            ) from None
        raise rejected(
            Diagnosis.NOT_JSON,
            f"Not a license: the file is not JSON (line {error.lineno}, column {error.colno}). "
            "Check that this is the file the vendor sent.",
        ) from None
    except RecursionError:
        raise rejected(Diagnosis.NOT_JSON, "Not a license: the JSON is nested too deeply.") from None
    except UnicodeEncodeError:
        raise rejected(Diagnosis.NOT_JSON, "Not a license: it holds half a character (RFC 8259 section 8.2).") from None
    except ValueError:  # what Python says to a number of thousands of digits
        raise rejected(Diagnosis.ABSURD_VALUE, "Not a license: it holds a number of absurd length.") from None
    return value
