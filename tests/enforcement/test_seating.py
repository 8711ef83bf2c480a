"""Who may have a seat: the license, what is reserved, who was there before, and what has to be left."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, NOW, SERIAL, a_verified_license
from placet.enforcement import Code, Decision, Facts, Policy, Product, ProductError, Seats, Status, evaluate
from placet.enforcement.seating import (
    Claim,
    Reservation,
    Room,
    SeatRules,
    SubjectKind,
    decide_borrow,
    decide_seats,
)
from placet.license import Grant

PRODUCT = Product("seats", features=(Seats("desks", "Desks"), Seats("chairs", "Chairs", included=None)), operations=())


def status(used: int = 0, *, limit: int = 5, tolerance: int = 0, **facts: Any) -> Status:
    grant = Grant(kind="seats", limit=limit, tolerance_percent=tolerance)
    known = {"serial_number": SERIAL, "license": a_verified_license(features={"desks": grant})} | facts
    return evaluate(Facts(usage={"desks": used, "chairs": used}, **known), PRODUCT, NOW, Policy())


def reserved(amount: int, *, user: str | None = None, group: str | None = None) -> Reservation:
    kind = SubjectKind.USER if user else SubjectKind.GROUP
    return Reservation(feature="desks", subject_kind=kind, subject=user or group or "", amount=amount)


def claim(holder: str = "ann", amount: int = 1, group: str | None = None) -> Claim:
    return Claim(holder, group, amount)


def decided(found: Status, asked: Claim | None = None, held: int = 0, **room: Any) -> Decision:
    return decide_seats(found, "desks", asked or claim(), held, Room(**room))


def code(*arguments: Any, **room: Any) -> Code | None:
    decision = decided(*arguments, **room)
    assert decision.allowed is (decision.code in {None, Code.LIMIT_REACHED_TOLERATED})
    return decision.code


def test_the_license_is_asked_first() -> None:
    assert code(status(4)) is None
    assert code(status(5)) is Code.LIMIT_REACHED
    assert code(status(3), claim(amount=3)) is Code.LIMIT_REACHED
    assert code(status(license=None)) is Code.OPERATION_NO_LICENSE
    assert code(status(5, tolerance=20)) is Code.LIMIT_REACHED_TOLERATED
    assert code(status(6, tolerance=20)) is Code.LIMIT_REACHED
    with pytest.raises(ProductError):
        decide_seats(status(), "tables", claim(), 0, Room())


def test_who_keeps_what_it_holds_is_not_asked_about_others() -> None:
    others = {"reservations": (reserved(5, user="bob"),), "ahead": (claim("bob", 5),)}
    assert code(status(5), claim(), 1, **others) is None
    assert code(status(5), claim(amount=1), 2, **others) is None
    assert code(status(4), claim(amount=2), 1, **others) is Code.RESERVED_FOR_OTHERS


def test_a_renewal_is_refused_while_more_is_taken_than_tolerated() -> None:
    assert code(status(6), claim(), 1) is Code.LIMIT_REACHED
    assert code(status(6, tolerance=20), claim(), 1) is None
    assert code(status(6), claim(amount=1), 2) is None
    assert code(status(license=None), claim(), 1) is Code.OPERATION_NO_LICENSE


def test_what_is_not_limited_is_given_to_everybody() -> None:
    room = Room(reservations=(reserved(5, user="bob"),), ahead=(claim("bob", 5),))
    assert decide_seats(status(10**6), "chairs", claim(), 0, room).allowed


def test_reserved_seats_are_for_those_alone() -> None:
    for_bob = {"reservations": (reserved(2, user="bob"),)}
    assert code(status(2), **for_bob) is None
    assert code(status(3), **for_bob) is Code.RESERVED_FOR_OTHERS
    assert code(status(3), claim("bob", 2), **for_bob) is None
    assert code(status(3), claim("bob", 3), **for_bob) is Code.LIMIT_REACHED
    assert code(status(3), claim("bob", group="bob"), reservations=(reserved(2, group="bob"),)) is None
    assert code(status(3), claim("bob"), reservations=(reserved(2, group="bob"),)) is Code.RESERVED_FOR_OTHERS
    told = decided(status(3), **for_bob)
    assert told.diagnosis == (
        "Reserved: 3 of 5 Desks are taken, and 2 of those that are free are reserved for others; this needs 1."
    )
    assert told.message == "Cannot perform the operation because the Desks that are free are reserved for others"
    assert (told.feature, told.used, told.limit, told.requested) == ("desks", 3, 5, 1)


def test_reservations_are_drawn_on_first() -> None:
    """Bob, who has two reserved, holds one: one is still kept for him, and not two."""
    room = {"reservations": (reserved(2, user="bob"),), "leases": (claim("bob"),)}
    assert code(status(3), **room) is None
    assert code(status(4), **room) is Code.RESERVED_FOR_OTHERS
    assert code(status(4), claim("bob", 2), 1, **room) is None


def test_own_reservations_come_before_the_groups() -> None:
    both = (reserved(1, user="bob"), reserved(1, group="design"))
    held = {"reservations": both, "leases": (claim("bob", 1, "design"),)}
    assert code(status(4), claim("cyd", 1, "design"), **held) is None
    held["leases"] = (claim("bob", 2, "design"),)
    assert code(status(4), claim("ann"), **held) is None
    assert code(status(4), claim("cyd", 1, "design"), **held) is None


def test_a_license_with_fewer_seats_than_are_reserved() -> None:
    many = {"reservations": (reserved(4, user="zoe"), reserved(4, user="bob"), reserved(4, group="design"))}
    assert code(status(0), claim("cyd", 4, "design"), **many) is None  # groups come first, then the names
    assert code(status(0), claim("bob", 1), **many) is None
    assert code(status(0), claim("zoe", 1), **many) is Code.RESERVED_FOR_OTHERS


def test_nobody_overtakes() -> None:
    waiting = {"ahead": (claim("bob", 1), claim("cyd", 1))}
    assert code(status(2), **waiting) is None
    assert code(status(3), **waiting) is Code.QUEUED_BEHIND_OTHERS
    assert decided(status(3), **waiting).diagnosis == (
        "Others are waiting: 3 of 5 Desks are taken, and 2 came before this, which needs 1."
    )
    assert code(status(5), **waiting) is Code.LIMIT_REACHED


def test_who_waits_for_many_gets_them_in_the_end() -> None:
    assert code(status(2), ahead=(claim("bob", 4),)) is Code.QUEUED_BEHIND_OTHERS


def test_who_cannot_have_reserved_seats_does_not_keep_others_from_them() -> None:
    room = {"reservations": (reserved(2, user="ann"),), "ahead": (claim("bob", 1),)}
    assert code(status(3), claim("ann", 2), **room) is None
    assert code(status(2), claim("ann", 3), **room) is Code.QUEUED_BEHIND_OTHERS
    assert code(status(3), claim("cyd"), **room) is Code.RESERVED_FOR_OTHERS


def borrowed(found: Status, period: timedelta, held: int = 0, **rules: Any) -> Decision:
    return decide_borrow(found, "desks", claim(), held, Room(), rules=SeatRules(**rules), period=period)


def test_borrowing_leaves_seats_for_others() -> None:
    assert borrowed(status(2), DAY, low_water_mark=2).allowed
    told = borrowed(status(3), DAY, low_water_mark=2)
    assert (told.code, told.operation) == (Code.LOW_WATER_MARK, "borrow")
    assert told.message == "Cannot perform the operation because fewer than 2 Desks would be left for others"
    assert told.diagnosis == "Low-water mark: 3 of 5 Desks are taken, and 1 would be left."
    assert borrowed(status(3), DAY, held=1, low_water_mark=2).allowed
    assert borrowed(status(4), DAY, held=1, low_water_mark=2).code is Code.LOW_WATER_MARK
    assert borrowed(status(5), DAY, low_water_mark=2).code is Code.LIMIT_REACHED
    assert borrowed(status(5, tolerance=40), DAY, low_water_mark=1).code is Code.LOW_WATER_MARK
    unlimited = decide_borrow(status(9), "chairs", claim(), 0, Room(), rules=SeatRules(low_water_mark=5), period=DAY)
    assert unlimited.allowed


def test_borrowing_is_for_a_time() -> None:
    assert borrowed(status(), DAY, longest_borrow=DAY).allowed
    told = borrowed(status(), 3 * DAY, longest_borrow=DAY)
    assert told.code is Code.BORROW_TOO_LONG
    assert told.message == "Cannot perform the operation because Desks can be borrowed for 24 hours at most"
    assert told.diagnosis == "Too long: it was to be borrowed for 3 days."
    assert borrowed(status(), 30 * DAY).allowed
    assert borrowed(status(), 31 * DAY).code is Code.BORROW_TOO_LONG


NAMES = st.sampled_from(["ann", "bob", "cyd"])
CLAIMS = st.builds(Claim, NAMES, st.none() | NAMES, st.integers(1, 3))
RESERVATIONS = st.lists(
    st.builds(
        Reservation,
        feature=st.just("desks"),
        subject_kind=st.sampled_from(SubjectKind),
        subject=NAMES,
        amount=st.integers(1, 4),
    ),
    unique_by=lambda item: (item.subject_kind, item.subject),
)


@given(CLAIMS, st.lists(CLAIMS, max_size=4), RESERVATIONS, st.lists(CLAIMS, max_size=3), st.integers(0, 3))
def test_whoever_comes_the_limit_and_the_reservations_hold(
    asked: Claim, leases: list[Claim], reservations: list[Reservation], ahead: list[Claim], others: int
) -> None:
    used = sum(lease.amount for lease in leases) + others
    room = Room(reservations=tuple(reservations), leases=tuple(leases), ahead=tuple(ahead))
    decision = decide_seats(status(used, limit=12), "desks", asked, 0, room)
    alone = decide_seats(status(used, limit=12), "desks", asked, 0, Room(ahead=tuple(ahead)))
    if decision.allowed:
        assert used + asked.amount <= 12
    if not reservations and not ahead:
        assert decision.allowed is (used + asked.amount <= 12)
    own = {*asked.subjects()} & {(item.subject_kind, item.subject) for item in reservations}
    if decision.allowed and not own:
        assert alone.allowed
