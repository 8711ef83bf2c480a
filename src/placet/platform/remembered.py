"""Credentials that were verified a moment ago, for the time in which the database cannot be reached.

Nothing is believed of this memory while the database answers. It holds hashes, so many of them, for so long.
"""

import threading
import time
from collections import OrderedDict

from placet.store.credentials import Credential, Kind, hash_of

MOST = 1000
REMEMBERED_SECONDS = 300.0


class Remembered:
    """The credentials that the database has verified within the last five minutes."""

    def __init__(self, *, seconds: float = REMEMBERED_SECONDS, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Kind, str], tuple[float, Credential]] = OrderedDict()

    def note(self, kind: Kind, secret: str, found: Credential | None) -> None:
        """Remember what the database has just said of a secret."""
        key = (kind, hash_of(secret))
        with self._lock:
            self._known.pop(key, None)
            if found is not None:
                self._known[key] = (time.monotonic(), found)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def find(self, kind: Kind, secret: str) -> Credential | None:
        """Answer what the database said of a secret, if that is not too long ago."""
        known = self._known.get((kind, hash_of(secret)))
        if known is None or time.monotonic() - known[0] > self._seconds:
            return None
        return known[1]

    def forget(self, credential_id: int) -> None:
        """Forget a credential that has been ended."""
        with self._lock:
            for key in [key for key, (_, found) in self._known.items() if found.id == credential_id]:
                del self._known[key]
