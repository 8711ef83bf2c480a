"""The log of a worker: what its process prints, appended to a file that cannot grow past a bound."""

import threading
from pathlib import Path
from typing import BinaryIO

MAX_LOG_BYTES = 5 * 1024 * 1024
_CHUNK = 64 * 1024
_TAIL_BYTES = 256 * 1024
_RECENT_BYTES = 8 * 1024


def append(path: Path, chunk: bytes, *, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Append to a log; once it is past `max_bytes` it becomes `<name>.1`, in place of an earlier one."""
    with path.open("ab") as file:
        file.write(chunk)
        size = file.tell()
    if size > max_bytes:
        path.replace(path.with_name(f"{path.name}.1"))


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


class LogPump(threading.Thread):
    """Moves what a process prints into its log, until the process and all it started have closed the pipe."""

    def __init__(self, source: BinaryIO, path: Path) -> None:
        super().__init__(name=f"log {path.name}", daemon=True)
        self._source = source
        self._path = path
        self._recent = bytearray()

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
                try:
                    append(self._path, chunk)
                except OSError:
                    continue
