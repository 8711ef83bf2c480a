"""Where a Platform Server keeps its files, and how it makes sure that it is the only one to do so."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec


class DataDirectoryInUse(Exception):
    """Another server runs on this data directory."""


class Layout(msgspec.Struct, frozen=True):
    """The directories below a server's data directory. Readable by the server's own account alone."""

    data: Path

    @property
    def database(self) -> Path:
        """The facts, where no database URL says otherwise."""
        return self.data / "placet.sqlite3"

    @property
    def staging(self) -> Path:
        """Where archives are unpacked and built; nothing here outlives a restart."""
        return self.data / "staging"

    @property
    def journals(self) -> Path:
        """One file for each publish between its first change outside the staging area and its end."""
        return self.data / "journals"

    @property
    def versions(self) -> Path:
        """The published versions: ``<module>/<version id>/{module,site}``."""
        return self.data / "versions"

    @property
    def databases(self) -> Path:
        """The modules' databases."""
        return self.data / "databases"

    @property
    def deleted(self) -> Path:
        """The databases of deleted modules, kept for whoever deleted one by mistake."""
        return self.data / "deleted"

    @property
    def runs(self) -> Path:
        """The private instances; nothing here outlives a restart."""
        return self.data / "runs"

    @property
    def cache(self) -> Path:
        """Packages that modules have asked for; it may be removed at any time."""
        return self.data / "cache"

    @property
    def logs(self) -> Path:
        """What modules print."""
        return self.data / "logs"

    def make(self) -> None:
        """Make what is missing."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (
            self.staging,
            self.journals,
            self.versions,
            self.databases,
            self.deleted,
            self.runs,
            self.logs,
        ):
            directory.mkdir(mode=0o700, exist_ok=True)

    def module_database(self, module: str) -> Path:
        """The SQLite database of a module."""
        return self.databases / f"{module}.sqlite3"

    def version(self, module: str, version_id: str) -> Path:
        """The directory of a published version."""
        return self.versions / module / version_id

    def log(self, module: str) -> Path:
        """What a published module prints."""
        return self.logs / f"{module}.log"

    def remove_logs(self, module: str) -> None:
        """Remove what a module has printed."""
        for path in (self.log(module), self.logs / f"{module}.log.1"):
            path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the data directory for one server; raises :class:`DataDirectoryInUse`."""
        with (self.data / "server.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataDirectoryInUse(
                    f"A server is running on {self.data} already. Stop it, or name another directory with --data."
                ) from None
            yield

    def is_held(self) -> bool:
        """Tell whether a server runs on the data directory."""
        with (self.data / "server.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False


def write_durably(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file so that it is there, whole, even if the machine stops the next moment."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on disk (fsync(2)). A link is not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Wait until a directory is on disk with all files and directories below it, and its name in the one above."""
    for parent, _, names in os.walk(directory, topdown=False):
        for path in (Path(parent, name) for name in names):
            if path.is_file() and not path.is_symlink():
                sync(path)
        sync(Path(parent))
    sync(directory.parent)


def remove_tree(path: Path) -> None:
    """Remove a directory and everything below it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def remove_empty(path: Path) -> None:
    """Remove a directory if it is there and nothing is in it."""
    with suppress(OSError):
        path.rmdir()
