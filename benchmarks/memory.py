"""The memory of a process with a guard: what opening it takes, and what is left of many calls.

As a program it is given the URL of a database, and prints one line of JSON, so that it is measured in a process of its
own.
"""

import gc
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """MiB of resident memory: of Python with what is imported, and what each step added to it."""

    what: str
    mebibytes: float


def steps(url: str, *, calls: int) -> list[Memory]:
    """Measure in a process of its own."""
    done = subprocess.run([sys.executable, __file__, url, str(calls)], check=True, capture_output=True, text=True)
    return [Memory(*each) for each in json.loads(done.stdout)]


def _resident() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _main(url: str, calls: int) -> None:
    found = [("Python", _resident())]
    from growth import plant_holders  # noqa: PLC0415
    from installing import a_guard  # noqa: PLC0415

    def step(what: str) -> None:
        found.append((what, _resident() - sum(amount for _, amount in found)))

    step("what is imported")
    with ExitStack() as stack:
        guard = a_guard(url, stack)
        step("a guard, opened, with a license")
        with guard.database.write() as connection:
            plant_holders(connection, "sqlite", 10 * calls)
        guard.reload()
        guard.status()
        step(f"{10 * calls:,} holders in its database")
        for _ in range(calls):
            guard.check("run")
        step(f"{calls:,} decisions")
        for number in range(calls // 20):
            with guard.allocation("publish", f"new-{number}", units=1):
                pass
        step(f"{calls // 20:,} allocations to new holders")
        for _ in range(calls // 20):
            guard.consume("calls")
        step(f"{calls // 20:,} consumptions under new keys")
    print(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
