"""There are never more seats taken than licensed, whatever runs beside."""

from collections import Counter
from itertools import chain

import pytest

from builders import DAY
from guard_support.guards import install
from guard_support.seats import MINUTE, refusal, seated, seats, taken
from placet.enforcement import Code
from placet.guard import Guard
from store_support import threads
from store_support.children import children, race

COMES_AND_GOES = """
import os, sys
from guard_support.seats import MINUTE, seated
from placet.enforcement import Refused
guard = seated(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
most = had = 0
for number in range(30):
    try:
        lease = guard.lease("desks", f"{os.getpid()}-{number}", MINUTE)
    except Refused:
        continue
    had += 1
    most = max(most, sum(item.amount for item in guard.leases("desks")))
    if number % 3:
        guard.release_lease(lease.id)
print(had, most)
guard.close()
"""

DIES_SEATED = """
import sys
from datetime import timedelta
from guard_support.seats import seated
guard = seated(sys.argv[1])
guard.lease("desks", "dying", timedelta(seconds=5), amount=5)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def guard(database_url: str) -> Guard:
    found = seated(database_url)
    install(found, features={"desks": seats(20)})
    return found


def test_eight_threads_on_one_guard(guard: Guard) -> None:
    def work(thread: int) -> list[Code | None]:
        return [refusal(guard, f"{thread}-{number}") for number in range(10)]

    assert Counter(chain(*threads.race(8, work))) == {None: 20, Code.LIMIT_REACHED: 60}
    assert taken(guard) == 20
    assert len(guard.denials()) == 60
    guard.close()


def test_threads_with_a_guard_each_that_lease_borrow_renew_and_release(database_url: str, guard: Guard) -> None:
    guards = [seated(database_url) for _ in range(6)]

    def work(thread: int) -> int:
        mine = guards[thread]
        for number in range(8):
            for amount in (2, 3):
                if refusal(mine, f"{thread}-{number}", amount=amount) is None:
                    (lease,) = [item for item in mine.leases("desks") if item.holder == f"{thread}-{number}"]
                    mine.renew_lease(lease.id, MINUTE)
                    if number % 2:
                        mine.borrow("desks", lease.holder, DAY, amount=amount)
                    mine.release_lease(lease.id)
            assert taken(mine) <= 20
        return thread

    assert threads.race(6, work) == list(range(6))
    assert taken(guard) == 0
    for each in [guard, *guards]:
        each.close()


def test_one_holder_from_many_threads_has_one_lease(guard: Guard) -> None:
    leases = threads.race(8, lambda _: guard.lease("desks", "ann", MINUTE))
    assert len({lease.id for lease in leases}) == 1
    assert taken(guard) == 1
    guard.close()


def test_processes_that_come_and_go(database_url: str, guard: Guard) -> None:
    told = [answer.split() for answer in race(4, COMES_AND_GOES, database_url)]
    assert all(int(most) <= 20 for _, most in told)
    assert sum(int(had) for had, _ in told) >= 20
    assert taken(guard) == sum(lease.amount for lease in guard.leases("desks")) == 20
    guard.close()


def test_a_killed_process_gives_its_seats_back_when_its_lease_ends(database_url: str, guard: Guard) -> None:
    with children(1, DIES_SEATED, database_url) as (child,):
        child.kill()
    assert refusal(guard, "ann", amount=20) is Code.LIMIT_REACHED
    assert guard.lease("desks", "ann", MINUTE, amount=20, wait=MINUTE).amount == 20
    guard.close()
