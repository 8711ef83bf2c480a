"""Imports a module's application and reads its operations and entities. Run as a script, in a process of its own.

Reads `Orders` as JSON from standard input and writes an `Answer` as JSON to the descriptor given as its argument.
What the module prints goes elsewhere.
"""

import contextlib
import os
import resource
import sys
from pathlib import Path

import msgspec

from placet.platform.failures import Failure
from placet.platform.loading import add_paths, load
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.routes import operations
from placet.platform.schema import declared_entities
from placet.platform.schema_files import Entity, read_schema_file


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What to inspect: absolute paths, the memory the process may use, in bytes, and whether the schema is SQLite's."""

    directory: str
    entrypoint: str
    site: str | None
    memory_bytes: int
    entities: bool = True


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, or the failure that prevented it."""

    operations: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    failure: Failure | None = None


def inspect(orders: Orders) -> Answer:
    """Return what the module is made of. Imports its code: for a process of its own only."""
    directory = Path(orders.directory)
    try:
        script = read_schema_file(directory)
        entities = () if script is None or not orders.entities else declared_entities(script)
    except ModuleProblem as problem:
        place = {"file": problem.file, "line": problem.line, "position": problem.position}
        return Answer(failure=msgspec.convert({"code": problem.code, "message": problem.detail, **place}, Failure))
    add_paths(directory, orders.site)
    application = load(orders.entrypoint, directory, site=orders.site)
    if isinstance(application, Failure):
        return Answer(failure=application)
    try:
        return Answer(operations=tuple(operations(application)), entities=entities)
    except Exception as error:  # noqa: BLE001 - a route table is module code too
        return Answer(failure=Failure.of(ProblemCode.IMPORT_FAILED, error, directory))


def limit(memory_bytes: int) -> None:
    """Bound the memory of this process and leave no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # a lower hard limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def main() -> None:
    """Do what standard input orders and end at once, whatever threads the module has started."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    descriptor = int(sys.argv[-1])
    os.set_inheritable(descriptor, False)
    sys.argv[:] = [orders.entrypoint]
    limit(orders.memory_bytes)
    answer = msgspec.json.encode(inspect(orders))
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(descriptor, "wb") as result:
        result.write(answer)
    os._exit(0)


if __name__ == "__main__":
    main()
