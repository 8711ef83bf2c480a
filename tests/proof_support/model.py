"""The ledger as anybody would write it who has dictionaries, sums and one caller at a time. No code of Placet's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proof_support.product import CALLS, DESKS, SLOTS, UNITS


@dataclass
class Block:
    day: int
    size: int
    used: int | None = None

    @property
    def counted(self) -> int:
        return self.size if self.used is None else self.used


@dataclass
class Model:
    """What is licensed, and what is held, consumed and leased. ``day`` is the number of the day."""

    limits: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)  # with what is tolerated
    strict: bool = True
    day: int = 0
    held: dict[str, dict[str, int]] = field(default_factory=lambda: {UNITS: {}, SLOTS: {}})
    days: list[int] = field(default_factory=list)  # on which anything was counted, in their order
    keys: dict[tuple[int, str], int] = field(default_factory=dict)
    blocks: dict[int, Block] = field(default_factory=dict)
    seats: dict[str, int] = field(default_factory=dict)

    def total(self, feature: str) -> int:
        if feature == DESKS:
            return sum(self.seats.values())
        return self.calls(self.day) if feature == CALLS else sum(self.held[feature].values())

    def calls(self, day: int) -> int:
        keyed = sum(amount for (on, _), amount in self.keys.items() if on == day)
        return keyed + sum(block.counted for block in self.blocks.values() if block.day == day)

    def over(self) -> set[str]:
        return {name for name in (UNITS, SLOTS) if self.total(name) > self.most[name]}

    # Limits

    def may_hold(self, holder: str, wanted: Mapping[str, int]) -> bool:
        growing = {name for name, units in wanted.items() if units > self.held[name].get(holder, 0)}
        if self.over() if self.strict else self.over() & growing:
            return False
        after = {name: self.total(name) - self.held[name].get(holder, 0) + wanted[name] for name in growing}
        return all(after[name] <= self.most[name] for name in growing)

    def hold(self, holder: str, wanted: Mapping[str, int]) -> None:
        for name, units in wanted.items():
            self.held[name][holder] = units

    # Consumption

    def _is_usable(self, feature: str) -> bool:
        return self.limits[feature] > 0 and not (self.strict and self.over())

    def left(self) -> int:
        return self.most[CALLS] - self.calls(self.day) if self._is_usable(CALLS) else 0

    def known(self, key: str) -> int | None:
        """What was consumed under a key on the last two days on which anything was."""
        amounts = [self.keys[day, key] for day in self.days[-2:] if (day, key) in self.keys]
        return amounts[0] if amounts else None

    def consume(self, key: str, amount: int) -> None:
        self._count()
        self.keys[self.day, key] = amount

    def take(self, block_id: int, size: int) -> None:
        self._count()
        self.blocks[block_id] = Block(self.day, size)

    def _count(self) -> None:
        if self.day not in self.days:
            self.days.append(self.day)

    # Seats

    def may_sit(self, holder: str, amount: int) -> bool:
        if not self._is_usable(DESKS):
            return False
        has, total = self.seats.get(holder, 0), self.total(DESKS)
        if total > self.most[DESKS]:  # somebody has to go: fewer seats are all that one may have
            return amount < has
        return amount <= has or total - has + amount <= self.most[DESKS]
