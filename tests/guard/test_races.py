"""A limit is never passed, whatever runs beside."""

from collections import Counter
from collections.abc import Callable
from itertools import chain

from builders import limit
from guard_support.guards import allocate, install, opened, used
from placet.enforcement import Code, Refused
from placet.guard import Guard
from store_support import threads
from store_support.children import children, race

TAKES_UNTIL_REFUSED = """
import os, sys
from guard_support.guards import allocate, opened
from placet.enforcement import Refused
guard = opened(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
taken = refused = 0
while refused < 3:
    try:
        allocate(guard, f"{os.getpid()}-{taken}", 1)
        taken += 1
    except Refused:
        refused += 1
print(taken)
guard.close()
"""

DIES_WITHIN = """
import sys
from guard_support.guards import opened
guard = opened(sys.argv[1])
with guard.allocation("publish", "dying", software_units=7):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def refusal(work: Callable[[], object]) -> Code | None:
    """Do it; answers why it was refused, if it was."""
    try:
        work()
    except Refused as error:
        return error.decision.code
    return None


def attempts(guard: Guard, name: str, count: int) -> list[Code | None]:
    """Let that many new holders take a unit each."""
    return [refusal(lambda: allocate(guard, f"{name}-{number}", 1)) for number in range(count)]  # noqa: B023


def test_eight_threads_on_one_guard(guard: Guard) -> None:
    install(guard, features={"software_units": limit(60)})
    answers = Counter(chain(*threads.race(8, lambda thread: attempts(guard, f"thread {thread}", 50))))
    assert answers == {None: 60, Code.SOFTWARE_UNITS_LIMIT: 340}
    assert used(guard) == guard.status().features["software_units"].used == 60
    assert guard.check("publish", software_units=1).code is Code.SOFTWARE_UNITS_LIMIT


def test_eight_threads_with_a_guard_each(database_url: str) -> None:
    guards = [opened(database_url) for _ in range(8)]
    install(guards[0], features={"software_units": limit(40, tolerance_percent=25)})
    answers = Counter(chain(*threads.race(8, lambda thread: attempts(guards[thread], f"thread {thread}", 15))))
    assert answers == {None: 50, Code.SOFTWARE_UNITS_LIMIT: 70}
    assert used(guards[0]) == 50
    for guard in guards:
        guard.close()


def test_one_holder_from_many_threads_at_once(guard: Guard) -> None:
    install(guard, features={"software_units": limit(1)})
    assert threads.race(8, lambda _: refusal(lambda: allocate(guard, "orders", 1))) == [None] * 8
    assert used(guard) == 1


def test_limits_taken_together_in_any_order_do_not_deadlock(guard: Guard) -> None:
    install(guard)

    def work(thread: int) -> None:
        names = ["software_units", "front_end_servers", "mailboxes"]
        amounts = dict.fromkeys(names if thread % 2 else reversed(names), 1)
        for _ in range(5):
            with guard.allocation("publish_and_run", "orders", **amounts):
                pass
            with guard.releasing("orders", *amounts):
                pass

    threads.race(4, work)
    assert used(guard) == used(guard, "mailboxes") == 0


def test_four_processes_race_for_the_last_units(database_url: str, guard: Guard) -> None:
    install(guard, features={"software_units": limit(100)})
    allocate(guard, "there before", 30)
    taken = [int(answer) for answer in race(4, TAKES_UNTIL_REFUSED, database_url)]
    assert 30 + sum(taken) == used(guard) == 100


def test_a_process_killed_within_an_allocation_leaves_nothing(database_url: str, guard: Guard) -> None:
    install(guard, features={"software_units": limit(10)})
    with children(1, DIES_WITHIN, database_url) as (child,):
        child.kill()
    assert used(guard) == 0
    allocate(guard, "orders", 10)
    assert used(guard) == 10


def test_a_smaller_license_and_allocations_at_once(database_url: str) -> None:
    """It is refused over what is in use, or it is in force and nothing passes it: never both installed and passed."""
    guards = [opened(database_url) for _ in range(4)]
    install(guards[0], features={"software_units": limit(60)})

    def work(thread: int) -> list[Code | None]:
        if thread:
            return attempts(guards[thread], f"thread {thread}", 20)
        while used(guards[0]) < 15:
            pass
        smaller = {"software_units": limit(30)}
        return [refusal(lambda: install(guards[0], jti="L-2", features=smaller))]

    (installed,), *_ = threads.race(4, work)
    assert installed in {None, Code.ACKNOWLEDGEMENT_REQUIRED}
    assert used(guards[0]) == (30 if installed is None else 60)
    for guard in guards:
        guard.close()


def test_licenses_installed_at_once_are_all_in_the_history_and_one_is_in_force(database_url: str) -> None:
    guards = [opened(database_url) for _ in range(4)]
    threads.race(4, lambda number: install(guards[number], jti=f"L-{number}"))
    assert {entry.jti for entry in guards[0].history()} == {"L-0", "L-1", "L-2", "L-3"}
    newest = guards[0].history()[0].id
    for guard in guards:
        guard.refresh()
        assert guard.license_id == newest
        guard.close()


def test_an_evaluation_installed_at_once_starts_once(database_url: str) -> None:
    guards = [opened(database_url) for _ in range(4)]

    def start(number: int) -> Code | None:
        return refusal(lambda: install(guards[number], jti=f"E-{number}", evaluation_seconds=3600))

    assert Counter(threads.race(4, start)) == {None: 1, Code.EVALUATION_USED: 3}
    for guard in guards:
        guard.close()


def test_whoever_asks_meanwhile_gets_a_whole_answer(licensed: Guard) -> None:
    """Either as it was before an allocation or as it is after: never half-way."""

    def write() -> bool:
        for number in range(20):
            units = number % 2 * 50
            amounts = {"software_units": units, "front_end_servers": 0, "mailboxes": units}
            with licensed.allocation("publish_and_run", "orders", **amounts):
                pass
        return True

    def read() -> bool:
        seen = [licensed.status().features for _ in range(2000)]
        return all(each["software_units"].used == each["mailboxes"].used for each in seen)

    assert threads.race(3, lambda thread: read() if thread else write()) == [True] * 3
