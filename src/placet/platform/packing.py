"""Packs a module's directory into the zip in which it travels. The same directory gives the same bytes."""

import os
import stat
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from placet.platform.manifest import read_manifest
from placet.platform.problems import ModuleProblem, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILES = 10_000
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
SKIPPED_DIRECTORIES = frozenset(
    (
        *("__pycache__", "node_modules", ".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".eggs"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".idea", ".vscode"),
    )
)
SKIPPED_FILES = frozenset((".DS_Store", ".coverage", ".env", "Thumbs.db"))
SKIPPED_SUFFIXES = (".pyc", ".pyo", ".swp", "~")
_EARLIEST_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16


def pack(directory: Path) -> bytes:
    """Pack a module's directory, without caches, version control and virtual environments.

    Raises `ModuleProblem`: manifest_missing and manifest_invalid before anything is read, package_unsafe_path for a
    link that leaves the directory or leads to another one, package_too_large past the limits of a package.
    """
    root = directory.resolve()
    read_manifest(root)
    files = sorted(_files(root), key=lambda found: found.relative_to(root).as_posix())
    size = sum(path.stat().st_size for path in files)
    if len(files) > MAX_FILES or size > MAX_UNPACKED_BYTES:
        found = f"{len(files):,} files and {size:,} bytes"
        _too_large(f"The module has {found}; {MAX_FILES:,} files and {MAX_UNPACKED_BYTES:,} bytes are allowed")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EARLIEST_DATE)
            entry.external_attr = _MODE
            entry.create_system = 3
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    if buffer.tell() > MAX_ARCHIVE_BYTES:
        _too_large(f"The package has {buffer.tell():,} bytes; {MAX_ARCHIVE_BYTES:,} are allowed")
    return buffer.getvalue()


def _files(root: Path) -> "Iterator[Path]":
    for parent, directories, names in os.walk(root, followlinks=False):
        here = Path(parent)
        directories[:] = [name for name in directories if not _is_skipped_directory(here / name)]
        for name in directories:
            if (here / name).is_symlink():
                _unsafe(here / name, root, "is a link to a directory, and a package carries no links")
        for name in names:
            if name not in SKIPPED_FILES and not name.endswith(SKIPPED_SUFFIXES):
                yield _checked_file(here / name, root)


def _is_skipped_directory(path: Path) -> bool:
    return path.name in SKIPPED_DIRECTORIES or path.name.endswith(".egg-info") or (path / "pyvenv.cfg").is_file()


def _checked_file(path: Path, root: Path) -> Path:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        _unsafe(path, root, "is a link that leaves the module's directory")
    if not path.is_file():
        _unsafe(path, root, "is not a file that can be read")
    return path


def _unsafe(path: Path, root: Path, why: str) -> NoReturn:
    name = str(PurePosixPath(path.relative_to(root)))
    detail = f"'{name}' {why}. Replace it by what it stands for, or remove it."
    raise ModuleProblem(ProblemCode.PACKAGE_UNSAFE_PATH, detail, step="pack", file=name)


def _too_large(detail: str) -> NoReturn:
    advice = "Leave out what the module does not need."
    raise ModuleProblem(ProblemCode.PACKAGE_TOO_LARGE, f"{detail}. {advice}", step="pack")
