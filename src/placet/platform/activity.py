"""Whether a private instance is being used, and since when it is not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime


class Activity:
    """The uses of one instance: requests, WebSocket connections and debuggers, for as long as each of them lasts."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._uses = 0
        self._lock = threading.Lock()
        self.last_used_at = now()

    @contextmanager
    def use(self) -> Iterator[None]:
        """Count as in use until the end of the block."""
        with self._lock:
            self._uses += 1
        try:
            yield
        finally:
            with self._lock:
                self._uses -= 1
                self.last_used_at = self._now()

    def idle_since(self) -> datetime | None:
        """When the last use ended; ``None`` while something uses it."""
        with self._lock:
            return None if self._uses else self.last_used_at
