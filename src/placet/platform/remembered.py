"""Credentials that were verified a moment ago: for the time in which the database cannot be reached, and for hot paths.

While the database answers, nothing is believed of this memory that is older than a second. It holds hashes, so many of
them, for so long.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from placet.store.credentials import Credential, Kind, hash_of

MOST = 1000
REMEMBERED_SECONDS = 300.0
LATELY_SECONDS = 1.0
"""For how long a hot path believes it: so long may a revoked credential go on at most."""


class Remembered:
    """The credentials that the database has verified within the last five minutes."""

    def __init__(self, *, seconds: float = REMEMBERED_SECONDS, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Kind, str], tuple[float, Credential]] = OrderedDict()

    def note(self, kind: Kind, secret: str, found: Credential | None, *, asked_at: float) -> None:
        """Remember what the database says of a secret; it was asked at ``asked_at`` by the monotonic clock."""
        key = (kind, hash_of(secret))
        with self._lock:
            self._known.pop(key, None)
            if found is not None:
                self._known[key] = (asked_at, found)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def find(self, kind: Kind, secret: str, *, lately: bool = False) -> Credential | None:
        """Answer what the database said of a secret, if that is not too long ago; with ``lately`` within a second."""
        known = self._known.get((kind, hash_of(secret)))
        if known is None or time.monotonic() - known[0] > (LATELY_SECONDS if lately else self._seconds):
            return None
        return known[1]

    def forget(self, credential_id: int) -> None:
        """Forget a credential that has been ended."""
        self._forget(lambda found: found.id == credential_id)

    def forget_all_of(self, name: str) -> None:
        """Forget the credentials of somebody who has been deactivated."""
        self._forget(lambda found: found.name == name)

    def _forget(self, is_over: Callable[[Credential], bool]) -> None:
        with self._lock:
            for key in [key for key, (_, found) in self._known.items() if is_over(found)]:
                del self._known[key]
