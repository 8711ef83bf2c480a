"""Processes of their own that work on the same database, let go all at once."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent
READY = "ready"


class Child:
    """One process. It runs ``program``, which prints ``ready`` and then waits for a line."""

    def __init__(self, program: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(TESTS), "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def _pipes(self) -> tuple[Any, Any]:
        return self._process.stdin, self._process.stdout

    def wait_until_ready(self) -> None:
        line = self._pipes[1].readline().strip()
        if line != READY:
            raise AssertionError(line + self._process.communicate(timeout=30)[1])

    def go(self, line: str = "go") -> None:
        self._pipes[0].write(line + "\n")
        self._pipes[0].flush()

    def answer(self) -> str:
        """What it prints after it was let go; it has to end well."""
        out, err = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, err
        return out.strip()

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._process.kill()
        self._process.communicate(timeout=30)


@contextmanager
def children(count: int, program: str, *arguments: object) -> Iterator[Sequence[Child]]:
    """``count`` processes that are ready and wait for ``go``; none outlives the test."""
    started = [Child(program, *arguments) for _ in range(count)]
    try:
        for child in started:
            child.wait_until_ready()
        yield started
    finally:
        for child in started:
            if child._process.poll() is None:
                child.kill()


def race(count: int, program: str, *arguments: object) -> list[str]:
    """Let ``count`` processes go at once; answers what each prints."""
    with children(count, program, *arguments) as started:
        for child in started:
            child.go()
        return [child.answer() for child in started]
