"""When something last happened to each of many names: noted in memory, and written once in a while.

So no request waits for it. A server that is killed forgets what it has not written.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from placet.guard import Guard

MOST_NAMES = 10_000


class NotedMoments:
    """The newest moment of each name; ``keep`` writes them down in a transaction, and never goes back in time."""

    def __init__(self, guard: Guard, keep: Callable[[Connection, Mapping[str, datetime]], None]) -> None:
        self._guard = guard
        self._keep = keep
        self._lock = threading.Lock()
        self._noted: dict[str, datetime] = {}

    def note(self, name: str) -> None:
        """Note that it happens now; cheap. Of more than 10,000 names between two writings some are forgotten."""
        with self._lock:
            if len(self._noted) < MOST_NAMES or name in self._noted:
                self._noted[name] = self._guard.now()

    def write(self) -> None:
        """Write down what was noted. Meant for once a minute."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            with self._guard.database.write() as connection:
                self._keep(connection, noted)
        except BaseException:
            with self._lock:
                self._noted = noted | self._noted
            raise
