"""Files that are whole or not there: written beside their place, flushed to the disk, then renamed into it."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from placet.license.diagnosis import DocumentRejected
from placet.license.jws import SIZE_CAP, read_envelope
from placet.vendor.failures import Failed, Refused

PRIVATE = 0o600
PUBLIC = 0o644


@contextmanager
def reserve(path: Path, *, mode: int, replace: bool) -> Iterator[Callable[[bytes], None]]:
    """Make sure that ``path`` can be written, before anything depends on it; answers the function that writes it.

    ``mode`` holds whatever the umask. Raises :class:`Refused` where something is at ``path`` already and may not be
    replaced, and ``OSError``. Nothing is left behind where the function is not called.
    """
    place = Path(os.path.realpath(path))
    _check_place(path, place, replace=replace)
    temporary = place.with_name(f".placet-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)

    def write(data: bytes) -> None:
        os.fchmod(descriptor, mode)
        write_all(descriptor, data)
        os.fsync(descriptor)
        _move(temporary, path, place, replace=replace)
        flush_directory(place.parent)

    try:
        yield write
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def is_signed_file(path: Path) -> bool:
    """Whether ``path`` is a signed document of Placet's, which a newer one may replace."""
    try:
        read_envelope(read_capped(path, SIZE_CAP))
    except (OSError, Failed, DocumentRejected):
        return False
    return True


def write_whole(path: Path, data: bytes, *, mode: int, replace: bool = True) -> None:
    """Write ``path`` at once and whole, with ``mode`` whatever the umask; raises like :func:`reserve`."""
    with reserve(path, mode=mode, replace=replace) as write:
        write(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of ``data``; raises ``OSError``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_capped(path: Path, cap: int) -> bytes:
    """Read a file of at most ``cap`` bytes; raises :class:`Failed` when it is larger, and ``OSError``."""
    with path.open("rb") as file:
        data = file.read(cap + 1)
    if len(data) > cap:
        raise Failed(f"{path} has more than {cap:,} bytes; it cannot be what its name says.")
    return data


def flush_directory(directory: Path) -> None:
    """Have the names in ``directory`` survive a power cut; raises ``OSError``."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_place(path: Path, place: Path, *, replace: bool) -> None:
    if not place.exists():
        return
    if not place.is_file():
        raise Refused(f"{path} is not an ordinary file, and was not replaced. Choose another name.")
    if not replace:
        raise _existing(path)


def _existing(path: Path) -> Refused:
    return Refused(f"{path} exists already, and was not overwritten. Choose another name, or replace it with --force.")


def _move(temporary: Path, path: Path, place: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(place)
        return
    try:
        place.hardlink_to(temporary)  # unlike a rename, it never takes the place of another file
    except FileExistsError:
        raise _existing(path) from None
    except OSError:  # a file system without hard links
        _check_place(path, place, replace=False)
        temporary.replace(place)
