"""What the processes that run test queries share: their orders, their bounds, and values as JSON."""

import base64
import contextlib
import json
import math
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

MAX_VALUE_BYTES = 4 * 1024 * 1024
MAX_SQL_BYTES = 100 * 1024


def main(run: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do what standard input orders, within the memory and the file sizes it allows."""
    orders = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bounds = ((resource.RLIMIT_AS, "memory_bytes"), (resource.RLIMIT_FSIZE, "file_bytes"))
    for bound, name in bounds:
        with contextlib.suppress(ValueError):  # a lower hard limit is in force already
            resource.setrlimit(bound, (orders[name], orders[name]))
    tell(run(orders))


def tell(line: dict[str, Any]) -> None:
    """Write one line of JSON to whoever ordered this. The last one is the answer."""
    with os.fdopen(int(sys.argv[-1]), "wb", closefd=False) as result:
        result.write(json.dumps(line).encode() + b"\n")


def as_json(value: Any) -> Any:
    """Answer a value in the form it has in an answer."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"real": str(value)}
    return value


def from_base64(value: dict[str, str]) -> bytes:
    """Answer the bytes of a parameter."""
    return base64.b64decode(value["base64"])
