"""What an administrator says of seats: reservations, and what borrowing has to leave; and borrowed seats."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from builders import DAY, SECOND
from guard_support.guards import Clock, audited, install
from guard_support.seats import MINUTE, holders, refusal, seated, seats, taken
from placet.enforcement import Code, ProductError, Refused
from placet.enforcement.seating import Reservation, SeatRules, SubjectKind
from placet.guard import Guard, TooManyReserved, UnknownReservation
from placet.license import Diagnosis, DocumentRejected
from placet.license.lease import verify_lease
from placet.store.audit import Event
from placet.store.installation import read_installation

USER, GROUP = SubjectKind.USER, SubjectKind.GROUP


@pytest.fixture
def guard(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server with four desks."""
    found = seated(database_url, clock)
    install(found, features={"desks": seats(4)})
    yield found
    found.close()


def test_reserved_seats_are_kept_for_those_alone(guard: Guard) -> None:
    guard.reserve_seats("desks", USER, "ann", 1, actor="root")
    guard.reserve_seats("desks", GROUP, "design", 2, actor="root")
    assert guard.reservations("desks") == [
        Reservation(feature="desks", subject_kind=GROUP, subject="design", amount=2),
        Reservation(feature="desks", subject_kind=USER, subject="ann", amount=1),
    ]
    assert [refusal(guard, "bob"), refusal(guard, "cyd")] == [None, Code.RESERVED_FOR_OTHERS]
    assert refusal(guard, "cyd", group="sales") is Code.RESERVED_FOR_OTHERS
    assert [refusal(guard, "cyd", group="design"), refusal(guard, "dan", group="design")] == [None, None]
    assert refusal(guard, "eve", group="design") is Code.RESERVED_FOR_OTHERS
    assert refusal(guard, "ann") is None
    assert refusal(guard, "ann", amount=2) is Code.LIMIT_REACHED
    assert [denial.reason for denial in guard.denials()][-1] == Code.RESERVED_FOR_OTHERS
    events = [event for event in audited(guard) if event.event == Event.SEATS_RESERVED]
    assert [(event.actor, event.subject, event.detail["amount"]) for event in events] == [
        ("root", "desks", 2),
        ("root", "desks", 1),
    ]


def test_reservations_are_changed_and_ended(guard: Guard) -> None:
    guard.reserve_seats("desks", USER, "ann", 4)
    assert refusal(guard, "bob") is Code.RESERVED_FOR_OTHERS
    guard.reserve_seats("desks", USER, "ann", 3)
    assert refusal(guard, "bob") is None
    guard.unreserve_seats("desks", USER, "ann")
    assert refusal(guard, "cyd") is None
    with pytest.raises(UnknownReservation):
        guard.unreserve_seats("desks", USER, "ann")
    assert [event.event for event in audited(guard)][:1] == [Event.SEATS_UNRESERVED]


def test_no_more_is_reserved_than_there_is(guard: Guard) -> None:
    guard.reserve_seats("desks", USER, "ann", 2)
    with pytest.raises(TooManyReserved, match=r"has 4 Desks, and 5 would be reserved"):
        guard.reserve_seats("desks", GROUP, "ann", 3)
    guard.reserve_seats("desks", USER, "ann", 4)
    guard.reserve_seats("chairs", USER, "ann", 1000)


def test_who_has_a_seat_keeps_it_when_it_is_reserved(guard: Guard) -> None:
    lease = guard.lease("desks", "bob", MINUTE, amount=4)
    guard.reserve_seats("desks", USER, "ann", 4)
    assert guard.renew_lease(lease.id, MINUTE).amount == 4
    assert refusal(guard, "ann") is Code.LIMIT_REACHED


def test_rules_are_kept(guard: Guard) -> None:
    assert guard.seat_rules("desks") == SeatRules(low_water_mark=0, longest_borrow=30 * DAY)
    rules = SeatRules(low_water_mark=2, longest_borrow=7 * DAY)
    for _ in range(2):
        guard.set_seat_rules("desks", rules, actor="root")
    assert guard.seat_rules("desks") == rules
    assert guard.seat_rules("chairs") == SeatRules()
    assert audited(guard)[0].detail == {"low_water_mark": 2, "longest_borrow_seconds": 604_800}


def test_the_defaults_hold_again(guard: Guard) -> None:
    guard.set_seat_rules("desks", SeatRules(low_water_mark=2, longest_borrow=7 * DAY))
    guard.set_seat_rules("chairs", SeatRules(low_water_mark=1))
    for _ in range(2):
        assert guard.reset_seat_rules("desks", actor="root") == SeatRules()
    assert guard.seat_rules("desks") == SeatRules()
    assert guard.seat_rules("chairs") == SeatRules(low_water_mark=1)
    found = [(event.event, event.actor, event.subject) for event in audited(guard)[:2]]
    assert found == [("seats.rules_reset", "root", "desks"), ("seats.rules_changed", "system", "chairs")]
    with pytest.raises(ProductError):
        guard.reset_seat_rules("nothing")


@pytest.mark.parametrize(
    "rules",
    [
        SeatRules(low_water_mark=-1),
        SeatRules(low_water_mark=10**13),
        SeatRules(longest_borrow=-SECOND),
        SeatRules(longest_borrow=367 * DAY),
    ],
)
def test_rules_that_make_no_sense(guard: Guard, rules: SeatRules) -> None:
    with pytest.raises(ProductError):
        guard.set_seat_rules("desks", rules)


