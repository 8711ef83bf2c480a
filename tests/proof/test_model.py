"""The whole ledger against a model of dictionaries: whatever is done in whatever order, they agree on every answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from builders import DAY
from guard_support.guards import Clock, install, opened
from placet.enforcement import Refused
from placet.guard import Guard, KeyReused, UnknownBlock, UnknownLease
from placet.license import Enforcement
from placet.store import metering, usage
from proof_support.accounts import Stored
from proof_support.model import Model
from proof_support.product import CALLS, DESKS, FOUGHT_FOR, SLOTS, UNITS, grants

T = TypeVar("T")
HOUR = timedelta(hours=1)
WHICH = st.integers(0, 1)
HOLDERS = st.sampled_from(["orders", "billing", "crm"])
KEYS = st.sampled_from(["a", "b", "c", "d"])
UP_TO_5, UP_TO_6 = st.integers(1, 5), st.integers(0, 6)
LIMITS = st.fixed_dictionaries(
    {UNITS: st.integers(0, 12), SLOTS: st.integers(0, 8), CALLS: st.integers(0, 15), DESKS: st.integers(0, 6)}
)


def allowed(do: Callable[[], T], expected: bool) -> T | None:
    """Do it; assert that it is allowed, or refused, as expected."""
    try:
        answer = do()
    except Refused:
        answer = None
    assert (answer is not None) is expected
    return answer


class Ledger(RuleBasedStateMachine):
    """Two guards on one database take turns, so that what each knows is old, and beside them the model."""

    def __init__(self, new_url: Callable[[], str]) -> None:
        super().__init__()
        self.clock = Clock()
        self.guards: list[Guard] = []
        url = new_url()
        self.guards = [opened(url, self.clock, product=FOUGHT_FOR) for _ in range(2)]
        self.model = Model()
        self.licenses = 0
        self.leases: dict[str, str] = {}

    def teardown(self) -> None:
        for guard in self.guards:
            guard.close()

    @initialize(limits=LIMITS)
    def begin(self, limits: dict[str, int]) -> None:
        self.license(0, limits, 0, True)

    @rule(which=WHICH, limits=LIMITS, tolerance=st.sampled_from([0, 25, 100]), strict=st.booleans())
    def license(self, which: int, limits: dict[str, int], tolerance: int, strict: bool) -> None:
        self.licenses += 1
        enforcement = Enforcement.STRICT if strict else Enforcement.PER_FEATURE
        features, jti = grants(limits, tolerance), f"L-{self.licenses}"
        install(self.guards[which], jti=jti, features=features, enforcement=enforcement, acknowledge=True)
        self.model.limits, self.model.strict = limits, strict
        self.model.most = {name: units * (100 + tolerance) // 100 for name, units in limits.items()}

    # Limits

    @rule(which=WHICH, holder=HOLDERS, units=UP_TO_6, slots=st.none() | UP_TO_6)
    def hold(self, which: int, holder: str, units: int, slots: int | None) -> None:
        wanted = {UNITS: units} if slots is None else {UNITS: units, SLOTS: slots}
        operation = "publish" if slots is None else "publish_with_slots"
        expected = self.model.may_hold(holder, wanted)
        assert self.guards[which].preview(operation, holder, **wanted).allowed is expected
        if allowed(lambda: self.guards[which].allocate(operation, holder, **wanted), expected):
            self.model.hold(holder, wanted)

    @rule(which=WHICH, holder=HOLDERS, features=st.sets(st.sampled_from([UNITS, SLOTS])))
    def release(self, which: int, holder: str, features: set[str]) -> None:
        with self.guards[which].releasing(holder, *features):
            pass
        for name in features:
            self.model.held[name].pop(holder, None)

    # Consumption

    @rule(which=WHICH, key=KEYS, amount=UP_TO_5)
    def consume(self, which: int, key: str, amount: int) -> None:
        """A new key, one that is known, or one that is known for another amount: they are few."""
        known = self.model.known(key)
        if known not in {None, amount}:
            try:
                self.guards[which].consume(CALLS, amount, key=key)
            except KeyReused:
                return
            raise AssertionError("the key was used for another amount")
        expected = known is not None or amount <= self.model.left()
        done = allowed(lambda: self.guards[which].consume(CALLS, amount, key=key), expected)
        if done is not None:
            assert done.replayed is (known is not None)
            if known is None:
                self.model.consume(key, amount)

    @rule(which=WHICH, size=UP_TO_6.filter(bool))
    def take(self, which: int, size: int) -> None:
        holder, expected = f"process {len(self.model.blocks)}", self.model.left() > 0
        block = allowed(lambda: self.guards[which].take_block(CALLS, size, holder=holder), expected)
        if block is not None:
            assert block.size == min(size, self.model.left())
            self.model.take(block.id, block.size)

    @precondition(lambda self: self.model.blocks)
    @rule(which=WHICH, data=st.data(), settles=st.booleans())
    def close_block(self, which: int, data: st.DataObject, settles: bool) -> None:
        """One that is open, or again one that is closed: the same number changes nothing, another is told."""
        block_id = data.draw(st.sampled_from(sorted(self.model.blocks)))
        block, guard = self.model.blocks[block_id], self.guards[which]
        used = data.draw(st.integers(0, block.size))
        try:
            if settles:
                guard.settle_block(block_id, used, actor="administrator")
            else:
                guard.return_block(block_id, used)
        except UnknownBlock:
            assert block.used not in {None, used}
        else:
            assert block.used in {None, used}
            block.used = used

    # Seats

    @rule(which=WHICH, holder=HOLDERS, amount=UP_TO_5)
    def sit(self, which: int, holder: str, amount: int) -> None:
        expected = self.model.may_sit(holder, amount)
        lease = allowed(lambda: self.guards[which].lease(DESKS, holder, HOUR, amount=amount), expected)
        if lease is not None:
            self.model.seats[holder], self.leases[holder] = amount, lease.id

    @precondition(lambda self: self.leases)
    @rule(which=WHICH, data=st.data())
    def renew(self, which: int, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from(sorted(self.leases)))
        expected = self.model.may_sit(holder, self.model.seats[holder])
        allowed(lambda: self.guards[which].renew_lease(self.leases[holder], HOUR), expected)

    @precondition(lambda self: self.leases)
    @rule(which=WHICH, data=st.data())
    def stand(self, which: int, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from(sorted(self.leases)))
        del self.model.seats[holder]
        lease_id = self.leases.pop(holder)
        self.guards[which].release_lease(lease_id)
        try:
            self.guards[1 - which].release_lease(lease_id)
        except UnknownLease:
            return
        raise AssertionError("the lease was released twice")

    # Time

    @rule(days=st.integers(1, 3))
    def days_go_by(self, days: int) -> None:
        self.clock.go_on(days * DAY)
        self.model.day += days

    @rule(which=WHICH, ticks=st.booleans())
    def keep_up(self, which: int, ticks: bool) -> None:
        guard = self.guards[which]
        if ticks:
            guard.tick()
        guard.refresh()
        for name, found in guard.status().features.items():
            assert found.used == self.model.total(name)
            assert found.exceeded is (name in self.model.over())

    @invariant()
    def agree(self) -> None:
        with self.guards[0].database.read() as connection:
            stored = Stored(connection)
            assert usage.drifts(connection) == metering.drifts(connection) == []
        stored.adds_up()
        assert stored.totals == {name: self.model.total(name) for name in (UNITS, SLOTS, DESKS)}
        held = {(holder, name): units for name, some in self.model.held.items() for holder, units in some.items()}
        assert stored.allocations == held
        assert stored.leases == self.model.seats
        counted = [used for _, used in sorted(stored.periods.items())][-len(self.model.days) :]
        assert counted == [self.model.calls(day) for day in self.model.days] or not self.model.days


def test_the_ledger_and_its_model_agree(database_urls: Callable[[], str]) -> None:
    run(
        lambda: Ledger(database_urls),
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
