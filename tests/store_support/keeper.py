"""Sees to it that no PostgreSQL server outlives the tests, however they end.

As a program it is given the directory of a server. It waits until its standard input ends, which it does with the
process that holds the other end; then it ends what runs on the data in that directory, and removes it.
"""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from os import kill
from pathlib import Path

DATA = "data"
PATIENCE_SECONDS = 5.0


class Keeper:
    """Keeps one directory. ``close`` ends and removes what is in it; so does the end of this process."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def close(self) -> None:
        self._process.communicate(timeout=60)


def processes(directory: Path) -> list[int]:
    """The processes that run on the data in a directory: PostgreSQL's work there, all of them."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # somebody else's, or gone meanwhile
            if process.name.isdigit() and (process / "cwd").readlink() == directory / DATA:
                found.append(int(process.name))
    return found


def end(directory: Path, *signals: signal.Signals) -> None:
    """End the processes of a directory, with one signal after the other, each for those that stay."""
    for number in signals:
        for process in processes(directory):
            with suppress(ProcessLookupError):
                kill(process, number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while processes(directory) and time.monotonic() < deadline:
            time.sleep(0.01)


if __name__ == "__main__":
    sys.stdin.read()
    end(Path(sys.argv[1]), signal.SIGQUIT, signal.SIGKILL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)
