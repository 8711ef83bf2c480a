"""Seats: acquired, renewed, given back, and free again when a lease ends by the database's clock."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from builders import DAY, SECOND
from guard_support.guards import Clock, install
from guard_support.seats import BRIEF, MINUTE, SHORT, holders, let_end, refusal, seated, seats, taken
from placet.enforcement import Code, ProductError, Refused
from placet.enforcement.seating import Claim
from placet.guard import Guard, UnknownLease
from placet.guard.leasing import Wish
from placet.store import denials


@pytest.fixture
def guard(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server with three desks."""
    found = seated(database_url, clock)
    install(found, features={"desks": seats(3)})
    yield found
    found.close()


def test_a_seat_is_taken_and_given_back(guard: Guard) -> None:
    lease = guard.lease("desks", "ann", MINUTE)
    assert (lease.feature, lease.holder, lease.amount, lease.borrowed) == ("desks", "ann", 1, False)
    assert lease.expires_at - lease.acquired_at == MINUTE
    assert lease.decision is not None
    assert (lease.decision.allowed, lease.decision.used, lease.decision.limit) == (True, 0, 3)
    assert guard.status().features["desks"].used == taken(guard) == 1
    assert holders(guard.leases("desks")) == ["ann"]
    guard.release_lease(lease.id)
    assert guard.status().features["desks"].used == taken(guard) == 0
    assert guard.leases("desks") == []
    with pytest.raises(UnknownLease):
        guard.release_lease(lease.id)


def test_no_more_seats_than_licensed(guard: Guard) -> None:
    assert [refusal(guard, name) for name in "abcd"] == [None, None, None, Code.LIMIT_REACHED]
    assert taken(guard) == 3
    with pytest.raises(Refused) as caught:
        guard.lease("desks", "d", MINUTE, amount=2)
    decision = caught.value.decision
    assert (decision.operation, decision.used, decision.limit, decision.requested) == ("lease", 3, 3, 2)
    assert decision.diagnosis == "Limit reached: 3 of 3 Desks are taken; this needs 2."


def test_asking_again_renews(guard: Guard) -> None:
    first = guard.lease("desks", "ann", MINUTE)
    again = guard.lease("desks", "ann", 2 * MINUTE)
    assert again.id == first.id
    assert again.acquired_at == first.acquired_at
    assert again.expires_at > first.expires_at
    assert taken(guard) == 1
    more = guard.lease("desks", "ann", MINUTE, amount=3)
    assert (more.id, more.amount, taken(guard)) == (first.id, 3, 3)
    assert refusal(guard, "ann", amount=4) is Code.LIMIT_REACHED
    assert taken(guard) == 3
    assert guard.lease("desks", "ann", MINUTE, amount=1).amount == taken(guard) == 1


def test_renewing_by_id(guard: Guard) -> None:
    lease = guard.lease("desks", "ann", MINUTE, amount=2)
    renewed = guard.renew_lease(lease.id, 5 * MINUTE)
    assert renewed.expires_at > lease.expires_at + 3 * MINUTE
    assert (renewed.id, renewed.amount, taken(guard)) == (lease.id, 2, 2)
    assert guard.find_lease(lease.id).expires_at == renewed.expires_at
    for nobody in ("", "x", "0" * 36, "0" * 1000, "\0"):
        with pytest.raises(UnknownLease):
            guard.renew_lease(nobody, MINUTE)
        with pytest.raises(UnknownLease):
            guard.release_lease(nobody)


def test_a_lease_given_back_while_it_is_renewed_stays_so(guard: Guard) -> None:
    lease = guard.lease("desks", "ann", MINUTE)
    wish = Wish(
        feature="desks", claim=Claim("ann", None, 1), period=MINUTE, actor="ann", lease_id=lease.id
    )  # as a renewal asks, once it has found its lease
    guard.release_lease(lease.id)
    with pytest.raises(UnknownLease):
        guard._given(wish, guard._ask(wish))
    another = guard.lease("desks", "ann", MINUTE)
    with pytest.raises(UnknownLease):
        guard._given(wish, guard._ask(wish))
    assert holders(guard.leases("desks")) == ["ann"]
    assert guard.find_lease(another.id).expires_at == another.expires_at


