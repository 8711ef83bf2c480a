"""Placet: licensing for software that customers run on their own servers.

What a product that embeds Placet needs is here; it is imported when it is first asked for, so that
``import placet`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from placet.enforcement import Code, Decision, Limit, Operation, Policy, Product, Refused, Status, Switch
    from placet.guard import Guard

__version__ = "0.1.0"

__all__ = [
    "Code",
    "Decision",
    "Guard",
    "Limit",
    "Operation",
    "Policy",
    "Product",
    "Refused",
    "Status",
    "Switch",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'placet' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module("placet.guard" if name == "Guard" else "placet.enforcement"), name)
