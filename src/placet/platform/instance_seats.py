"""The seats of private instances: each holds one from before it starts until it has stopped.

Leases are short and renewed, so that what a crashed server held is free again a few minutes later. Where one cannot be
renewed, because the license has lapsed or has fewer seats now, its instance runs on.
"""

import threading
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import timedelta

import msgspec

from placet.enforcement import Decision, Refused
from placet.guard import Guard, UnknownLease
from placet.platform.product import PRIVATE_INSTANCES
from placet.store.reach import NOT_REACHED

SEAT_LASTS = timedelta(minutes=5)


class InstanceSeats:
    """The seats of one server's instances, by instance."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._leases: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, instance_id: str, operation: str, *, actor: str) -> Decision:
        """Take a seat; answers the decision of ``operation`` with the warnings of the seat. Raises ``Refused``."""
        lease = self._guard.lease(PRIVATE_INSTANCES, instance_id, SEAT_LASTS, actor=actor)
        with self._lock:
            self._leases[instance_id] = lease.id
        decision = self._guard.require(operation)
        warnings = lease.decision.warnings if lease.decision is not None else ()
        return msgspec.structs.replace(decision, warnings=warnings)

    def give_back(self, instance_id: str) -> None:
        """Give the seat of an instance back, if it has one. Where the database is away, the lease ends by itself."""
        with self._lock:
            lease_id = self._leases.pop(instance_id, None)
        if lease_id is not None:
            with suppress(UnknownLease, *NOT_REACHED):
                self._guard.release_lease(lease_id)

    def keep(self) -> None:
        """Renew every lease; where one has ended while nobody could renew it, take the seat again."""
        with self._lock:
            leases = dict(self._leases)
        for instance_id, lease_id in leases.items():
            with suppress(Refused):
                try:
                    self._guard.renew_lease(lease_id, SEAT_LASTS)
                except UnknownLease:
                    self._take_again(instance_id)

    def forget(self, instance_ids: AbstractSet[str]) -> None:
        """Give back what instances held that are no more."""
        for lease in self._guard.leases(PRIVATE_INSTANCES):
            if lease.holder in instance_ids:
                with suppress(UnknownLease):
                    self._guard.release_lease(lease.id)

    def _take_again(self, instance_id: str) -> None:
        if not self._guard.status().usable:
            return
        lease = self._guard.lease(PRIVATE_INSTANCES, instance_id, SEAT_LASTS)
        with self._lock:
            is_there = instance_id in self._leases
            if is_there:
                self._leases[instance_id] = lease.id
        if not is_there:  # it has just been stopped
            with suppress(UnknownLease):
                self._guard.release_lease(lease.id)
