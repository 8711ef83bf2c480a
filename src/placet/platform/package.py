"""Unpacks the zip in which a module travels. The bytes come from anybody, so every step is bounded.

1. The archive: at most 64 MiB and 10,000 entries, judged before the directory of the zip is read.
2. Each name: relative, inside the target, at most 512 characters, unique even where case does not count.
3. Each entry: a plain file or directory, not encrypted, stored or deflated.
4. The content: at most 256 MiB, and at most 200 times the archive, counted while it is written. What the headers
   say of sizes is not believed.
What was written is removed again when any step fails.
"""

import hashlib
import shutil
import stat
import unicodedata
import zipfile
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, NoReturn

import msgspec

from placet.platform.manifest import MANIFEST_FILE, Manifest, read_manifest
from placet.platform.packing import pack
from placet.platform.problems import ModuleProblem, ProblemCode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Manifest", "Package", "PackageLimits", "pack", "unpack"]

_CENTRAL_RECORD = b"PK\x01\x02"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 64 * 1024
_MAX_PART_BYTES = 255
_LEFT_OUT = ("__MACOSX/",)


class PackageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a package may be: bytes, files, characters of a path, and growth on unpacking.

    `ratio` applies once `ratio_from_bytes` are unpacked, because small files may well compress better than that.
    """

    archive_bytes: int = 64 * 1024 * 1024
    unpacked_bytes: int = 256 * 1024 * 1024
    entries: int = 10_000
    path_characters: int = 512
    ratio: int = 200
    ratio_from_bytes: int = 16 * 1024 * 1024


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """An unpacked module. `size` is in bytes unpacked; `digest` is the SHA-256 of the archive, in hexadecimal."""

    manifest: Manifest
    directory: "Path"
    files: int
    size: int
    digest: str


DEFAULT_LIMITS = PackageLimits()


def unpack(archive: bytes, into: "Path", *, limits: PackageLimits = DEFAULT_LIMITS) -> Package:
    """Unpack a module's zip into the directory `into`, which must be empty or not there yet, and read its manifest.

    A single folder around everything is taken off. Raises `ModuleProblem` (package_unreadable, package_too_large,
    package_unsafe_path, manifest_missing, manifest_invalid) and leaves nothing behind then.
    """
    _check_archive(archive, limits)
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise FileExistsError(f"{into} is not empty")
    try:
        files, size = _extract_all(archive, into, limits)
        manifest = read_manifest(into)
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    digest = hashlib.sha256(archive).hexdigest()
    return Package(manifest=manifest, directory=into, files=files, size=size, digest=digest)


def _check_archive(archive: bytes, limits: PackageLimits) -> None:
    if len(archive) > limits.archive_bytes:
        _too_large(f"The package has {len(archive):,} bytes; {limits.archive_bytes:,} are allowed.")
    # zipfile reads the whole directory into memory, whatever it announces: so count its records first.
    # Twice the limit, because a module may carry zips (wheels) whose own records are seen here too.
    if archive.count(_CENTRAL_RECORD) > 2 * limits.entries:
        _too_large(f"The package has more than the {limits.entries:,} entries allowed.")


def _extract_all(archive: bytes, into: "Path", limits: PackageLimits) -> tuple[int, int]:
    try:
        with zipfile.ZipFile(BytesIO(archive)) as opened:
            targets = _targets(opened.infolist(), limits)
            return _write_all(opened, targets, into, len(archive), limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise ModuleProblem(
            ProblemCode.PACKAGE_UNREADABLE,
            f"The package is not a zip archive that can be read ({error}). Pack the module again and send it whole.",
            step="unpack",
        ) from error


def _targets(entries: list[zipfile.ZipInfo], limits: PackageLimits) -> dict[str, zipfile.ZipInfo]:
    """Return the checked entries by their path in the module, without a folder around everything."""
    if len(entries) > limits.entries:
        _too_large(f"The package has {len(entries):,} entries; {limits.entries:,} are allowed.")
    wanted = [entry for entry in entries if not entry.filename.startswith(_LEFT_OUT)]
    for entry in wanted:
        _check_name(entry, limits)
        _check_kind(entry)
    _check_collisions(wanted)
    outer = _folder_around(wanted)
    return {entry.filename.removeprefix(outer): entry for entry in wanted if entry.filename != outer}


def _folder_around(entries: list[zipfile.ZipInfo]) -> str:
    names = {entry.filename for entry in entries}
    tops = {name.partition("/")[0] for name in names}
    if MANIFEST_FILE in names or len(tops) != 1:
        return ""
    top = f"{tops.pop()}/"
    return top if f"{top}{MANIFEST_FILE}" in names else ""


def _check_name(entry: zipfile.ZipInfo, limits: PackageLimits) -> None:
    name = entry.orig_filename
    if len(name) > limits.path_characters:
        _unsafe(name, f"is longer than the {limits.path_characters} characters allowed")
    if "\\" in name:
        _unsafe(name, "has a backslash; paths in a package are separated by /")
    if name.startswith("/") or name[1:2] == ":":
        _unsafe(name, "is absolute; paths in a package are relative to the module")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        _unsafe(name, "has a control character")
    parts = name.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        _unsafe(name, "leaves its directory or has an empty part ('..', '.', '//')")
    if any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
        _unsafe(name, f"has a part of more than the {_MAX_PART_BYTES} bytes a file name may have")


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        _unsafe(entry.filename, f"is {what}; only files and directories are unpacked")
    if entry.flag_bits & _ENCRYPTED:
        _unreadable(f"{_shown(entry.filename)} is encrypted. Pack the module without a password.")
    if entry.compress_type not in _METHODS:
        _unreadable(f"{_shown(entry.filename)} uses compression method {entry.compress_type}. Use deflate.")


def _check_collisions(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse two entries for one path, a file where another needs a directory, and names equal but for case."""
    spelled: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for entry in entries:
        parts = entry.filename.removesuffix("/").split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            key = unicodedata.normalize("NFC", path).casefold()
            if spelled.setdefault(key, path) != path:
                _unsafe(path, f"and '{_shown(spelled[key])}' differ only by case; they are one file on some systems")
            is_directory = depth < len(parts) or entry.is_dir()
            seen = kinds.get(path)
            if seen is not None and not (seen == "directory" and is_directory):
                _unsafe(path, "is in the package more than once")
            kinds[path] = "directory" if is_directory else "file"


