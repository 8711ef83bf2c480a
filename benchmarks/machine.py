"""The machine the figures are of, and what its disk takes to keep a promise."""

import os
import platform
import sqlite3
import statistics
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from installing import Place


class Machine(NamedTuple):
    """What a reader needs to compare with another machine. ``sync_us``: microseconds of each fdatasync of 4 KiB."""

    measured_on: str
    cores: int
    architecture: str
    python: str
    sqlite: str
    postgresql: str
    load: float
    sync_us: list[float]

    @property
    def text(self) -> str:
        """All of it, in a sentence or two."""
        middle, slow = statistics.median(self.sync_us), sorted(self.sync_us)[len(self.sync_us) * 9 // 10]
        return (
            f"Measured on {self.measured_on}, on {self.cores} cores ({self.architecture}) with Python {self.python}, "
            f"SQLite {self.sqlite} and PostgreSQL {self.postgresql}. The disk took {middle:.0f} µs to write 4 KiB "
            f"durably (median of {len(self.sync_us)} fdatasync; one in ten took more than {slow:.0f} µs). "
            f"The load of the machine was {self.load:.1f} before."
        )


def describe(place: Place) -> Machine:
    """Look at the machine as it is now."""
    (version,) = place.postgres.run("SHOW server_version")[0]
    return Machine(
        measured_on=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count() or 0,
        architecture=platform.machine(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgresql=version,
        load=os.getloadavg()[0],
        sync_us=syncs(place.directory, 100),
    )


def syncs(directory: Path, times: int) -> list[float]:
    """Write 4 KiB and wait for the disk, so many times; answers the microseconds of each."""
    found, page = [], os.urandom(4096)
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(times):
            began = perf_counter()
            file.write(page)
            os.fdatasync(file.fileno())
            found.append((perf_counter() - began) * 1e6)
    return found
