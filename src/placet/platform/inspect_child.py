"""Imports a module's application and reads its operations and entities. Run as a script, in a process of its own.

Reads its orders as JSON from standard input and writes one JSON object to the descriptor given as its argument:
`{"operations": [...], "entities": [...]}` or `{"failure": {...}}`. What the module prints goes elsewhere.
"""

import contextlib
import importlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from placet.platform.failures import describe_failure
from placet.platform.problems import ModuleProblem
from placet.platform.routes import operations
from placet.platform.schema import declared_entities, read_schema_file


def inspect(orders: dict[str, Any]) -> dict[str, Any]:
    """Return what the module in `orders["directory"]` is made of, or the failure that prevents it."""
    directory = Path(orders["directory"])
    try:
        script = read_schema_file(directory)
        entities = () if script is None else declared_entities(script)
    except ModuleProblem as problem:
        place = {"file": problem.file, "line": problem.line, "position": problem.position}
        return {"failure": {"code": problem.code.value, "detail": problem.detail, **place}}
    add_paths(directory, orders["site"])
    found = load(orders["entrypoint"], directory)
    if "failure" in found:
        return found
    try:
        names = operations(found["application"])
    except Exception as error:  # noqa: BLE001 - a route table is module code too
        return {"failure": {"code": "import_failed", **describe_failure(error, directory)}}
    return {"operations": names, "entities": [{"kind": item.kind, "name": item.name} for item in entities]}


def add_paths(directory: Path, site: str | None) -> None:
    """Let the module's own packages be found first, then its requirements, then the server's."""
    sys.path[:0] = [str(directory), *([site] if site else [])]


def load(entrypoint: str, directory: Path) -> dict[str, Any]:
    """Import `package.module:attribute`: `{"application": ...}`, or `{"failure": ...}` saying what went wrong."""
    module_name, _, attribute = entrypoint.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name is not None and f"{module_name}.".startswith(f"{error.name}.")
        code = "entrypoint_missing" if missing else "import_failed"
        return {"failure": {"code": code, **describe_failure(error, directory)}}
    except BaseException as error:  # noqa: BLE001 - a module may call sys.exit while it is imported
        return {"failure": {"code": "import_failed", **describe_failure(error, directory)}}
    for part in attribute.split("."):
        if not hasattr(target, part):
            return {"failure": {"code": "entrypoint_missing", "message": f"{module_name} has no '{attribute}'"}}
        target = getattr(target, part)
    if not callable(target):
        message = f"'{attribute}' in {module_name} is {type(target).__name__}, not an ASGI application"
        return {"failure": {"code": "entrypoint_missing", "message": message}}
    return {"application": target}


def limit(memory_bytes: int) -> None:
    """Bound the memory of this process and leave no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # a lower hard limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def main() -> None:
    """Do what standard input orders and end at once, whatever threads the module has started."""
    orders = json.load(sys.stdin)
    descriptor = int(sys.argv[-1])
    os.set_inheritable(descriptor, False)
    sys.argv[:] = [orders["entrypoint"]]
    limit(orders["memory_bytes"])
    answer = json.dumps(inspect(orders)).encode()
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(descriptor, "wb") as result:
        result.write(answer)
    os._exit(0)


if __name__ == "__main__":
    main()