def test_an_expired_lease_counts_no_more(guard: Guard) -> None:
    *_, last = [guard.lease("desks", name, BRIEF) for name in "abc"]
    assert refusal(guard, "d") is Code.LIMIT_REACHED
    let_end(last)
    assert guard.leases("desks") == []
    assert refusal(guard, "d") is None
    assert taken(guard) == 1
    assert holders(guard.leases("desks")) == ["d"]


def test_expiry_is_by_the_databases_clock_and_not_the_guards(guard: Guard, clock: Clock) -> None:
    lease = guard.lease("desks", "ann", BRIEF)
    clock.go_on(30 * DAY)
    assert holders(guard.leases("desks")) == ["ann"]
    clock.go_on(-30 * DAY)
    assert abs(lease.acquired_at.timestamp() - time.time()) < 5
    let_end(lease)
    assert guard.leases("desks") == []


def test_an_expired_lease_is_renewed_while_there_is_a_seat(guard: Guard) -> None:
    lease = guard.lease("desks", "ann", SHORT)
    let_end(lease)
    renewed = guard.renew_lease(lease.id, MINUTE)
    assert (renewed.id, taken(guard)) == (lease.id, 1)
    gone = guard.renew_lease(lease.id, SHORT)
    let_end(gone)
    assert [refusal(guard, name) for name in "bcd"] == [None] * 3
    with pytest.raises(UnknownLease):
        guard.renew_lease(gone.id, MINUTE)


def test_what_expired_is_swept(guard: Guard) -> None:
    guard.lease("desks", "ann", BRIEF, amount=2)
    lease = guard.lease("chairs", "ann", BRIEF)
    assert guard.expire_leases() == 0
    let_end(lease)
    assert guard.status().features["desks"].used == 2
    assert guard.expire_leases() == 3
    assert guard.status().features["desks"].used == taken(guard) == 0
    let_end(guard.lease("desks", "ann", SHORT))
    guard.tick()
    assert taken(guard) == 0


def test_without_a_license_there_are_no_seats(database_url: str) -> None:
    bare = seated(database_url)
    assert refusal(bare, "ann") is Code.OPERATION_NO_LICENSE
    install(bare, features={})
    assert refusal(bare, "ann") is Code.FEATURE_NOT_LICENSED
    assert bare.lease("chairs", "ann", MINUTE, amount=1000).amount == 1000
    assert [denial.reason for denial in bare.denials()] == [Code.FEATURE_NOT_LICENSED, Code.OPERATION_NO_LICENSE]
    bare.close()


def test_within_the_tolerance_there_is_a_warning(guard: Guard) -> None:
    install(guard, jti="L-2", features={"desks": seats(2, tolerance_percent=50)})
    assert guard.lease("desks", "a", MINUTE, amount=2).decision.warnings == ()  # type: ignore[union-attr]
    told = guard.lease("desks", "b", MINUTE).decision
    assert told is not None
    assert (told.code, told.allowed) == (Code.LIMIT_REACHED_TOLERATED, True)
    assert refusal(guard, "c") is Code.LIMIT_REACHED


def test_a_smaller_license_is_kept_as_leases_end(guard: Guard) -> None:
    """Who has a seat keeps it until its lease ends; no lease is renewed while too many are taken."""
    leases = [guard.lease("desks", name, MINUTE) for name in "abc"]
    install(guard, jti="L-2", features={"desks": seats(2)})
    with pytest.raises(Refused):
        guard.renew_lease(leases[0].id, MINUTE)
    assert refusal(guard, "a") is Code.LIMIT_REACHED
    guard.release_lease(leases[1].id)
    assert guard.renew_lease(leases[0].id, MINUTE).holder == "a"


def test_a_license_that_ends_gives_no_seats_and_renews_none(guard: Guard, clock: Clock) -> None:
    lease = guard.lease("desks", "ann", MINUTE)
    clock.go_on(300 * DAY)
    with pytest.raises(Refused) as caught:
        guard.renew_lease(lease.id, MINUTE)
    assert caught.value.decision.code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    assert holders(guard.leases("desks")) == ["ann"]
    guard.release_lease(lease.id)
    assert taken(guard) == 0


