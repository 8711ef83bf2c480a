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
        self._known: _Known | None = None

    def status(self, now: float) -> Status:
        """Answer the status at ``now`` (seconds since the epoch), the last one where it still holds."""
        return self._at(now).status

    def answer(self, operation: str, now: float) -> Decision:
        """Decide an operation that takes no amounts, and keep the answer for as long as it holds."""
        known = self._at(now)
        decision = decide(known.status, operation)
        self.answers[operation] = Answer(decision, known.since, known.until)
        return decision

    def _at(self, now: float) -> "_Known":
        known = self._known
        if known is None or not known.since <= now < known.until:
            status = evaluate(self.stored.facts, self._product, datetime.fromtimestamp(now, UTC), self._policy)
            end = status.next_change_at
            known = _Known(status, status.evaluated_at.timestamp(), float("inf") if end is None else end.timestamp())
            self._known = known
        return known


class _Known(NamedTuple):
    """A status, and the period in which it stays the same, like an :class:`Answer`."""

    status: Status
    since: float
    until: float
