"""Limits: what holders hold, counted in the transaction of what it pays for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Amount, Decision, ProductError, Refused, Status, decide
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
            return _decide(connection, self._evaluate(connection), operation, holder, amounts)

    @contextmanager
    def allocation(self, operation: str, holder: str, /, *, actor: str = SYSTEM, **amounts: int) -> Iterator[Grant]:
        """Set what ``holder`` holds, in a transaction the caller adds to: all of it happens, or nothing.

        ``amounts`` are absolute units by limit; a retry changes nothing. Raises :class:`Refused` before the body
        runs; rolls back where the body raises.
        """
        check_holder(holder)
        with self.database.write() as connection:
            decision = self._allocate(connection, operation, holder, actor, amounts)
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
        usage.lock(connection, {name for each in asked for name in each.amounts})
        return [self._allocate(connection, *each) for each in asked]

    def _allocate(
        self, connection: Connection, operation: str, holder: str, actor: str, amounts: Mapping[str, int]
    ) -> Decision:
        """Decide and, where it is allowed, count. A refusal has changed nothing."""
        usage.lock(connection, amounts)
        status = self._evaluate(connection)
        decision = _decide(connection, status, operation, holder, amounts)
        if decision.allowed:
            now = self.now()
            for name, units in sorted(amounts.items()):
                limit = status.features[name].tolerated_limit
                usage.set_amount(connection, name, holder, units, limit=limit, now=now)
            self._record(connection, audit.Event.ALLOCATED, actor, holder, operation=operation, **amounts)
        return decision


def _decide(
    connection: Connection, status: Status, operation: str, holder: str, amounts: Mapping[str, int]
) -> Decision:
    wanted = {name: Amount(units, usage.held(connection, name, holder)) for name, units in amounts.items()}
    return decide(status, operation, wanted)


def check_holder(holder: str) -> None:
    """Raise ``ProductError`` for a holder without a name, or with one that is too long."""
    if not 0 < len(holder) <= LONGEST_HOLDER:
        raise ProductError(f"A holder has a name of 1 to {LONGEST_HOLDER} characters, not {len(holder):,}.")
    if "\0" in holder:
        raise ProductError("A holder has a name without null characters, which not every database can store.")
