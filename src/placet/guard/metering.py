"""Metered features: consumption per period, durable before it is acknowledged, and blocks for hot paths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from secrets import token_hex
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, ProductError, Refused, Status, decide_more, decide_use, with_used
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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Consumption that is asked for: ``amount`` units of ``feature``, once for each ``key``, on behalf of ``actor``."""

    feature: str
    key: str
    amount: int = 1
    actor: str = SYSTEM


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
        found = self._consumptions.run(self._asked(feature, amount, token_hex(16) if key is None else key, actor))
        answer = _told(found)
        if isinstance(answer, BaseException):
            raise answer
        if not answer.replayed:
            self._changed()
        return answer

    def consume_all(self, wanted: Sequence[Wanted], /) -> list[Consumption | BaseException]:
        """Consume several at once, decided in their order, in one durable transaction.

        Answers for each what :meth:`consume` would answer or raise; where the database fails, its error for everybody.
        """
        asked = [self._asked(each.feature, each.amount, each.key, each.actor) for each in wanted]
        answers = [_told(found) for found in self._consumptions.run_each(asked)]
        if any(isinstance(answer, Consumption) and not answer.replayed for answer in answers):
            self._changed()
        return answers

    # Blocks

    @contextmanager
    def block(
        self, feature: str, /, *, holder: str, size: int = DEFAULT_BLOCK, most: int | None = None
    ) -> Iterator[BlockCounter]:
        """Count in memory: units are leased durably ``size`` at a time, and what is left is given back at the end.

        Where ``most`` is larger, a block that is used up within 10 ms is followed by one twice as large, up to it.

        A crash costs at most one block, which stays counted as used until somebody settles it (:meth:`settle_block`).
        """
        counter = BlockCounter(self, feature, holder=holder, size=size, most=most)
        try:
            yield counter
        finally:
            counter.close()

    def take_block(self, feature: str, size: int, /, *, holder: str, at_least: int = 1) -> Block:
        """Lease up to ``size`` units ahead, no fewer than ``at_least``; durable when this answers.

        Raises :class:`Refused` where not even those are left.
        """
        return self.next_block(feature, size, holder=holder, at_least=at_least)[0]

    def next_block(
        self, feature: str, size: int, /, *, holder: str, at_least: int = 1, spent: Block | None = None
    ) -> tuple[Block, float]:
        """Lease like :meth:`take_block`, and close ``spent``, all of whose units were used, in the same transaction.

        Answers the block, and until when (seconds since the epoch) what allowed it stays the same. Raises
        :class:`Refused`, and :class:`UnknownBlock` where somebody closed ``spent`` as used in part.
        """
        self._check_metered(feature)
        check_holder(holder)
        check_amount(feature, size)
        with self.database.write() as connection:
            stored, _ = self._read_with(connection, metering.locks(connection, [feature]), ())
            status = self._judge(stored)
            found = status.features[feature]
            left = size if found.tolerated_limit is None else found.tolerated_limit - (found.used or 0)
            wanted = max(at_least, min(size, left))
            decision = decide_use(status, CONSUME, feature, Amount(wanted))
            if not decision.allowed or found.period_starts_at is None:
                raise Refused(decision)
            try:
                block = metering.take_block(
                    connection,
                    feature,
                    stored.facts.meters[feature],
                    found.period_starts_at,
                    holder=holder,
                    size=wanted,
                    limit=found.tolerated_limit,
                    now=self.now(),
                    spent=spent,
                    by=SYSTEM,
                )
            except metering.BlockClosed as error:
                raise UnknownBlock(str(error)) from None
        self._changed()
        return block, _end(status)

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
        return decision, status.features[feature].period_starts_at, _end(status)

    def find_block(self, block_id: int, /) -> Block:
        """Answer a block, open or closed; raises :class:`UnknownBlock`."""
        with self.database.read() as connection:
            found = metering.read_block(connection, block_id)
        if found is None:
            raise UnknownBlock(f"There is no block {block_id}.")
        return found

    def open_blocks(self, feature: str | None = None, /) -> list[Block]:
        """Answer the blocks that are open, the oldest first: in use, or left behind by a process that died."""
        if feature is not None:
            self._check_metered(feature)
        with self.database.read() as connection:
            return metering.open_blocks(connection, feature)

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

    def _asked(self, feature: str, amount: int, key: str, actor: str) -> _Asked:
        self._check_metered(feature)
        if not 0 < len(key) <= LONGEST_KEY or "\0" in key:
            raise ProductError(
                f"An idempotency key has 1 to {LONGEST_KEY} characters other than null; {key[:40]!r} has {len(key):,}."
            )
        check_amount(feature, amount)
        return _Asked(feature, Entry(key, amount, actor))

    def _check_metered(self, feature: str) -> None:
        if feature not in self._metered:
            known = ", ".join(sorted(self._metered)) or "none"
            raise ProductError(
                f"The product {self.product.name!r} has no metered feature {feature!r}. It has: {known}."
            )

    def _consume_all(self, connection: Connection, asked: Sequence[_Asked]) -> list[Consumption | KeyReused]:
        """Decide each, in their order, and record what is allowed. A refusal has changed nothing."""
        entries: dict[str, list[Entry]] = {}
        for each in asked:
            entries.setdefault(each.feature, []).append(each.entry)
        finding = {
            feature: metering.finding(connection, feature, [entry.key for entry in entries[feature]])
            for feature in sorted(entries)
        }
        locks = metering.locks(connection, entries)
        stored, cursors = self._read_with(connection, locks, [call for calls in finding.values() for call in calls])
        status, now, found = self._judge(stored), self.now(), iter(cursors)
        tallies = {}
        for feature, calls in finding.items():
            known = {key: amount for _ in calls for key, amount in next(found).fetchall()}
            tallies[feature] = _Tally(status, feature, known)
        answers = [tallies[each.feature].decide(each.entry) for each in asked]
        for tally in (tally for tally in tallies.values() if tally.new):
            metering.record(
                connection,
                tally.feature,
                stored.facts.meters[tally.feature],
                tally.found.period_starts_at or now,
                tally.new,
                limit=tally.found.tolerated_limit,
                now=now,
            )
        return answers


