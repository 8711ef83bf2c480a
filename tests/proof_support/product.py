"""The product that is fought for: one feature of each kind that counts."""

from placet.enforcement import Limit, Metered, Operation, Product, Seats
from placet.license import Grant
from placet.license.terms import Period

UNITS, SLOTS, CALLS, DESKS = "units", "slots", "calls", "desks"

FOUGHT_FOR = Product(
    "fought_for",
    features=(
        Limit(UNITS, "Units"),
        Limit(SLOTS, "Slots"),
        Metered(CALLS, "Calls", period=Period.DAY),
        Seats(DESKS, "Desks"),
    ),
    operations=(Operation("publish", consumes=(UNITS,)), Operation("publish_with_slots", consumes=(UNITS, SLOTS))),
)

_KINDS = {UNITS: "limit", SLOTS: "limit", CALLS: "metered", DESKS: "seats"}


def grants(most: dict[str, int], tolerance_percent: int = 0) -> dict[str, Grant]:
    """What a license grants that allows so much of each feature."""
    return {
        name: Grant(kind=_KINDS[name], limit=units, tolerance_percent=tolerance_percent) for name, units in most.items()
    }
