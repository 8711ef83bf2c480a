"""What a server has on its machine: files below its data directory, and processes that have to do with it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def processes_of(data: Path) -> list[str]:
    """The command lines of all processes that work in a data directory, or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            place = str((process / "cwd").readlink()).encode()
        except OSError:  # it has ended, or is somebody else's
            continue
        if str(data).encode() in told + place:
            found.append(told.split(b"\0\0")[0].replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def tables_of(data: Path, module: str) -> set[str]:
    """The tables of a module's database."""
    path = data / "databases" / f"{module}.sqlite3"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def rows_of(data: Path, module: str, table: str) -> list[int]:
    """The rows of a table with one column, as they were put in."""
    with closing(sqlite3.connect(data / "databases" / f"{module}.sqlite3")) as connection:
        return [value for (value,) in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]  # noqa: S608


def append(data: Path, module: str, table: str, value: int) -> None:
    """Put a row into a module's database, as the module itself might."""
    with closing(sqlite3.connect(data / "databases" / f"{module}.sqlite3")) as connection, connection:
        connection.execute(f"INSERT INTO {table} VALUES (?)", (value,))  # noqa: S608


def leftovers(data: Path) -> list[str]:
    """What nothing below these directories may outlive."""
    return [str(path) for name in ("staging", "journals", "runs") for path in (data / name).iterdir()]


def versions_of(data: Path) -> dict[str, int]:
    """How many versions of each module have files."""
    return {path.name: len(list(path.iterdir())) for path in (data / "versions").iterdir()}