class _Tally:
    """What a batch of consumption of one feature comes to, while it is decided one after the other."""

    def __init__(self, status: Status, feature: str, known: dict[str, int]) -> None:
        self._status = status
        self.feature = feature
        self._known = known
        self._last: Decision | None = None
        self.found = status.features[feature]
        self._used = self.found.used or 0
        self.new: list[Entry] = []

    def decide(self, entry: Entry) -> Consumption | KeyReused:
        """Decide by what those before it have left. What was recorded before was allowed, whatever holds now."""
        feature, before = self.feature, self._known.get(entry.key)
        if before is not None and before != entry.amount:
            return KeyReused(
                f"The idempotency key {entry.key!r} was used before for {before:,} units of {feature!r}, and now for "
                f"{entry.amount:,}. Use a new key for new consumption."
            )
        if before is None:
            decision = self._decide_new(entry.amount)
            if decision.allowed:
                self._known[entry.key] = entry.amount
                self.new.append(entry)
                self._used += entry.amount
        else:
            decision = Decision(allowed=True, operation=CONSUME, state=self._status.state, feature=feature)
        return Consumption(
            feature=feature, key=entry.key, amount=entry.amount, replayed=before is not None, decision=decision
        )

    def _decide_new(self, amount: int) -> Decision:
        decision = None if self._last is None else decide_more(self._last, amount)
        if decision is None:
            status = with_used(self._status, {self.feature: self._used}) if self.new else self._status
            decision = decide_use(status, CONSUME, self.feature, Amount(amount))
        if decision.allowed:
            self._last = decision
        return decision


def _told(found: Consumption | BaseException) -> Consumption | BaseException:
    if isinstance(found, Consumption) and not found.decision.allowed:
        return Refused(found.decision)
    return found


def check_amount(feature: str, amount: int) -> None:
    """Raise ``ProductError`` for an amount that is no number of units to consume."""
    if type(amount) is not int or not 0 < amount <= metering.MOST_AT_ONCE:
        raise ProductError(f"{amount!r} is not a number of units of {feature!r}: 1 to {metering.MOST_AT_ONCE:,}.")


def _end(status: Status) -> float:
    return float("inf") if status.next_change_at is None else status.next_change_at.timestamp()
