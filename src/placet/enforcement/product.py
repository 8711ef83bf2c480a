"""What a product licenses: its features, its operations, and what each operation needs and consumes.

A vendor who embeds Placet writes one :class:`Product`; the Platform Server's own is
``placet.platform.product.PLATFORM_SERVER``. Definitions are data: names are stable identifiers in licenses and
APIs, titles are what people read.
"""

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from placet.enforcement.codes import Code
from placet.license.terms import Period

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class ProductError(ValueError):
    """A product definition or a call that contradicts it: the programmer's mistake, never a refusal."""


class Switch(msgspec.Struct, frozen=True):
    """A feature that is on or off: on where the license names it."""

    name: str
    title: str


class Limit(msgspec.Struct, frozen=True):
    """A feature with a maximum, whose usage is the sum of its allocations.

    ``included`` is the maximum where the license does not name the limit: 0 grants nothing (the default),
    ``None`` does not limit it. ``reached`` and ``reached_tolerated`` are the messages for an operation that would
    go past the limit, and past it within the tolerance.
    """

    name: str
    title: str
    included: int | None = 0
    reached: Code = Code.LIMIT_REACHED
    reached_tolerated: Code = Code.LIMIT_REACHED_TOLERATED


class Metered(msgspec.Struct, frozen=True):
    """A feature whose consumption is counted from zero in each ``period``; the license may name another period.

    The other fields are those of :class:`Limit`.
    """

    name: str
    title: str
    period: Period = Period.MONTH
    included: int | None = 0
    reached: Code = Code.LIMIT_REACHED
    reached_tolerated: Code = Code.LIMIT_REACHED_TOLERATED


class Seats(msgspec.Struct, frozen=True):
    """A feature used by so many at the same time, each for as long as it holds a lease.

    The other fields are those of :class:`Limit`.
    """

    name: str
    title: str
    included: int | None = 0
    reached: Code = Code.LIMIT_REACHED
    reached_tolerated: Code = Code.LIMIT_REACHED_TOLERATED


Counted = Limit | Metered | Seats
Feature = Switch | Counted


class Operation(msgspec.Struct, frozen=True):
    """What somebody tries to do: ``requires`` a switch, ``consumes`` units of limits.

    ``by_itself``: the product does it, not a person; it is not listed among what people can do.
    """

    name: str
    requires: str | None = None
    consumes: tuple[str, ...] = ()
    by_itself: bool = False


class Product(msgspec.Struct, frozen=True, dict=True):
    """A product's features and operations; raises :class:`ProductError` where they contradict each other."""

    name: str
    features: tuple[Feature, ...]
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        names = [item.name for item in (*self.features, *self.operations)]
        for name in names:
            if _NAME.fullmatch(name) is None:
                raise ProductError(f"{name!r} is not a name: lower-case letters, digits and underscores, at most 63.")
        if len(self.by_name) < len(self.features) or len(self._operations) < len(self.operations):
            raise ProductError(f"The product {self.name!r} defines a feature or an operation twice.")
        for operation in self.operations:
            if operation.requires is not None and not isinstance(self.by_name.get(operation.requires), Switch):
                raise ProductError(f"{operation.name!r} requires {operation.requires!r}, which is not a switch.")
            for name in operation.consumes:
                if not isinstance(self.by_name.get(name), Limit):
                    raise ProductError(f"{operation.name!r} consumes {name!r}, which is not a limit.")

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def _operations(self) -> Mapping[str, Operation]:
        return {operation.name: operation for operation in self.operations}

    @property
    def tasks(self) -> tuple[Operation, ...]:
        """The operations that people do."""
        return tuple(operation for operation in self.operations if not operation.by_itself)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The features that have a maximum and a usage."""
        return tuple(feature for feature in self.features if isinstance(feature, Limit))

    @property
    def metered(self) -> tuple[Metered, ...]:
        """The features whose consumption is counted per period."""
        return tuple(feature for feature in self.features if isinstance(feature, Metered))

    @property
    def seats(self) -> tuple[Seats, ...]:
        """The features used by so many at the same time."""
        return tuple(feature for feature in self.features if isinstance(feature, Seats))

    def operation(self, name: str) -> Operation:
        """Answer the operation ``name``; raises :class:`ProductError` where the product has none."""
        try:
            return self._operations[name]
        except KeyError:
            known = ", ".join(self._operations)
            raise ProductError(f"{self.name!r} has no operation {name!r}; it has: {known}.") from None
