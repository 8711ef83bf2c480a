"""Hashing passwords, in threads of its own and few at a time, so that nobody exhausts memory or threads with it."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from placet.web.problems import Problem

T = TypeVar("T")
MOST_AT_ONCE = 2
MOST_WAITING = 32
WAIT_SECONDS = 5


class Hashing:
    """Bounds the computing of password hashes: each takes 64 MiB, and so two at once 128 MiB."""

    def __init__(self, *, at_once: int = MOST_AT_ONCE, waiting: int = MOST_WAITING) -> None:
        self._limiter = anyio.CapacityLimiter(at_once)
        self._most = at_once + waiting
        self._there = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Answer what ``work``, which hashes, answers. Raises :class:`Problem` (503) where too many wait already."""
        if self._there >= self._most:
            raise Problem(
                "signing_in_busy",
                title="Too many sign in at once",
                status=503,
                detail=f"{self._there} people are being signed in at this moment, which is as many as this server "
                f"takes at once. Try again in {WAIT_SECONDS} seconds.",
                headers={"Retry-After": str(WAIT_SECONDS), "Referrer-Policy": "no-referrer"},
            )
        self._there += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._there -= 1
