"""Guards with a clock of their own, and licenses for them."""

from datetime import datetime, timedelta
from typing import Any

from builders import NOW, PRODUCT, TRUST, a_license
from placet.enforcement import Policy, Product
from placet.guard import Guard, Outcome
from placet.license import TrustStore
from placet.store import audit, usage
from placet.store.audit import AuditEvent
from placet.store.database import Database


class Clock:
    """A clock that shows what it is set to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now.timestamp()

    def go_on(self, period: timedelta) -> None:
        self.now += period


def opened(
    url: str,
    clock: Clock | None = None,
    *,
    product: Product = PRODUCT,
    trust: TrustStore = TRUST,
    policy: Policy | None = None,
) -> Guard:
    """A guard on the database at ``url``, as one process has it."""
    return Guard(Database.open(url), product, trust, policy=policy, clock=clock or Clock())


def license_for(guard: Guard, **claims: Any) -> bytes:
    """A license file issued to the guard's server; it grants everything there is."""
    return a_license(**({"serial_number": guard.status().serial_number} | claims))


def install(guard: Guard, *, acknowledge: bool = False, **claims: Any) -> Outcome:
    """Install a license issued to the guard's server."""
    return guard.install(license_for(guard, **claims), acknowledge=acknowledge)


def allocate(guard: Guard, holder: str, units: int) -> None:
    """Let a module hold so many Software Units."""
    with guard.allocation("publish", holder, software_units=units):
        pass


def used(guard: Guard, feature: str = "software_units") -> int:
    """The units in use by the database; the sum of what is held is the total."""
    with guard.database.read() as connection:
        held = usage.allocations_of(connection, feature)
        total = usage.usage(connection)[feature]
        assert usage.drifts(connection) == []
    assert sum(item.amount for item in held) == total
    return total


def audited(guard: Guard) -> list[AuditEvent]:
    """The audit trail, newest first."""
    with guard.database.read() as connection:
        return audit.events(connection)
