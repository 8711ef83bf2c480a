"""Imports module code by reference, in a child process."""

import importlib
import sys
from pathlib import Path
from typing import Any

from placet.platform.failures import Failure
from placet.platform.problems import ProblemCode


def add_paths(directory: Path, site: str | None) -> None:
    """Let the module's own packages be found first, then its requirements, then the server's."""
    sys.path[:0] = [str(directory), *([site] if site else [])]


def load(reference: str, directory: Path, *, site: str | None = None, expected: str = "an ASGI application") -> Any:
    """Import `package.module:attribute` and return the attribute, or a `Failure` that says what went wrong.

    The package has to be the module's own, or come from its requirements in `site`.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
        if not _is_inside(target, [directory, *([Path(site)] if site else [])]):
            return _missing(f"'{module_name}' is no part of the module; name a package of its own or its requirements")
        for part in attribute.split("."):
            if not hasattr(target, part):
                return _missing(f"{module_name} has no '{attribute}'")
            target = getattr(target, part)
    except ModuleNotFoundError as error:
        missing = error.name is not None and f"{module_name}.".startswith(f"{error.name}.")
        code = ProblemCode.ENTRYPOINT_MISSING if missing else ProblemCode.IMPORT_FAILED
        return Failure.of(code, error, directory)
    except BaseException as error:  # noqa: BLE001 - a module may call sys.exit while it is imported
        return Failure.of(ProblemCode.IMPORT_FAILED, error, directory)
    if not callable(target):
        return _missing(f"'{attribute}' in {module_name} is {type(target).__name__}, not {expected}")
    return target


def _is_inside(package: Any, roots: list[Path]) -> bool:
    places = [getattr(package, "__file__", None) or "", *getattr(package, "__path__", [])]
    return any(Path(place).resolve().is_relative_to(root) for place in places if place for root in roots)


def _missing(message: str) -> Failure:
    return Failure(code=ProblemCode.ENTRYPOINT_MISSING, message=message)
