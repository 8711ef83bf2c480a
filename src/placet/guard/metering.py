"""Metered features: consumption per period, durable before it is acknowledged, and blocks for hot paths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, ProductError, Refused, Status, decide_use
from placet.guard.blocks import BlockCounter
from placet.guard.counting import check_holder
from placet.guard.judge import SYSTEM, Judge
from placet.store import audit, metering
from placet.store.batches import Batches
from placet.store.metering import Block, Entry

CONSUME = "consume"
LONGEST_KEY = 200
DEFAULT_BLOCK = 100


class KeyReused(ValueError):
    """An idempotency key was used before for another amount: the caller's mistake, never a refusal."""


class UnknownBlock(LookupError):
    """There is no block of that id, or it is closed already."""


class Consumption(msgspec.Struct, frozen=True, kw_only=True):
    """What came of consuming ``amount`` units of ``feature`` under ``key``; with ``replayed`` it had been before."""

    feature: str
    key: str
    amount: int
    replayed: bool
    decision: Decision


class _Asked(NamedTuple):
    feature: str
    entry: Entry


class Metering(Judge):
    """The part of a guard that counts consumption."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._metered = frozenset(feature.name for feature in self.product.metered)
        self._consumptions: Batches[_Asked, Consumption | KeyReused] = Batches(self.database, self._consume_all)

    def consume(self, feature: str, amount: int = 1, /, *, key: str | None = None, actor: str = SYSTEM) -> Consumption:
        """Consume ``amount`` units (1 or more) of a metered feature; it is durable when this answers.

        A retry with the same ``key`` (1 to 200 characters), in this period or the next, counts once. Callers of several
        threads share one durable transaction. Raises :class:`Refused`, and :class:`KeyReused` for a key that was used
        for another amount.
        """
        self._check_metered(feature)
        key = str(uuid4()) if key is None else key
        if not 0 < len(key) <= LONGEST_KEY:
            raise ProductError(f"An idempotency key has 1 to {LONGEST_KEY} characters, not {len(key):,}.")
        check_amount(feature, amount)
        found = self._consumptions.run(_Asked(feature, Entry(key, amount, actor)))
        if isinstance(found, KeyReused):
            raise found
        if not found.decision.allowed:
            raise Refused(found.decision)
        if not found.replayed:
            self._changed()
        return found

    # Blocks

    @contextmanager
    def block(self, feature: str, /, *, holder: str, size: int = DEFAULT_BLOCK) -> Iterator[BlockCounter]:
        """Count in memory: units are leased durably ``size`` at a time, and what is left is given back at the end.

        A crash costs at most one block, which stays counted as used until somebody settles it (:meth:`settle_block`).
        """
        counter = BlockCounter(self, feature, holder=holder, size=size)
        try:
            yield counter
        finally:
            counter.close()

    def take_block(self, feature: str, size: int, /, *, holder: str, at_least: int = 1) -> Block:
        """Lease up to ``size`` units ahead, no fewer than ``at_least``; durable when this answers.

        Raises :class:`Refused` where not even those are left.
        """
        self._check_metered(feature)
        check_holder(holder)
        check_amount(feature, size)
        with self.database.write() as connection:
            metering.lock(connection, [feature])
            status = self._evaluate(connection)
            found = status.features[feature]
            left = size if found.tolerated_limit is None else found.tolerated_limit - (found.used or 0)
            wanted = max(at_least, min(size, left))
            decision = decide_use(status, CONSUME, feature, Amount(wanted))
            if not decision.allowed or found.period_starts_at is None:
                raise Refused(decision)
            block_id = metering.take_block(
                connection,
                feature,
                found.period_starts_at,
                holder=holder,
                size=wanted,
                limit=found.tolerated_limit,
                now=self.now(),
            )
            block = metering.read_block(connection, block_id)
        self._changed()
        if block is None:
            raise UnknownBlock(f"Block {block_id} is gone.")
        return block

    def return_block(self, block_id: int, used: int, /, *, actor: str = SYSTEM) -> Block:
        """Close a block of which ``used`` units were used; the rest is free again.

        A retry with the same number changes nothing. Raises :class:`UnknownBlock`.
        """
        return self._close(block_id, used, actor, settles=False)

    def settle_block(self, block_id: int, used: int, /, *, actor: str) -> Block:
        """Close a block that its holder did not give back, with an audit event; otherwise like :meth:`return_block`."""
        return self._close(block_id, used, actor, settles=True)

    def usable(self, feature: str, /) -> tuple[Decision, datetime | None, float]:
        """Answer whether a metered feature may be used now at all, whatever is left of it.

        Answers the decision, the start of its period, and until when (seconds since the epoch) both stay the same.
        """
        status = self.status()
        decision = decide_use(status, CONSUME, feature, Amount(0))
        until = float("inf") if status.next_change_at is None else status.next_change_at.timestamp()
        return decision, status.features[feature].period_starts_at, until

    def open_blocks(self) -> list[Block]:
        """Answer the blocks that are open, the oldest first: in use, or left behind by a process that died."""
        with self.database.read() as connection:
            return metering.open_blocks(connection)

    def _close(self, block_id: int, used: int, actor: str, *, settles: bool) -> Block:
        with self.database.write() as connection:
            block = metering.read_block(connection, block_id)
            if block is None:
                raise UnknownBlock(f"There is no block {block_id}.")
            if type(used) is not int or not 0 <= used <= block.size:
                raise ProductError(f"Of block {block_id} 0 to {block.size:,} units can have been used, not {used!r}.")
            metering.lock(connection, [block.feature])
            if not metering.close_block(connection, block, used=used, by=actor, now=self.now()):
                block = metering.read_block(connection, block_id)
                if block is None or block.used != used:
                    raise UnknownBlock(f"Block {block_id} is closed already.")
                return block
            if settles:
                detail = {"feature": block.feature, "holder": block.holder, "size": block.size, "used": used}
                self._record(connection, audit.Event.BLOCK_SETTLED, actor, str(block_id), **detail)
            closed = metering.read_block(connection, block_id)
        self._changed()
        return closed or block

    # Inside

    def _check_metered(self, feature: str) -> None:
        if feature not in self._metered:
            known = ", ".join(sorted(self._metered)) or "none"
            raise ProductError(
                f"The product {self.product.name!r} has no metered feature {feature!r}. It has: {known}."
            )

    def _consume_all(self, connection: Connection, asked: Sequence[_Asked]) -> list[Consumption | KeyReused]:
        """Decide and, where it is allowed, record each, in their order. A refusal has changed nothing."""
        features = sorted({each.feature for each in asked})
        metering.lock(connection, features)
        status, now = self._evaluate(connection), self.now()
        answers: dict[int, Consumption | KeyReused] = {}
        for feature in features:
            places = [place for place, each in enumerate(asked) if each.feature == feature]
            entries = [asked[place].entry for place in places]
            answers.update(zip(places, _consume(connection, status, feature, entries, now), strict=True))
        return [answers[place] for place in range(len(asked))]


def _consume(
    connection: Connection, status: Status, feature: str, entries: Sequence[Entry], now: datetime
) -> list[Consumption | KeyReused]:
    """Consume one feature, whose meter is locked."""
    found = status.features[feature]
    if found.period_starts_at is None:  # no license that could be counted for
        refused = decide_use(status, CONSUME, feature, Amount(entries[0].amount))
        return [_answer(feature, entry, refused) for entry in entries]
    starts_at, used = found.period_starts_at, found.used or 0
    known = dict(metering.recorded(connection, feature, starts_at, [entry.key for entry in entries]))
    answers: list[Consumption | KeyReused] = []
    new: list[Entry] = []
    for entry in entries:
        before = known.get(entry.key)
        if before is not None and before != entry.amount:
            answers.append(_reused(feature, entry, before))
            continue
        if before is not None:  # it was allowed then, whatever the license says now
            allowed = Decision(allowed=True, operation=CONSUME, state=status.state, feature=feature, used=used)
            answers.append(_answer(feature, entry, allowed, replayed=True))
            continue
        decision = decide_use(_with_used(status, feature, used), CONSUME, feature, Amount(entry.amount))
        if decision.allowed:
            known[entry.key] = entry.amount
            used += entry.amount
            new.append(entry)
        answers.append(_answer(feature, entry, decision))
    if new:
        metering.record(connection, feature, starts_at, new, limit=found.tolerated_limit, now=now)
    return answers


def _with_used(status: Status, feature: str, used: int) -> Status:
    found = status.features[feature]
    if found.used == used:
        return status
    changed = msgspec.structs.replace(found, used=used)
    return msgspec.structs.replace(status, features={**status.features, feature: changed})


def _answer(feature: str, entry: Entry, decision: Decision, *, replayed: bool = False) -> Consumption:
    return Consumption(feature=feature, key=entry.key, amount=entry.amount, replayed=replayed, decision=decision)


def _reused(feature: str, entry: Entry, before: int) -> KeyReused:
    return KeyReused(
        f"The idempotency key {entry.key!r} was used before for {before:,} units of {feature!r}, and now for "
        f"{entry.amount:,}. Use a new key for new consumption."
    )


def check_amount(feature: str, amount: int) -> None:
    """Raise ``ProductError`` for an amount that is no number of units to consume."""
    if type(amount) is not int or not 0 < amount <= metering.MOST_AT_ONCE:
        raise ProductError(f"{amount!r} is not a number of units of {feature!r}: 1 to {metering.MOST_AT_ONCE:,}.")
