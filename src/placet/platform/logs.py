"""The log of a worker: what its process prints, and what happened to it, in a file that cannot grow past a bound.

Each line begins with its time in UTC: `2026-11-24T13:05:08.120Z text`. Lines of the server's own say `[placet]` next.
"""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

MAX_LOG_BYTES = 5 * 1024 * 1024
_CHUNK = 64 * 1024
_TAIL_BYTES = 256 * 1024
_RECENT_BYTES = 8 * 1024
_LONGEST_LINE = 64 * 1024
# A worker and the one in its place write to the same log: what one moves aside, the other must not move again.
_writing = threading.Lock()


def append(path: Path, chunk: bytes, *, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Append to a log; once it is past `max_bytes` it becomes `<name>.1`, in place of an earlier one."""
    with _writing:
        with path.open("ab") as file:
            file.write(chunk)
            size = file.tell()
        if size > max_bytes:
            path.replace(path.with_name(f"{path.name}.1"))


def note(path: Path, text: str) -> None:
    """Write a line of the server's own. A log that cannot be written goes without it."""
    try:
        append(path, b"%s[placet] %s\n" % (_time(), " ".join(text.split()).encode(errors="replace")))
    except OSError:
        return


def tail(path: Path, lines: int) -> str:
    """Return the last `lines` of a log, of its last 256 KiB; empty when there is none yet."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else ""


class LogReader:
    """Reads a log as it grows, from a place near its end on, over rotations: `read` answers whole new lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def start(self, lines: int) -> list[bytes]:
        """Return the last `lines`, of the last 256 KiB, from both files where the newer one is short."""
        with _writing:
            before = self._end_of(self._path.with_name(f"{self._path.name}.1"))
            self._open()
            now = self._end_of(self._path)
            if self._file is not None:
                self._file.seek(0, 2)
        return [*before, *now][-lines:] if lines > 0 else []

    def read(self) -> list[bytes]:
        """Return the lines written since, at most some 256 KiB; empty when there are none yet."""
        with _writing:  # so that a rotation is seen either not at all, or with all that went before it
            if self._file is None:
                self._open()
            chunk = b"" if self._file is None else self._file.read(_TAIL_BYTES)
            if not chunk and self._is_moved():
                self.close()
                self._open()
                chunk = b"" if self._file is None else self._file.read(_TAIL_BYTES)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line + b"\n" for line in lines]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            self._file = None

    def _is_moved(self) -> bool:
        if self._file is None:
            return False
        opened = os.fstat(self._file.fileno())
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        return (opened.st_dev, opened.st_ino) != (now.st_dev, now.st_ino)

    def _end_of(self, path: Path) -> list[bytes]:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL_BYTES))
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return lines[1:] if size > _TAIL_BYTES else lines


class LogPump(threading.Thread):
    """Moves what a process prints into its log, until the process and all it started have closed the pipe."""

    def __init__(self, source: BinaryIO, path: Path) -> None:
        super().__init__(name=f"log {path.name}", daemon=True)
        self._source = source
        self._path = path
        self._recent = bytearray()
        self._begun = b""

    @property
    def recent(self) -> str:
        """The last 8 KiB this process has printed."""
        return bytes(self._recent).decode(errors="replace")

    def run(self) -> None:
        """Pump until the end. A log that cannot be written does not stop the process: its output is lost."""
        with self._source:
            while chunk := self._source.read1(_CHUNK):  # type: ignore[attr-defined]
                self._recent.extend(chunk)
                del self._recent[:-_RECENT_BYTES]
                self._write(b"".join(self._lines(chunk)))
            if self._begun:
                self._write(_time() + self._begun + b"\n")

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        time = _time()
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        for line in lines:
            yield time + line.rstrip(b"\r") + b"\n"
        while len(self._begun) > _LONGEST_LINE:
            yield time + self._begun[:_LONGEST_LINE] + b"\n"
            self._begun = self._begun[_LONGEST_LINE:]

    def _write(self, lines: bytes) -> None:
        try:
            if lines:
                append(self._path, lines)
        except OSError:
            return


def _time() -> bytes:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z ".encode()