def _write_all(
    opened: zipfile.ZipFile, targets: dict[str, zipfile.ZipInfo], into: "Path", packed: int, limits: PackageLimits
) -> tuple[int, int]:
    files = size = 0
    for path, entry in targets.items():
        target = into / path
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(entry) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                _check_growth(size, packed, limits)
                sink.write(chunk)
        files += 1
    return files, size


def _check_growth(size: int, packed: int, limits: PackageLimits) -> None:
    if size > limits.unpacked_bytes:
        _too_large(f"The package unpacks to more than the {limits.unpacked_bytes:,} bytes allowed.")
    if size > limits.ratio_from_bytes and size > packed * limits.ratio:
        _too_large(f"The package of {packed:,} bytes unpacks to more than {limits.ratio} times its size.")


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 120 else name[:117] + "...")[1:-1]


def _unsafe(name: str, why: str) -> NoReturn:
    detail = f"The path '{_shown(name)}' in the package {why}. Rename or remove it and pack the module again."
    raise ModuleProblem(ProblemCode.PACKAGE_UNSAFE_PATH, detail, step="unpack", file=_shown(name))


def _too_large(detail: str) -> NoReturn:
    advice = "Leave out what the module does not need."
    raise ModuleProblem(ProblemCode.PACKAGE_TOO_LARGE, f"{detail} {advice}", step="unpack")


def _unreadable(detail: str) -> NoReturn:
    raise ModuleProblem(ProblemCode.PACKAGE_UNREADABLE, detail, step="unpack")
