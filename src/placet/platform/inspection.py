"""Finds out what a module is made of, without importing its code into the server's process."""

import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import msgspec

from placet.platform import inspect_child
from placet.platform.inspect_child import Answer, Orders
from placet.platform.manifest import DATABASES, Manifest
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Finished, bare_environment, run_bounded
from placet.platform.schema_files import Entity
from placet.platform.units import DEFAULT_WEIGHTS, UnitCount, Weights, count, find_screens

MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
MAX_RESULT_BYTES = 4 * 1024 * 1024


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The operations of a module's application (`GET /orders`) and the entities of its schema."""

    operations: tuple[str, ...]
    entities: tuple[Entity, ...]


def inspect_module(
    directory: Path,
    manifest: Manifest,
    *,
    python: str = sys.executable,
    timeout_seconds: float = 30,
    site: Path | None = None,
    memory_bytes: int = MAX_MEMORY_BYTES,
) -> Inspection:
    """Import the module in a process of its own and return its operations and entities.

    `site` is the directory its requirements were installed into. Raises `ModuleProblem`: import_failed and
    entrypoint_missing with file and line in the module and the last lines of the traceback, schema_invalid.
    """
    root = directory.resolve()
    orders = Orders(
        directory=str(root),
        entrypoint=manifest.entrypoint,
        site=None if site is None else str(site.resolve()),
        memory_bytes=memory_bytes,
        entities=manifest.database == DATABASES[0],
    )
    with tempfile.TemporaryDirectory(prefix="placet-inspect-", ignore_cleanup_errors=True) as home:
        finished = run_bounded(
            [python, "-I", "-B", str(Path(inspect_child.__file__))],
            directory=root,
            environment=bare_environment(Path(home), {"PLACET_MODULE": manifest.name}),
            timeout_seconds=timeout_seconds,
            given=msgspec.json.encode(orders),
            max_result_bytes=MAX_RESULT_BYTES,
        )
    answer = _read(finished, timeout_seconds, manifest)
    if answer.failure is not None:
        raise answer.failure.as_problem(manifest.entrypoint, step="inspect", output=finished.output)
    return Inspection(operations=answer.operations, entities=answer.entities)


def count_units(
    directory: Path, manifest: Manifest, inspection: Inspection, weights: Weights = DEFAULT_WEIGHTS
) -> UnitCount:
    """Count the Software Units of an unpacked and inspected module."""
    return count(
        screens=find_screens(directory),
        entities=inspection.entities,
        operations=inspection.operations,
        timers=manifest.timers,
        weights=weights,
    )


def _read(finished: Finished, timeout_seconds: float, manifest: Manifest) -> Answer:
    if finished.timed_out:
        detail = f"Importing {manifest.entrypoint} took longer than {timeout_seconds:g} seconds and was stopped."
        _fail(f"{detail} Do lasting work when the application starts, not when it is imported.", finished.output)
    if finished.overflowed:
        _fail(f"What {manifest.entrypoint} declares is larger than {MAX_RESULT_BYTES:,} bytes.", finished.output)
    try:
        return msgspec.json.decode(finished.result, type=Answer)
    except msgspec.DecodeError:
        how = f"signal {-finished.returncode}" if finished.returncode < 0 else f"status {finished.returncode}"
        detail = f"Importing {manifest.entrypoint} ended the process with {how} before it was done."
        _fail(f"{detail} The last lines of its output say more.", finished.output)


def _fail(detail: str, output: str) -> NoReturn:
    raise ModuleProblem(ProblemCode.IMPORT_FAILED, detail, step="inspect", output=output or None)