def test_a_borrowed_seat_is_proved_without_the_server(guard: Guard) -> None:
    lease, document = guard.borrow("desks", "ann", 3 * DAY, group="design", amount=2, actor="root")
    assert (lease.borrowed, lease.amount, lease.group) == (True, 2, "design")
    assert lease.expires_at - lease.acquired_at == 3 * DAY
    with guard.database.read() as connection:
        row = read_installation(connection)
    public = row.signing_key().public_jwk()
    found = verify_lease(document, public, lease.acquired_at)
    assert (found.jti, found.holder, found.group, found.amount) == (lease.id, "ann", "design", 2)
    assert (found.serial_number, found.product, found.feature) == (row.serial_number, "seated", "desks")
    assert lease.expires_at - SECOND < found.expires_at() <= lease.expires_at
    with pytest.raises(DocumentRejected) as caught:
        verify_lease(document, public, lease.expires_at)
    assert caught.value.rejection.diagnosis is Diagnosis.LEASE_EXPIRED
    with pytest.raises(DocumentRejected):
        verify_lease(document.replace(b"payload", b"Payload"), public, lease.acquired_at)
    assert (audited(guard)[0].event, audited(guard)[0].actor) == (Event.LEASE_BORROWED, "root")


def test_a_borrowed_seat_is_taken_until_it_is_returned(guard: Guard) -> None:
    lease, _ = guard.borrow("desks", "ann", DAY)
    assert [refusal(guard, name) for name in "bcde"] == [None, None, None, Code.LIMIT_REACHED]
    guard.release_lease(lease.id, actor="ann")
    assert refusal(guard, "e") is None
    assert (audited(guard)[0].event, audited(guard)[0].subject) == (Event.LEASE_RETURNED, "ann")


def test_what_is_borrowed_becomes_neither_shorter_nor_less(guard: Guard) -> None:
    borrowed, _ = guard.borrow("desks", "ann", DAY, amount=2)
    again = guard.lease("desks", "ann", MINUTE)
    assert (again.id, again.expires_at, again.amount, again.borrowed) == (
        *(borrowed.id, borrowed.expires_at, 2),
        True,
    )
    assert guard.renew_lease(borrowed.id, MINUTE).expires_at == borrowed.expires_at
    longer, _ = guard.borrow("desks", "ann", 2 * DAY, amount=3)
    assert (longer.id, longer.amount) == (borrowed.id, 3)
    assert longer.expires_at > borrowed.expires_at
    assert taken(guard) == 3


def test_a_seat_in_use_can_be_borrowed(guard: Guard) -> None:
    lease = guard.lease("desks", "ann", MINUTE)
    borrowed, _ = guard.borrow("desks", "ann", DAY)
    assert (borrowed.id, taken(guard), holders(guard.leases("desks"))) == (lease.id, 1, ["ann"])


def test_the_low_water_mark(guard: Guard) -> None:
    guard.set_seat_rules("desks", SeatRules(low_water_mark=2))
    guard.borrow("desks", "ann", DAY)
    guard.borrow("desks", "bob", DAY)
    with pytest.raises(Refused) as caught:
        guard.borrow("desks", "cyd", DAY)
    assert caught.value.decision.code is Code.LOW_WATER_MARK
    assert [refusal(guard, name) for name in "cd"] == [None, None]
    assert guard.denials()[0].reason == Code.LOW_WATER_MARK


def test_the_longest_time(guard: Guard) -> None:
    guard.set_seat_rules("desks", SeatRules(longest_borrow=DAY))
    guard.borrow("desks", "ann", DAY)
    with pytest.raises(Refused) as caught:
        guard.borrow("desks", "bob", DAY + SECOND)
    assert caught.value.decision.code is Code.BORROW_TOO_LONG


def test_what_is_borrowed_ends_with_the_license(guard: Guard, clock: Clock) -> None:
    clock.go_on(265 * DAY - timedelta(hours=1))
    lease, _ = guard.borrow("desks", "ann", 3 * DAY)
    assert lease.expires_at - lease.acquired_at == timedelta(hours=1)


def test_borrowing_is_refused_as_leasing_is(guard: Guard, clock: Clock) -> None:
    guard.reserve_seats("desks", USER, "ann", 4)
    with pytest.raises(Refused) as caught:
        guard.borrow("desks", "bob", DAY)
    assert (caught.value.decision.code, caught.value.decision.operation) == (Code.RESERVED_FOR_OTHERS, "borrow")
    clock.go_on(300 * DAY)
    with pytest.raises(Refused):
        guard.borrow("desks", "ann", DAY)


def test_a_mark_above_the_seats_of_the_license_and_a_kind_there_is_not_are_refused(database_url: str) -> None:
    guard = seated(database_url)
    install(guard, features={"desks": seats(3)})
    guard.set_seat_rules("desks", SeatRules(low_water_mark=3))
    with pytest.raises(TooManyReserved, match=r"has 3 Desks, and borrowing would have to leave 4: none could ever"):
        guard.set_seat_rules("desks", SeatRules(low_water_mark=4))
    assert guard.seat_rules("desks").low_water_mark == 3
    with pytest.raises(ProductError, match="of the kind 'user' or 'group', not 'team'"):
        guard.reserve_seats("desks", "team", "design", 1)  # type: ignore[arg-type]
    guard.close()
