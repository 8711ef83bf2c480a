"""A module's manifest, `module.toml`: its name, version, entry point, timers and limits."""

import difflib
import re
import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from placet.platform.durations import parse_duration
from placet.platform.limits import LEAST_FILES, MOST_FILES, AskedLimits, parse_memory
from placet.platform.problems import ModuleProblem, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST_FILE = "module.toml"
MAX_MANIFEST_BYTES = 64 * 1024
MAX_TIMERS = 1000
DATABASES = ("sqlite", "postgresql")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VERSION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.+!_-]{0,62}[0-9A-Za-z])?")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_MAX_REFERENCE = 255
_TOML_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[timer]]`: `call` (`package.module:function`) is due once `every` period."""

    name: str
    every: timedelta
    call: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `module.toml` says. `entrypoint` is `package.module:attribute`, an ASGI application.

    `database` is the kind that the module keeps its data in.
    """

    name: str
    version: str
    entrypoint: str
    timers: tuple[Timer, ...] = ()
    limits: AskedLimits = AskedLimits()
    database: str = DATABASES[0]


def read_manifest(directory: "Path") -> Manifest:
    """Read `module.toml` in a module's directory. Raises `ModuleProblem` (manifest_missing, manifest_invalid)."""
    try:
        with (directory / MANIFEST_FILE).open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ModuleProblem(
            ProblemCode.MANIFEST_MISSING,
            f"There is no {MANIFEST_FILE} in the module. Add one with [module] name, version and entrypoint.",
            file=MANIFEST_FILE,
        ) from None
    except OSError as error:
        _refuse(f"{MANIFEST_FILE} cannot be read ({error.strerror}).")
    return parse_manifest(data)


def parse_manifest(data: bytes) -> Manifest:
    """Read the bytes of a `module.toml`, at most 64 KiB. Raises `ModuleProblem` (manifest_invalid)."""
    if len(data) > MAX_MANIFEST_BYTES:
        _refuse(f"{MANIFEST_FILE} is larger than the {MAX_MANIFEST_BYTES // 1024} KiB allowed. Make it shorter.")
    document = _parse_toml(data)
    _refuse_unknown_keys(document, known=("module", "timer", "limits"), where="at the top level")
    module = _table(document.get("module"), where="[module]")
    _refuse_unknown_keys(module, known=("name", "version", "entrypoint", "database"), where="in [module]")
    return Manifest(
        name=_matching(module, "name", _NAME, "[module]", "a lower-case letter, then at most 62 of a-z 0-9 _ -"),
        version=_matching(module, "version", _VERSION, "[module]", "at most 64 of letters, digits and . + - _ !"),
        entrypoint=_reference(module, "entrypoint", "[module]", "orders.app:app"),
        timers=_timers(document.get("timer", [])),
        limits=_limits(document.get("limits", {})),
        database=_database(module),
    )


def _database(module: "Mapping[str, Any]") -> str:
    if "database" not in module:
        return DATABASES[0]
    value = _text(module, "database", "[module]")
    if value not in DATABASES:
        _refuse(f"{MANIFEST_FILE}: 'database' in [module] is {_shown(value)}; it must be {' or '.join(DATABASES)}.")
    return value


def _parse_toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(f"{MANIFEST_FILE} is not UTF-8 text (line {line}). Save it as UTF-8.", line=line)
    except RecursionError:
        _refuse(f"{MANIFEST_FILE} is nested too deeply to be read.")
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        _refuse(
            f"{MANIFEST_FILE} is not valid TOML: {error}.",
            line=int(place[1]) if place else None,
            position=int(place[2]) if place else None,
        )


def _timers(value: object) -> tuple[Timer, ...]:
    if not isinstance(value, list):
        _refuse(f"{MANIFEST_FILE}: timer must be a list of tables. Write [[timer]] with two brackets.")
    if len(value) > MAX_TIMERS:
        _refuse(f"{MANIFEST_FILE} has {len(value)} timers; {MAX_TIMERS} are allowed.")
    timers = tuple(_timer(_table(entry, where="[[timer]]")) for entry in value)
    names = [timer.name for timer in timers]
    for name in names:
        if names.count(name) > 1:
            _refuse(f"{MANIFEST_FILE}: {names.count(name)} timers are named '{name}'. Give each a name of its own.")
    return timers


def _timer(table: "Mapping[str, Any]") -> Timer:
    _refuse_unknown_keys(table, known=("name", "every", "call"), where="in [[timer]]")
    try:
        every = parse_duration(_text(table, "every", "[[timer]]"))
    except ValueError as error:
        _refuse(f"{MANIFEST_FILE}: 'every' in [[timer]]: {error}.")
    return Timer(
        name=_matching(table, "name", _NAME, "[[timer]]", "a lower-case letter, then at most 62 of a-z 0-9 _ -"),
        every=every,
        call=_reference(table, "call", "[[timer]]", "orders.jobs:tidy"),
    )


def _limits(value: object) -> AskedLimits:
    table = _table(value, where="[limits]")
    _refuse_unknown_keys(table, known=("memory", "files"), where="in [limits]")
    memory, files = None, table.get("files")
    if "memory" in table:
        try:
            memory = parse_memory(_text(table, "memory", "[limits]"))
        except ValueError as error:
            _refuse(f"{MANIFEST_FILE}: 'memory' in [limits]: {error}.")
    if files is not None and (type(files) is not int or not LEAST_FILES <= files <= MOST_FILES):
        rule = f"a whole number from {LEAST_FILES} to {MOST_FILES:,}"
        _refuse(f"{MANIFEST_FILE}: 'files' in [limits] is {_shown(repr(files))}; it must be {rule}.")
    return AskedLimits(memory=memory, open_files=files)


def _table(value: object, *, where: str) -> "Mapping[str, Any]":
    if value is None:
        _refuse(f"{MANIFEST_FILE} has no {where}. It needs one with name, version and entrypoint.")
    if not isinstance(value, dict):
        _refuse(f"{MANIFEST_FILE}: {where} must be a table.")
    return value


def _text(table: "Mapping[str, Any]", key: str, where: str) -> str:
    value = table.get(key)
    if value is None:
        _refuse(f"{MANIFEST_FILE}: {where} has no '{key}'. Add it.")
    if not isinstance(value, str):
        _refuse(f"{MANIFEST_FILE}: '{key}' in {where} must be text in quotes, not {type(value).__name__}.")
    return value


def _matching(table: "Mapping[str, Any]", key: str, form: re.Pattern[str], where: str, rule: str) -> str:
    value = _text(table, key, where)
    if form.fullmatch(value) is None:
        _refuse(f"{MANIFEST_FILE}: '{key}' in {where} is {_shown(value)}; it must be {rule}.")
    return value


def _reference(table: "Mapping[str, Any]", key: str, where: str, example: str) -> str:
    value = _text(table, key, where)
    if len(value) > _MAX_REFERENCE or _REFERENCE.fullmatch(value) is None:
        rule = f"of the form package.module:name, such as {example}, and at most {_MAX_REFERENCE} characters"
        _refuse(f"{MANIFEST_FILE}: '{key}' in {where} is {_shown(value)}; it must be {rule}.")
    return value


def _shown(value: str) -> str:
    return ascii(value if len(value) <= 80 else value[:77] + "...")


def _refuse_unknown_keys(table: "Mapping[str, Any]", *, known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key in known:
            continue
        nearest = difflib.get_close_matches(key[:80], known, n=1)
        hint = f"Did you mean '{nearest[0]}'?" if nearest else f"Known there: {', '.join(known)}."
        _refuse(f"{MANIFEST_FILE}: {_shown(key)} {where} is not known. {hint}")


def _refuse(detail: str, *, line: int | None = None, position: int | None = None) -> NoReturn:
    raise ModuleProblem(
        ProblemCode.MANIFEST_INVALID, detail, step="manifest", file=MANIFEST_FILE, line=line, position=position
    )
