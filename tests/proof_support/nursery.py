"""Processes that fight, forked from one that has imported everything: eight of them begin in a blink.

As a program it takes commands, a line of JSON each, and answers a line to each. What it has started ends with it, and
it ends with the process that holds the other end of its standard input.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

import msgspec
import psycopg  # noqa: F401 (so that nobody has to import it in the fight)

from proof_support.fighter import Fight, fight

READY = "ready"
TESTS = Path(__file__).parent.parent
OURS = {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
"""What would measure coverage in there, which would slow the fight down; others' tests cover what it runs."""


class Nursery:
    """Starts processes that fight, and kills them."""

    def __init__(self) -> None:
        surroundings = {name: value for name, value in os.environ.items() if name not in OURS}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proof_support.nursery"],
            env=surroundings | {"PYTHONPATH": str(TESTS), "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == READY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def start(self, what: Fight, name: str) -> int:
        """Start a process that fights; answers its id."""
        return int(self._ask("start", what=msgspec.to_builtins(what), name=name))

    def kill(self, pid: int) -> bool:
        """End a process at once, whatever it is doing; answers whether it was still at it."""
        return bool(self._ask("kill", pid=pid))

    def wait(self) -> list[int]:
        """Wait until all have ended; answers how those did that were not killed."""
        return list(self._ask("wait"))

    def _ask(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command} | arguments) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery has ended"
        return json.loads(line)


class _Started:
    """The processes under way. They are nobody else's children, so that an id is theirs until they are waited for."""

    def __init__(self) -> None:
        self._under_way: set[int] = set()
        self._ended: list[int] = []

    def start(self, what: dict[str, Any], name: str) -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                fight(msgspec.convert(what, Fight), name)
                status = 0
            except BaseException:  # noqa: BLE001 (it is told, and the process ends)
                traceback.print_exc()
            finally:
                os._exit(status)
        self._under_way.add(pid)
        return pid

    def kill(self, pid: int) -> bool:
        self._under_way.discard(pid)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            self._ended.append(os.waitstatus_to_exitcode(status))
            return False
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True

    def wait(self) -> list[int]:
        for pid in self._under_way:
            self._ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        self._under_way.clear()
        return self._ended


def main() -> None:
    """Do what the lines of standard input say."""
    started = _Started()
    print(json.dumps(READY), flush=True)  # noqa: T201
    try:
        for line in sys.stdin:
            arguments = json.loads(line)
            answer = getattr(started, arguments.pop("command"))(**arguments)
            print(json.dumps(answer), flush=True)  # noqa: T201
    finally:
        for pid in list(started._under_way):
            started.kill(pid)


if __name__ == "__main__":
    main()
