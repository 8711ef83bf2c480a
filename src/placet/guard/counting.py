"""Limits: what holders hold, counted in the transaction of what it pays for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, ProductError, Refused, Status, decide, with_used
from placet.guard.judge import SYSTEM, Judge
from placet.store import audit, usage
from placet.store.batches import Batches

LONGEST_HOLDER = 200


class Grant(msgspec.Struct, frozen=True):
    """An allocation that was allowed: the decision, and the transaction it is part of."""

    decision: Decision
    connection: Connection


class _Asked(NamedTuple):
    """One allocation that is asked for."""

    operation: str
    holder: str
    actor: str
    amounts: Mapping[str, int]


class Counting(Judge):
    """The part of a guard that counts limits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._allocations: Batches[_Asked, Decision] = Batches(self.database, self._allocate_all)

    def preview(self, operation: str, holder: str, /, **amounts: int) -> Decision:
        """Answer what :meth:`allocation` would decide for ``holder`` now, changing nothing."""
        check_holder(holder)
        with self.database.read() as connection:
            status, cursors = self._evaluate_with(connection, (), [usage.holding(name, holder) for name in amounts])
            rows = [cursor.fetchone() for cursor in cursors]
        wanted = {
            name: Amount(units, row[0] if row else 0) for (name, units), row in zip(amounts.items(), rows, strict=True)
        }
        return decide(status, operation, wanted)

    @contextmanager
    def allocation(self, operation: str, holder: str, /, *, actor: str = SYSTEM, **amounts: int) -> Iterator[Grant]:
        """Set what ``holder`` holds, in a transaction the caller adds to: all of it happens, or nothing.

        ``amounts`` are absolute units by limit; a retry changes nothing. Raises :class:`Refused` before the body
        runs; rolls back where the body raises.
        """
        check_holder(holder)
        with self.database.write() as connection:
            (decision,) = self._allocate_all(connection, [_Asked(operation, holder, actor, amounts)])
            if not decision.allowed:
                raise Refused(decision)
            yield Grant(decision, connection)
        self._changed()

    def allocate(self, operation: str, holder: str, /, *, actor: str = SYSTEM, **amounts: int) -> Decision:
        """Set what ``holder`` holds, like :meth:`allocation` where there is nothing to add to the transaction.

        Callers of several threads share one durable transaction. Raises :class:`Refused`.
        """
        check_holder(holder)
        decision = self._allocations.run(_Asked(operation, holder, actor, amounts))
        if not decision.allowed:
            raise Refused(decision)
        self._changed()
        return decision

    @contextmanager
    def releasing(self, holder: str, /, *features: str, actor: str = SYSTEM) -> Iterator[Connection]:
        """Give back what ``holder`` holds of ``features``, in a transaction the caller adds to. Never refused."""
        check_holder(holder)
        for name in features:
            if name not in self._limits:
                raise ProductError(f"The product {self.product.name!r} has no limit {name!r}.")
        with self.database.write() as connection:
            freed = {name: usage.release(connection, name, holder) for name in sorted(features)}
            self._record(connection, audit.Event.RELEASED, actor, holder, **freed)
            yield connection
        self._changed()

    def _allocate_all(self, connection: Connection, asked: Sequence[_Asked]) -> list[Decision]:
        """Decide each, in their order, and count what is allowed. A refusal has changed nothing."""
        pairs = list({(name, each.holder): None for each in asked for name in each.amounts})
        locks = usage.locks(connection, pairs)
        status, cursors = self._evaluate_with(connection, locks, [usage.holding(*pair) for pair in pairs])
        rows = [cursor.fetchone() for cursor in cursors]
        tally = _Tally(status, {pair: row[0] if row else 0 for pair, row in zip(pairs, rows, strict=True)})
        now, decisions, told = self.now(), [], []
        for each in asked:
            decision = tally.decide(each)
            decisions.append(decision)
            if decision.allowed:
                detail = {"operation": each.operation, **each.amounts}
                told.append(audit.telling(audit.Event.ALLOCATED, each.actor, each.holder, detail, now))
        usage.change(connection, tally.changes(), tally.amounts, now, told)
        return decisions


class _Tally:
    """What a batch of allocations comes to, while it is decided one after the other."""

    def __init__(self, status: Status, held: dict[tuple[str, str], int]) -> None:
        self._before = self._status = status
        self._used: dict[str, int] = {}
        self._held = held
        self.amounts: dict[tuple[str, str], int] = {}

    def decide(self, asked: _Asked) -> Decision:
        """Decide by what those before it have left."""
        wanted = {name: Amount(units, self._held[name, asked.holder]) for name, units in asked.amounts.items()}
        if self._used:
            self._status = with_used(self._before, self._used)
        decision = decide(self._status, asked.operation, wanted)
        if decision.allowed:
            for name, amount in wanted.items():
                self._used[name] = (self._status.features[name].used or 0) + amount.requested - amount.held
                self.amounts[name, asked.holder] = self._held[name, asked.holder] = amount.requested
        return decision

    def changes(self) -> dict[str, usage.Change]:
        """The units to add by limit. One that is over its limit already may still go down."""
        changes = {}
        for name, used in self._used.items():
            before = self._before.features[name]
            units = used - (before.used or 0)
            changes[name] = usage.Change(units, before.tolerated_limit if units > 0 else None)
        return changes


def check_holder(holder: str) -> None:
    """Raise ``ProductError`` for a holder without a name, or with one that is too long."""
    if not 0 < len(holder) <= LONGEST_HOLDER:
        raise ProductError(f"A holder has a name of 1 to {LONGEST_HOLDER} characters, not {len(holder):,}.")
    if "\0" in holder:
        raise ProductError("A holder has a name without null characters, which not every database can store.")
