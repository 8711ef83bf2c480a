"""One immutable view of the facts, and the answers already made from it.

A guard holds one snapshot at a time and swaps it whole. A decision for a switch, once made, is constant until the
first moment at which time alone changes it; it is kept with that period and handed out again, so that the path of a
switch is a look-up and two comparisons: no signature check, no query, no file.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from placet.enforcement import Decision, Policy, Product, Status, decide, evaluate
from placet.store.facts import StoredFacts


class Answer(NamedTuple):
    """A decision, and the period (seconds since the epoch, the end excluded) in which it stays the same."""

    decision: Decision
    since: float
    until: float


class Snapshot:
    """The facts at one moment, and what follows from them. Replaced, never changed, when the facts change."""

    def __init__(self, stored: StoredFacts, product: Product, policy: Policy) -> None:
        self.stored = stored
        self.answers: dict[str, Answer] = {}
        self._product = product
        self._policy = policy
        self._status: Status | None = None

    def status(self, now: float) -> Status:
        """Answer the status at ``now`` (seconds since the epoch), the last one where it still holds."""
        known = self._status
        if known is not None and known.evaluated_at.timestamp() <= now < _end(known):
            return known
        status = evaluate(self.stored.facts, self._product, datetime.fromtimestamp(now, UTC), self._policy)
        self._status = status
        return status

    def answer(self, operation: str, now: float) -> Decision:
        """Decide an operation that takes no amounts, and keep the answer for as long as it holds."""
        status = self.status(now)
        decision = decide(status, operation)
        self.answers[operation] = Answer(decision, status.evaluated_at.timestamp(), _end(status))
        return decision


def _end(status: Status) -> float:
    return float("inf") if status.next_change_at is None else status.next_change_at.timestamp()