def test_a_body_that_has_a_seat(guard: Guard) -> None:
    with guard.seated("desks", "ann", MINUTE) as lease:
        assert (lease.holder, taken(guard)) == ("ann", 1)
    assert taken(guard) == 0
    with pytest.raises(ZeroDivisionError), guard.seated("desks", "ann", MINUTE):
        1 / 0  # noqa: B018
    assert taken(guard) == 0
    with guard.seated("desks", "ann", MINUTE) as lease:
        guard.release_lease(lease.id)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda guard: guard.lease("units", "ann", MINUTE),
        lambda guard: guard.lease("tables", "ann", MINUTE),
        lambda guard: guard.lease("desks", "", MINUTE),
        lambda guard: guard.lease("desks", "x" * 201, MINUTE),
        lambda guard: guard.lease("desks", "a\0b", MINUTE),
        lambda guard: guard.lease("desks", "ann", MINUTE, group=""),
        lambda guard: guard.lease("desks", "ann", SECOND - timedelta(microseconds=1)),
        lambda guard: guard.lease("desks", "ann", DAY + timedelta(microseconds=1)),
        lambda guard: guard.lease("desks", "ann", MINUTE, amount=0),
        lambda guard: guard.lease("desks", "ann", MINUTE, amount=True),
        lambda guard: guard.lease("desks", "ann", MINUTE, amount=10**12 + 1),
        lambda guard: guard.lease("desks", "ann", MINUTE, priority=1001),
        lambda guard: guard.renew_lease("x", timedelta(0)),
        lambda guard: guard.borrow("desks", "ann", timedelta(0)),
        lambda guard: guard.borrow("desks", "a\nb", DAY),
        lambda guard: guard.borrow("desks", "ann", DAY, group="a\nb"),
        lambda guard: guard.leases("units"),
        lambda guard: guard.queue("units"),
        lambda guard: guard.leave_queue("units", "ann"),
    ],
)
def test_mistakes_are_told_as_such(guard: Guard, mistake: Callable[[Guard], object]) -> None:
    with pytest.raises(ProductError):
        mistake(guard)
    assert taken(guard) == 0
    assert guard.denials() == []


def test_leases_last_from_a_second_to_a_day(guard: Guard) -> None:
    for ttl in (SECOND, DAY):
        lease = guard.lease("desks", str(ttl), ttl)
        assert lease.expires_at - lease.acquired_at == ttl


def test_denials_are_recorded(guard: Guard, clock: Clock) -> None:
    guard.lease("desks", "ann", MINUTE, amount=3)
    for name in ("bob", "cyd"):
        assert refusal(guard, name, amount=2) is Code.LIMIT_REACHED
    newest, oldest = guard.denials()
    assert (newest.holder, oldest.holder) == ("cyd", "bob")
    assert (newest.feature, newest.reason, newest.requested, newest.used, newest.maximum, newest.at) == (
        *("desks", "limit_reached", 2, 3, 3),
        clock.now,
    )
    assert guard.denials(before=newest.id) == [oldest]
    assert guard.denials(most=1) == [newest]
    assert guard.denials("chairs") == []
    assert guard.denials("desks") == [newest, oldest]


def test_denials_are_forgotten(guard: Guard, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.lease("desks", "ann", MINUTE, amount=3)
    refusal(guard, "bob")
    clock.go_on(denials.KEPT_FOR)
    guard.tick()
    assert [denial.holder for denial in guard.denials()] == ["bob"]
    clock.go_on(SECOND)
    guard.tick()
    assert guard.denials() == []
    monkeypatch.setattr(denials, "MOST_KEPT", 10)
    for number in range(25):
        refusal(guard, f"b{number}")
    assert len(guard.denials()) <= 11
    guard.tick()
    assert [denial.holder for denial in guard.denials()] == [f"b{number}" for number in range(24, 14, -1)]
