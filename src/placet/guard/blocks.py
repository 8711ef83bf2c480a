"""Counting in memory against a block of units that was leased durably."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from placet.enforcement import Decision, ProductError, Refused
from placet.store.metering import Block

LOOKS_AGAIN_SECONDS = 1.0
SOON_SECONDS = 0.01
"""A block that is used up within this time is followed by one twice as large, where it may be."""


class Blocks(Protocol):
    """Where blocks come from: a guard. ``clock`` answers seconds since the epoch."""

    clock: Callable[[], float]

    def next_block(
        self, feature: str, size: int, /, *, holder: str, at_least: int = 1, spent: Block | None = None
    ) -> tuple[Block, float]:
        """Lease units ahead, and close a block that is spent; answers also until when what allowed it stays so."""
        ...

    def return_block(self, block_id: int, used: int, /) -> Block:
        """Close a block."""
        ...

    def usable(self, feature: str) -> tuple[Decision, datetime | None, float]:
        """Answer whether a metered feature may be used now at all, in which period, and until when that stays so."""
        ...


class BlockCounter:
    """Hands out the units of one block after another, of ``size`` or, where they do not last, up to ``most`` units.

    Safe for threads.

    ``take`` costs two comparisons and a subtraction; every so many units it leases the next block. Once a second it
    looks at the license again, in memory: one that ends, or is replaced, and a period that ends, end the block.
    """

    def __init__(self, blocks: Blocks, feature: str, *, holder: str, size: int, most: int | None = None) -> None:
        self._blocks = blocks
        self._clock = blocks.clock
        self._feature = feature
        self._holder = holder
        self._smallest = self._size = size
        self._most = max(size, most or size)
        self._taken_at = float("-inf")
        self._mutex = threading.Lock()
        self._block: Block | None = None
        self._left = 0
        self._until = 0.0

    def take(self, amount: int = 1) -> None:
        """Use ``amount`` whole units. Raises :class:`Refused` where they are not left, and ``ProductError``."""
        if type(amount) is not int:
            raise ProductError(f"Units are whole numbers, not {amount!r}.")
        with self._mutex:
            if not 0 < amount <= self._left or self._clock() >= self._until:
                self._prepare(amount)
            self._left -= amount

    def close(self) -> None:
        """Give back what is left."""
        with self._mutex:
            self._give_back()

    @property
    def left(self) -> int:
        """The units that are left in memory."""
        return self._left

    def _prepare(self, amount: int) -> None:
        """Have ``amount`` units in a block of the period under way, by a license that allows it."""
        if amount < 1:
            raise ValueError(f"{amount!r} is not a number of units to take: 1 or more.")
        if self._left >= amount and self._is_usable():
            return
        if self._left:
            self._give_back()
        self._adapt()
        size = max(self._size, amount)
        try:
            self._block, until = self._blocks.next_block(
                self._feature, size, holder=self._holder, at_least=amount, spent=self._block
            )
        except Refused:
            self._give_back()
            raise
        self._left, self._taken_at = self._block.size, self._clock()
        self._until = min(until, self._clock() + LOOKS_AGAIN_SECONDS)

    def _adapt(self) -> None:
        """Ask for more where the last block was used up soon, for less where it lasted: what a crash costs is short."""
        if self._clock() - self._taken_at < SOON_SECONDS:
            self._size = min(self._most, self._size * 2)
        else:
            self._size = max(self._smallest, self._size // 2)

    def _is_usable(self) -> bool:
        """Whether the block may still be used; one that the license allows no longer is given back at once."""
        decision, period_starts_at, until = self._blocks.usable(self._feature)
        if not decision.allowed:
            self._give_back()
            raise Refused(decision)
        self._until = min(until, self._clock() + LOOKS_AGAIN_SECONDS)
        return self._block is not None and self._block.period_starts_at == period_starts_at

    def _give_back(self) -> None:
        if self._block is not None:
            self._blocks.return_block(self._block.id, self._block.size - self._left)
            self._block, self._left = None, 0
