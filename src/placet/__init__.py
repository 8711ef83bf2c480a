"""Placet: licensing for software that customers run on their own servers.

What a product that embeds Placet needs is here; it is imported when it is first asked for, so that
``import placet`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from placet.enforcement import (
        Code,
        Decision,
        Limit,
        Metered,
        Operation,
        Policy,
        Product,
        ProductError,
        Refused,
        Seats,
        Status,
        Switch,
    )
    from placet.guard import (
        DatabaseDamaged,
        DatabaseFailed,
        DatabaseUnavailable,
        DatabaseUnusable,
        Guard,
        KeyReused,
        Lease,
        NestedTransaction,
        OutcomeUnknown,
        Queued,
    )

__version__ = "0.1.0"

__all__ = [
    "Code",
    "DatabaseDamaged",
    "DatabaseFailed",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Decision",
    "Guard",
    "KeyReused",
    "Lease",
    "Limit",
    "Metered",
    "NestedTransaction",
    "Operation",
    "OutcomeUnknown",
    "Policy",
    "Product",
    "ProductError",
    "Queued",
    "Refused",
    "Seats",
    "Status",
    "Switch",
    "__version__",
]

_OF_GUARD = frozenset(
    {
        "DatabaseDamaged",
        "DatabaseFailed",
        "DatabaseUnavailable",
        "DatabaseUnusable",
        "Guard",
        "KeyReused",
        "Lease",
        "NestedTransaction",
        "OutcomeUnknown",
        "Queued",
    }
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'placet' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module("placet.guard" if name in _OF_GUARD else "placet.enforcement"), name)
