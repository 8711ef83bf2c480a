"""Decisions kept until time changes them, and the path of a switch."""

import sys
from datetime import datetime, timedelta
from types import FrameType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import DAY, NOW, PRODUCT, SECOND, numeric
from guard_support.guards import Clock, allocate, install
from placet.enforcement import Code, State, Status, decide, evaluate
from placet.guard import Guard
from store_support.databases import database_traffic
from worlds import OPERATIONS

STARTS, EXPIRES, GRACE_ENDS = NOW + DAY, NOW + 60 * DAY, NOW + 70 * DAY
WARNS = EXPIRES - 30 * DAY
ONE_DAY_LEFT = EXPIRES - 2 * DAY  # from here on the period is told in hours

N6 = "Cannot perform the operation. This server license is not valid yet"
E7 = (
    "Cannot perform the operation. Either this server license has expired or it is consuming more resources than "
    "allowed"
)
W1 = "This server license will expire within {}. Your Service Center administrator should request a new license"
W2 = "This server license has expired. Your Service Center administrator must request a new license within {}"

TIMELINE: list[tuple[datetime, State, str]] = [
    (NOW, State.NOT_YET_VALID, N6),
    (STARTS - SECOND, State.NOT_YET_VALID, N6),
    (STARTS, State.ACTIVE, ""),
    (STARTS + SECOND, State.ACTIVE, ""),
    (WARNS - SECOND, State.ACTIVE, ""),
    (WARNS, State.ACTIVE, W1.format("30 days")),
    (WARNS + SECOND, State.ACTIVE, W1.format("30 days")),
    (WARNS + DAY - SECOND, State.ACTIVE, W1.format("30 days")),
    (WARNS + DAY, State.ACTIVE, W1.format("29 days")),
    (ONE_DAY_LEFT - SECOND, State.ACTIVE, W1.format("3 days")),
    (ONE_DAY_LEFT, State.ACTIVE, W1.format("48 hours")),
    (EXPIRES - SECOND, State.ACTIVE, W1.format("1 second")),
    (EXPIRES, State.GRACE, W2.format("10 days")),
    (EXPIRES + SECOND, State.GRACE, W2.format("10 days")),
    (GRACE_ENDS - SECOND, State.GRACE, W2.format("1 second")),
    (GRACE_ENDS, State.EXPIRED, E7),
    (GRACE_ENDS + SECOND, State.EXPIRED, E7),
    (GRACE_ENDS + 1000 * DAY, State.EXPIRED, E7),
]


@pytest.fixture
def timed(guard: Guard) -> Guard:
    """A server whose license begins, warns, expires, and ends after its grace."""
    install(guard, nbf=numeric(STARTS), exp=numeric(EXPIRES), grace_until=numeric(GRACE_ENDS))
    return guard


def told(guard: Guard) -> str:
    """What a caller of Run is told now."""
    decision = guard.check("run")
    return decision.message or "".join(notice.message for notice in decision.warnings)


@pytest.mark.parametrize("direction", [1, -1], ids=["on", "back"])
def test_time_alone_changes_the_answer_to_the_second(timed: Guard, clock: Clock, direction: int) -> None:
    with database_traffic(timed.database) as traffic:
        for moment, state, sentence in TIMELINE[::direction]:
            clock.now = moment
            assert told(timed) == sentence, moment
            assert (timed.status().state, timed.check("run").state) == (state, state), moment
            assert timed.check("run").allowed is (state in {State.ACTIVE, State.GRACE})
            assert timed.check("publish", software_units=1).allowed is timed.check("run").allowed
    assert traffic == []


@pytest.mark.parametrize("boundary", [STARTS, WARNS, WARNS + DAY, EXPIRES, GRACE_ENDS])
@pytest.mark.parametrize("past", [-1, 0, 1])
def test_a_boundary_is_crossed_to_the_microsecond(timed: Guard, clock: Clock, boundary: datetime, past: int) -> None:
    sentences = {moment: sentence for moment, _, sentence in TIMELINE}
    clock.now = boundary - SECOND
    assert told(timed) == sentences[clock.now]
    clock.now = boundary + past * timedelta(microseconds=1)
    assert told(timed) == sentences[boundary if past >= 0 else boundary - SECOND]


def evaluate_now(guard: Guard) -> Status:
    """The status, judged anew."""
    return evaluate(guard._snapshot.stored.facts, PRODUCT, guard.now(), guard.policy)


EDGES = [STARTS, WARNS, WARNS + DAY, ONE_DAY_LEFT, EXPIRES, GRACE_ENDS]
MOMENTS = st.builds(
    lambda edge, seconds: edge + seconds * SECOND, st.sampled_from(EDGES), st.integers(-2, 2) | st.integers(0, 200_000)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(MOMENTS, st.sampled_from(OPERATIONS)), max_size=12))
def test_a_kept_decision_is_the_one_that_would_be_made(
    timed: Guard, clock: Clock, asked: list[tuple[datetime, str]]
) -> None:
    for moment, operation in asked:
        clock.now = moment
        assert timed.check(operation) == decide(evaluate_now(timed), operation)
        assert timed.status().state is evaluate_now(timed).state
        assert timed.status().warnings == evaluate_now(timed).warnings


def test_a_decision_is_made_once_for_as_long_as_it_holds(timed: Guard, clock: Clock) -> None:
    clock.now = STARTS
    first, status = timed.check("run"), timed.status()
    clock.now = WARNS - SECOND
    assert timed.check("run") is first
    assert timed.status() is status
    clock.now = WARNS
    assert timed.check("run") is not first


def test_the_path_of_a_switch_is_a_look_up(licensed: Guard) -> None:
    """Neither a query, a file, nor a signature: nothing is called but the clock."""
    licensed.check("run")
    called: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            called.add(frame.f_code.co_qualname)
        elif event == "c_call":
            called.add(getattr(argument, "__qualname__", ""))

    sys.setprofile(note)
    try:
        licensed.check("run")
    finally:
        sys.setprofile(None)
    assert {"Judge.check", "Clock.__call__"} <= called
    assert called <= {"Judge.check", "Clock.__call__", "datetime.timestamp", "dict.get", "setprofile"}


def test_a_switch_is_answered_with_the_database_gone(licensed: Guard) -> None:
    answers = {name: licensed.check(name) for name in ("run", "debug", "test_query", "publish")}
    licensed.close()
    with database_traffic(licensed.database) as traffic:
        for name, decision in answers.items():
            assert licensed.check(name) is decision
        assert licensed.check("publish", software_units=1).allowed
        assert licensed.status().state is State.ACTIVE
    assert traffic == []


def test_the_snapshot_is_swapped_by_whatever_changes_the_facts(guard: Guard, clock: Clock) -> None:
    assert guard.check("run").code is Code.OPERATION_NO_LICENSE
    install(guard)
    assert guard.check("run").allowed
    allocate(guard, "orders", 100)
    assert guard.check("publish", software_units=1).code is Code.SOFTWARE_UNITS_LIMIT
    with guard.releasing("orders", "software_units"):
        pass
    assert guard.check("publish", software_units=100).allowed
    guard.renew_serial_number()
    assert guard.check("run").code is Code.OPERATION_WRONG_SERVER
    install(guard, jti="L-2")
    assert guard.check("run").allowed


def test_a_status_handed_out_stays_as_it_was(licensed: Guard) -> None:
    status = licensed.status()
    allocate(licensed, "orders", 3)
    assert status.features["software_units"].used == 0
    assert licensed.status().features["software_units"].used == 3
