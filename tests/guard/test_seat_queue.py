"""A fair queue: seats go to those who wait in the order of their priority, then of their coming."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from guard_support.guards import Clock, install
from guard_support.seats import BRIEF, MINUTE, holders, refusal, seated, seats, taken
from placet.enforcement import Code, Refused
from placet.enforcement.seating import SubjectKind
from placet.guard import Guard, Queued, leasing

SOON = timedelta(seconds=20)


@pytest.fixture
def guard(database_url: str, clock: Clock) -> Iterator[Guard]:
    """A server with two desks, both taken."""
    found = seated(database_url, clock)
    install(found, features={"desks": seats(2)})
    for name in ("first", "second"):
        found.lease("desks", name, MINUTE)
    yield found
    found.close()


def place(guard: Guard, holder: str, priority: int = 0, amount: int = 1, group: str | None = None) -> int:
    """The place in the queue that a holder gets; 0 where it gets a seat."""
    try:
        guard.lease("desks", holder, MINUTE, queue=True, priority=priority, amount=amount, group=group)
    except Queued as error:
        return error.place
    return 0


def release(guard: Guard, *names: str) -> None:
    for lease in guard.leases("desks"):
        if lease.holder in names:
            guard.release_lease(lease.id)


def test_who_waits_gets_a_place_and_keeps_it(guard: Guard) -> None:
    assert [place(guard, name) for name in ("ann", "bob", "cyd")] == [1, 2, 3]
    assert [place(guard, name) for name in ("bob", "ann", "cyd")] == [2, 1, 3]
    assert [request.holder for request in guard.queue("desks")] == ["ann", "bob", "cyd"]
    assert [denial.holder for denial in guard.denials()] == ["cyd", "bob", "ann"]  # once each


def test_nobody_overtakes(guard: Guard) -> None:
    assert [place(guard, name) for name in ("ann", "bob")] == [1, 2]
    release(guard, "first")
    assert refusal(guard, "passing by") is Code.QUEUED_BEHIND_OTHERS
    assert place(guard, "bob") == 2
    assert refusal(guard, "ann") is None
    assert place(guard, "bob") == 1
    release(guard, "second")
    assert place(guard, "bob") == 0
    assert sorted(holders(guard.leases("desks"))) == ["ann", "bob"]
    assert guard.queue("desks") == []


def test_a_higher_priority_comes_first(guard: Guard) -> None:
    assert [place(guard, "ann"), place(guard, "bob", 5), place(guard, "cyd", 5), place(guard, "dan", -1)] == [
        1,
        1,
        2,
        4,
    ]
    assert [request.holder for request in guard.queue("desks")] == ["bob", "cyd", "ann", "dan"]
    release(guard, "first")
    assert [place(guard, "ann"), place(guard, "cyd", 5)] == [3, 2]
    assert place(guard, "urgent", 9) == 0
    assert place(guard, "cyd", 0) == 3  # among those of that priority by when it came


def test_two_free_seats_are_for_the_two_who_came_first(guard: Guard) -> None:
    assert [place(guard, name) for name in ("ann", "bob", "cyd")] == [1, 2, 3]
    release(guard, "first", "second")
    assert [place(guard, name) for name in ("cyd", "bob", "ann")] == [3, 0, 0]


def test_who_waits_for_many_is_not_passed(guard: Guard) -> None:
    assert place(guard, "ann", amount=2) == 1
    release(guard, "first")
    assert refusal(guard, "bob") is Code.QUEUED_BEHIND_OTHERS
    release(guard, "second")
    assert place(guard, "ann", amount=2) == 0


def test_more_than_there_ever_are_is_not_waited_for(guard: Guard) -> None:
    with pytest.raises(Refused) as caught:
        guard.lease("desks", "ann", MINUTE, queue=True, amount=3)
    assert not isinstance(caught.value, Queued)
    assert guard.queue("desks") == []
    assert place(guard, "ann", amount=2) == 1
    install(guard, jti="L-2", features={"desks": seats(1)})
    with pytest.raises(Refused):
        guard.lease("desks", "ann", MINUTE, queue=True, amount=2)
    assert guard.queue("desks") == []


def test_a_place_is_lost_without_asking_again(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "PLACE_KEPT", timedelta(seconds=3))
    assert [place(guard, "ann"), place(guard, "bob")] == [1, 2]
    release(guard, "first")
    time.sleep(3.05)
    assert [request.holder for request in guard.queue("desks")] == []
    assert place(guard, "bob") == 0


def test_leaving_the_queue(guard: Guard) -> None:
    assert [place(guard, "ann"), place(guard, "bob")] == [1, 2]
    guard.leave_queue("desks", "ann")
    guard.leave_queue("desks", "nobody")
    assert place(guard, "bob") == 1


def test_who_cannot_have_a_reserved_seat_does_not_keep_others_from_it(guard: Guard) -> None:
    guard.reserve_seats("desks", SubjectKind.GROUP, "design", 1)
    assert place(guard, "ann") == 1
    release(guard, "first")
    assert place(guard, "ann") == 1
    assert place(guard, "bob", group="design") == 0
    release(guard, "second")
    assert place(guard, "ann") == 0


def test_a_renewal_waits_for_nobody(guard: Guard) -> None:
    assert place(guard, "ann") == 1
    assert refusal(guard, "first") is None


def test_waiting_until_a_seat_is_given_back(guard: Guard) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: guard.lease("desks", "ann", MINUTE, wait=SOON))
        while not guard.queue("desks"):
            time.sleep(0.01)
        release(guard, "first")
        assert waiting.result(timeout=30).holder == "ann"
    assert guard.queue("desks") == []
    assert guard.denials() == []
    assert taken(guard) == 2


def test_waiting_until_a_lease_ends(guard: Guard) -> None:
    guard.lease("desks", "first", BRIEF)
    started = time.monotonic()
    assert guard.lease("desks", "ann", MINUTE, wait=SOON).holder == "ann"
    assert 0.5 < time.monotonic() - started < 15


def test_waiting_in_vain(guard: Guard) -> None:
    started = time.monotonic()
    assert refusal(guard, "ann", wait=timedelta(seconds=0.5)) is Code.LIMIT_REACHED
    assert 0.4 < time.monotonic() - started < 10
    assert guard.queue("desks") == []
    assert [denial.holder for denial in guard.denials()] == ["ann"]
    with pytest.raises(Queued):
        guard.lease("desks", "bob", MINUTE, wait=timedelta(seconds=0.1), queue=True)
    assert [request.holder for request in guard.queue("desks")] == ["bob"]


def test_no_license_is_not_waited_for(guard: Guard) -> None:
    guard.lease("chairs", "ann", MINUTE)
    started = time.monotonic()
    with pytest.raises(Refused):
        guard.lease("desks", "ann", MINUTE, amount=9, wait=SOON)
    assert time.monotonic() - started < 5


def test_those_who_wait_are_served_in_their_order(guard: Guard, database_url: str) -> None:
    """Five wait, on guards of their own as processes have them; as seats come free, each goes to who is next."""
    guards = [seated(database_url) for _ in range(5)]
    served: list[str] = []
    lock = threading.Lock()

    def wait_with(number: int) -> Callable[[], None]:
        def wait() -> None:
            lease = guards[number].lease("desks", f"w{number}", MINUTE, wait=2 * SOON)
            with lock:
                served.append(lease.holder)

        return wait

    with ThreadPoolExecutor(5) as pool:
        waiting = []
        for number in range(5):
            waiting.append(pool.submit(wait_with(number)))
            while len(guard.queue("desks")) <= number:
                time.sleep(0.01)
        names = ["first", "second", "w0", "w1", "w2"]
        for count, name in enumerate(names, start=1):
            release(guard, name)
            while len(served) < count:
                time.sleep(0.01)
        for each in waiting:
            each.result(timeout=30)
    assert served == [f"w{number}" for number in range(5)]
    for each in guards:
        each.close()
