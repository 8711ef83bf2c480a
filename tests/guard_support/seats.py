"""Guards of a product with seats, and what its database says of them."""

import time
from datetime import timedelta
from typing import Any

from guard_support.guards import Clock, opened
from placet.enforcement import Code, Limit, Product, Refused, Seats, Switch
from placet.guard import Guard, Lease
from placet.license import Grant
from placet.store import usage

SEATED = Product(
    "seated",
    features=(
        Switch("run", "Run"),
        Limit("units", "Units", included=None),
        Seats("desks", "Desks"),
        Seats("chairs", "Chairs", included=None),
    ),
    operations=(),
)
MINUTE = timedelta(minutes=1)
SHORT = timedelta(seconds=1)
BRIEF = timedelta(seconds=3)
"""Long enough to look at it before it ends, on a machine that is busy."""


def seats(units: int, tolerance_percent: int = 0) -> Grant:
    return Grant(kind="seats", limit=units, tolerance_percent=tolerance_percent)


def seated(url: str, clock: Clock | None = None) -> Guard:
    """A guard of the product with seats."""
    return opened(url, clock, product=SEATED)


def taken(guard: Guard, feature: str = "desks") -> int:
    """The seats that the database counts; they are the sum of the leases."""
    with guard.database.read() as connection:
        assert usage.drifts(connection) == []
        return usage.usage(connection)[feature]


def refusal(guard: Guard, holder: str, **options: Any) -> Code | None:
    """Why a holder was refused a desk, if it was."""
    try:
        guard.lease("desks", holder, options.pop("ttl", MINUTE), **options)
    except Refused as error:
        return error.decision.code
    return None


def let_end(lease: Lease) -> None:
    """Wait until a lease has ended; the database's clock is this machine's."""
    time.sleep(max(0.0, lease.expires_at.timestamp() - time.time()) + 0.05)


def holders(leases: list[Lease]) -> list[str]:
    return [lease.holder for lease in leases]
