"""Who may have a seat: what the license says first, then what is reserved, and who has been waiting.

The rules, in the order they are asked; the first that holds refuses:

1. the license does not allow it, or all its seats are taken       → as :func:`placet.enforcement.decide_use` says
2. a renewal while more seats are taken than are tolerated         → ``limit_reached``, or the feature's own
3. what is free is reserved for others                             → ``reserved_for_others``
4. others have been waiting for what is free                       → ``queued_behind_others``

and, to borrow a seat for a time without the server:

5. the period is longer than the administrator allows              → ``borrow_too_long``
6. fewer seats than the low-water mark would be left               → ``low_water_mark``

Whoever has reserved seats draws on them first: the holder's own, then its group's, then on what anybody may take. Who
is ahead in the queue sets aside what it could have, so that nobody overtakes, and one that waits for many gets them in
the end; seats that it could not have, because they are reserved for others, it does not keep from those. Where the
license has fewer seats than are reserved, the first reservations in the order of kind and name count.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

import msgspec

from placet.enforcement.codes import Cause, Code
from placet.enforcement.decision import Amount, Decision, decide_use, refuse_use
from placet.enforcement.messages import Diagnosed, cause, period_text
from placet.enforcement.status import FeatureStatus, Status


class SubjectKind(StrEnum):
    """What seats can be reserved for."""

    USER = "user"
    GROUP = "group"


Subject = tuple[SubjectKind, str]


class Claim(msgspec.Struct, frozen=True):
    """Seats that a holder has, or is to have; ``group`` is the one whose reservations it may draw on."""

    holder: str
    group: str | None
    amount: int

    def subjects(self) -> Iterator[Subject]:
        """Whose reservations it draws on, in this order."""
        yield SubjectKind.USER, self.holder
        if self.group is not None:
            yield SubjectKind.GROUP, self.group


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """``amount`` seats of a feature that only ``subject`` may have."""

    feature: str
    subject_kind: SubjectKind
    subject: str
    amount: int


class SeatRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator says about borrowing: the seats that have to be left, and for how long one may be away."""

    low_water_mark: int = 0
    longest_borrow: timedelta = timedelta(days=30)


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What bears on a seat beside the license.

    ``leases`` are the living ones of those who have reservations, ``ahead`` the requests that come before the one that
    is decided, the first one first.
    """

    reservations: tuple[Reservation, ...] = ()
    leases: tuple[Claim, ...] = ()
    ahead: tuple[Claim, ...] = ()


def decide_seats(
    status: Status, feature: str, claim: Claim, held: int, room: Room, *, operation: str = "lease"
) -> Decision:
    """Decide whether a holder of ``held`` seats may have ``claim.amount`` of them (both absolute).

    Raises :class:`ProductError` like :func:`decide_use`.
    """
    found = status.features.get(feature)
    decision = decide_use(status, operation, feature, Amount(claim.amount, _counted(found, claim, held)))
    growth = Claim(claim.holder, claim.group, claim.amount - held)
    if not decision.allowed or found is None or found.tolerated_limit is None or growth.amount <= 0:
        return decision  # 1, 2
    amount, free = Amount(claim.amount, held), found.tolerated_limit - (found.used or 0)
    seats = _free_seats(free, room)
    reserved = free - _within_reach(seats, growth)
    if free - reserved < growth.amount:  # 3
        why = _cause(status, Cause.RESERVED, found, requested=growth.amount, reserved=reserved)
        return refuse_use(status, operation, feature, amount, code=Code.RESERVED_FOR_OTHERS, why=why)
    for other in room.ahead:
        _draw(seats, other)
    if _draw(seats, growth) < growth.amount:  # 4
        why = _cause(status, Cause.QUEUED, found, requested=growth.amount, ahead=len(room.ahead))
        return refuse_use(status, operation, feature, amount, code=Code.QUEUED_BEHIND_OTHERS, why=why)
    return decision


def decide_borrow(
    status: Status, feature: str, claim: Claim, held: int, room: Room, *, rules: SeatRules, period: timedelta
) -> Decision:
    """Decide whether a holder may have seats for ``period`` without asking again."""
    decision = decide_seats(status, feature, claim, held, room, operation="borrow")
    if not decision.allowed:
        return decision
    found, amount = status.features[feature], Amount(claim.amount, held)
    if period > rules.longest_borrow:  # 5
        asked, longest = (period_text(each, status.policy.locale) for each in (period, rules.longest_borrow))
        why = cause(Cause.TOO_LONG, status.policy.locale, period=asked)
        return refuse_use(status, "borrow", feature, amount, code=Code.BORROW_TOO_LONG, why=why, period=longest)
    left = None if found.limit is None else found.limit - (found.used or 0) - max(0, claim.amount - held)
    if left is not None and left < rules.low_water_mark:  # 6
        why = _cause(status, Cause.LOW_WATER, found, left=max(0, left))
        mark = str(rules.low_water_mark)
        return refuse_use(status, "borrow", feature, amount, code=Code.LOW_WATER_MARK, why=why, number=mark)
    return decision


def _counted(found: FeatureStatus | None, claim: Claim, held: int) -> int:
    """What the holder's own seats count for: where too many are taken, who keeps what it has asks as if anew."""
    is_full = found is not None and found.tolerated_limit is not None and (found.used or 0) > found.tolerated_limit
    return 0 if is_full and claim.amount == held else held


def _free_seats(free: int, room: Room) -> dict[Subject | None, int]:
    """The free seats by whom they are reserved for; ``None`` is anybody."""
    seats: dict[Subject | None, int] = {}
    for item in sorted(room.reservations, key=lambda item: (item.subject_kind, item.subject)):
        seats[item.subject_kind, item.subject] = item.amount
    for lease in room.leases:
        _draw(seats, lease)
    for subject, unused in seats.items():
        seats[subject] = min(unused, free)
        free -= seats[subject]
    seats[None] = free
    return seats


def _within_reach(seats: dict[Subject | None, int], claim: Claim) -> int:
    return sum(seats.get(subject, 0) for subject in (*claim.subjects(), None))


def _draw(seats: dict[Subject | None, int], claim: Claim) -> int:
    """Take what a claim can have of the seats, its amount at most; answers how many that is."""
    rest = claim.amount
    for subject in (*claim.subjects(), None):
        taken = min(seats.get(subject, 0), rest)
        if taken:
            seats[subject] -= taken
            rest -= taken
    return claim.amount - rest


def _cause(status: Status, code: Cause, found: FeatureStatus, **numbers: int) -> Diagnosed:
    return cause(code, status.policy.locale, feature=found.title, used=found.used, limit=found.limit, **numbers)
