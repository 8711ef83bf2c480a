"""Allocations against a model that is a dictionary: whatever is done in whatever order, they agree."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from builders import limit, switch
from guard_support.guards import Clock, install, opened, used
from placet.enforcement import Refused
from placet.guard import Guard
from placet.license import Enforcement
from placet.store import usage

UNITS, FRONT_ENDS = "software_units", "front_end_servers"
HOLDERS = st.sampled_from(["orders", "billing", "crm"])
AMOUNTS = st.integers(0, 8)
LIMITS = st.tuples(st.integers(0, 12), st.sampled_from([0, 25, 100]))


class BodyFailed(Exception):
    pass


def body(fail: bool) -> None:
    if fail:
        raise BodyFailed


class Ledger(RuleBasedStateMachine):
    """Two guards on one database, and beside them what they should hold."""

    def __init__(self, new_url: Callable[[], str]) -> None:
        super().__init__()
        self.url = new_url()
        self.guards: list[Guard] = []
        self.held: dict[str, dict[str, int]] = {UNITS: {}, FRONT_ENDS: {}}
        self.most = {UNITS: 0, FRONT_ENDS: 0}
        self.strict = True
        self.licenses = 0

    @initialize(units=LIMITS, front_ends=LIMITS)
    def start(self, units: tuple[int, int], front_ends: tuple[int, int]) -> None:
        self.guards = [opened(self.url, Clock()) for _ in range(2)]
        self.license(0, units, front_ends, Enforcement.STRICT)

    def teardown(self) -> None:
        for guard in self.guards:
            guard.close()

    def total(self, feature: str) -> int:
        return sum(self.held[feature].values())

    def permitted(self, holder: str, wanted: dict[str, int]) -> bool:
        growing = {name for name, units in wanted.items() if units > self.held[name].get(holder, 0)}
        over = {name for name in self.held if self.total(name) > self.most[name]}
        after = {name: self.total(name) - self.held[name].get(holder, 0) + wanted[name] for name in growing}
        return not (over if self.strict else over & growing) and all(after[name] <= self.most[name] for name in growing)

    @rule(which=st.integers(0, 1), holder=HOLDERS, units=AMOUNTS, front_ends=st.none() | AMOUNTS, fail=st.booleans())
    def allocate(self, which: int, holder: str, units: int, front_ends: int | None, fail: bool) -> None:
        wanted = {UNITS: units} if front_ends is None else {UNITS: units, FRONT_ENDS: front_ends}
        operation = "publish" if front_ends is None else "publish_and_run"
        permitted, outcome = self.permitted(holder, wanted), "allowed"
        assert self.guards[which].preview(operation, holder, **wanted).allowed is permitted
        try:
            with self.guards[which].allocation(operation, holder, **wanted):
                assert permitted
                body(fail)
        except Refused:
            outcome = "refused"
        except BodyFailed:
            outcome = "failed"
        assert outcome == ("refused" if not permitted else "failed" if fail else "allowed")
        if outcome == "allowed":
            for name, amount in wanted.items():
                self.held[name][holder] = amount

    @rule(which=st.integers(0, 1), holder=HOLDERS, features=st.sets(st.sampled_from([UNITS, FRONT_ENDS])))
    def release(self, which: int, holder: str, features: set[str]) -> None:
        with self.guards[which].releasing(holder, *features):
            pass
        for name in features:
            self.held[name].pop(holder, None)

    @rule(which=st.integers(0, 1), units=LIMITS, front_ends=LIMITS, enforcement=st.sampled_from(Enforcement))
    def license(
        self, which: int, units: tuple[int, int], front_ends: tuple[int, int], enforcement: Enforcement
    ) -> None:
        self.licenses += 1
        features = {UNITS: limit(*units), FRONT_ENDS: limit(*front_ends), "run": switch()}
        jti = f"L-{self.licenses}"
        install(self.guards[which], jti=jti, features=features, enforcement=enforcement, acknowledge=True)
        self.strict = enforcement is Enforcement.STRICT
        self.most = {UNITS: most(*units), FRONT_ENDS: most(*front_ends)}

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.guards[which].close()
        self.guards[which] = opened(self.url, Clock())

    @rule(which=st.integers(0, 1))
    def keep_up(self, which: int) -> None:
        self.guards[which].tick()
        self.guards[which].refresh()
        features = self.guards[which].status().features
        for name in self.held:
            assert features[name].used == self.total(name)
            assert features[name].exceeded is (self.total(name) > self.most[name])

    @invariant()
    def agree(self) -> None:
        for guard in self.guards[:1]:
            for name, held in self.held.items():
                assert used(guard, name) == self.total(name)
                with guard.database.read() as connection:
                    assert {item.holder: item.amount for item in usage.allocations_of(connection, name)} == held


def most(units: int, percent: int) -> int:
    """The limit with its tolerance, in whole units."""
    return int(units * (100 + percent) / 100)


def test_a_guard_and_its_model_agree(database_urls: Callable[[], str]) -> None:
    run_state_machine_as_test(
        lambda: Ledger(database_urls),
        settings=settings(
            max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
