"""The guard: facts and rules together. The public API of Placet for a product that enforces licenses.

A guard answers "may this happen now?" (:meth:`Guard.check`, :meth:`Guard.require`), counts what is used
(:meth:`Guard.allocation`, :meth:`Guard.allocate`, :meth:`Guard.releasing`) and consumed (:meth:`Guard.consume`,
:meth:`Guard.block`), and looks after the license itself
(:meth:`Guard.status`, :meth:`Guard.install`, :meth:`Guard.request`). It is safe for threads. Refusals are
:class:`Refused`; a call that contradicts the product's definition is a ``ProductError``. Where the database fails as a
whole, that is a :class:`DatabaseFailed`: :class:`DatabaseUnavailable`, :class:`OutcomeUnknown`,
:class:`DatabaseDamaged`.
"""

from typing import Self

from placet.enforcement import Policy, Product
from placet.guard.counting import Counting, Grant
from placet.guard.installing import AcknowledgementRequired, Outcome
from placet.guard.licensing import Licensing, StatusListOutdated, UnknownLicense
from placet.guard.metering import Consumption, KeyReused, Metering, UnknownBlock, Wanted
from placet.guard.reserving import TooManyReserved, UnknownReservation
from placet.guard.seating import Queued, Seating, UnknownLease
from placet.license.keys import TrustStore
from placet.store.database import Database, DatabaseUnusable
from placet.store.failures import (
    DatabaseDamaged,
    DatabaseFailed,
    DatabaseUnavailable,
    NestedTransaction,
    OutcomeUnknown,
)
from placet.store.history import Retention
from placet.store.seats import Lease

__all__ = [
    "AcknowledgementRequired",
    "Consumption",
    "DatabaseDamaged",
    "DatabaseFailed",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Grant",
    "Guard",
    "KeyReused",
    "Lease",
    "NestedTransaction",
    "Outcome",
    "OutcomeUnknown",
    "Queued",
    "Retention",
    "StatusListOutdated",
    "TooManyReserved",
    "UnknownBlock",
    "UnknownLease",
    "UnknownLicense",
    "UnknownReservation",
    "Wanted",
]


class Guard(Licensing, Counting, Metering, Seating):
    """Guards one installation of one product.

    ``clock`` answers seconds since the epoch; each decision and each status is of one moment.
    """

    @classmethod
    def open(
        cls,
        url: str,
        product: Product,
        trust: bytes,
        *,
        policy: Policy | None = None,
        retention: Retention | None = None,
    ) -> Self:
        """Open a guard on the database at ``url`` (SQLAlchemy's form) with a trust store file's content.

        Raises ``DatabaseUnusable`` and ``KeyUnusable``.
        """
        store = TrustStore.from_jwks(trust)
        return cls(Database.open(url), product, store, policy=policy, retention=retention)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
