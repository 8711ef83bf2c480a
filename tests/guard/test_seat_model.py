"""Seats against their model: whoever leases, borrows, waits, reserves and gives back, in whatever order."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from builders import DAY
from guard_support.guards import install
from guard_support.seats import MINUTE, seated, seats, taken
from placet.enforcement import Code, Refused
from placet.enforcement.seating import SubjectKind
from placet.guard import Guard, Queued, TooManyReserved, UnknownLease, UnknownReservation

HOLDERS = st.sampled_from(["ann", "bob", "cyd", "dan"])
GROUPS = st.none() | st.sampled_from(["design", "sales"])
AMOUNTS = st.integers(1, 3)
WHICH = st.integers(0, 1)
LIMIT = 6


class Desks(RuleBasedStateMachine):
    """Two guards on one database, and beside them who should have how many desks, and who waits in which order."""

    def __init__(self, new_url: Callable[[], str]) -> None:
        super().__init__()
        self.url = new_url()
        self.guards: list[Guard] = []
        self.held: dict[str, int] = {}
        self.borrowed: set[str] = set()
        self.waiting: dict[str, int] = {}
        self.reserved: dict[str, int] = {}

    @initialize()
    def start(self) -> None:
        self.guards = [seated(self.url) for _ in range(2)]
        install(self.guards[0], features={"desks": seats(LIMIT)})

    def teardown(self) -> None:
        for guard in self.guards:
            guard.close()

    def free(self) -> int:
        return LIMIT - sum(self.held.values())

    def kept_for_others(self, holder: str) -> int:
        """What is reserved for other users, and not drawn on yet."""
        unused = (max(0, amount - self.held.get(name, 0)) for name, amount in self.reserved.items() if name != holder)
        return sum(unused)

    def wanted(self, holder: str, amount: int) -> int:
        return max(amount, self.held[holder]) if holder in self.borrowed else amount

    @rule(which=WHICH, holder=HOLDERS, amount=AMOUNTS, queues=st.booleans(), group=GROUPS)
    def lease(self, which: int, holder: str, amount: int, queues: bool, group: str | None) -> None:
        growth = self.wanted(holder, amount) - self.held.get(holder, 0)
        try:
            found = self.guards[which].lease("desks", holder, MINUTE, amount=amount, queue=queues, group=group)
        except Refused as error:
            self.refused(holder, growth, error)
            if isinstance(error, Queued):
                self.waits(holder, growth, error.place)
            return
        assert growth <= max(0, self.free())
        if growth > 0 and not self.reserved.get(holder):
            assert growth <= max(0, self.free() - self.kept_for_others(holder))
        self.held[holder] = found.amount
        self.waiting.pop(holder, None)

    def waits(self, holder: str, growth: int, place: int) -> None:
        self.waiting[holder] = growth
        assert place == 1 + list(self.waiting).index(holder)

    def refused(self, holder: str, growth: int, error: Refused) -> None:
        """Nobody is refused without a reason that the model sees as well."""
        assert growth > 0
        code = error.decision.code
        if code is Code.LIMIT_REACHED:
            assert growth > self.free()
        elif code is Code.RESERVED_FOR_OTHERS:
            assert self.free() >= growth > self.free() - self.kept_for_others(holder)
        else:
            assert code is Code.QUEUED_BEHIND_OTHERS
            assert set(self.waiting) - {holder}

    @rule(which=WHICH, holder=HOLDERS)
    def borrow(self, which: int, holder: str) -> None:
        growth = self.wanted(holder, 1) - self.held.get(holder, 0) if holder in self.held else 1
        try:
            found, _ = self.guards[which].borrow("desks", holder, DAY)
        except Refused as error:
            self.refused(holder, growth, error)
            return
        self.borrowed.add(holder)
        self.held[holder] = found.amount
        self.waiting.pop(holder, None)

    @rule(which=WHICH, holder=HOLDERS)
    def release(self, which: int, holder: str) -> None:
        guard = self.guards[which]
        ids = [lease.id for lease in guard.leases("desks") if lease.holder == holder]
        assert len(ids) == (holder in self.held)
        for lease_id in ids:
            guard.release_lease(lease_id)
            try:
                self.guards[1 - which].renew_lease(lease_id, MINUTE)
            except UnknownLease:
                continue
            raise AssertionError(lease_id)
        self.held.pop(holder, None)
        self.borrowed.discard(holder)

    @rule(which=WHICH, holder=HOLDERS)
    def renew(self, which: int, holder: str) -> None:
        for lease in self.guards[which].leases("desks"):
            if lease.holder == holder:
                assert self.guards[which].renew_lease(lease.id, MINUTE).amount == self.held[holder]
                self.waiting.pop(holder, None)

    @rule(which=WHICH, holder=HOLDERS)
    def leave(self, which: int, holder: str) -> None:
        self.guards[which].leave_queue("desks", holder)
        self.waiting.pop(holder, None)

    @rule(which=WHICH, holder=HOLDERS, amount=AMOUNTS)
    def reserve(self, which: int, holder: str, amount: int) -> None:
        others = sum(units for name, units in self.reserved.items() if name != holder)
        try:
            self.guards[which].reserve_seats("desks", SubjectKind.USER, holder, amount)
        except TooManyReserved:
            assert others + amount > LIMIT
        else:
            assert others + amount <= LIMIT
            self.reserved[holder] = amount

    @rule(which=WHICH, holder=HOLDERS)
    def unreserve(self, which: int, holder: str) -> None:
        try:
            self.guards[which].unreserve_seats("desks", SubjectKind.USER, holder)
        except UnknownReservation:
            assert holder not in self.reserved
        else:
            del self.reserved[holder]

    @invariant()
    def agree(self) -> None:
        for guard in self.guards[:1]:
            assert taken(guard) == sum(self.held.values()) <= LIMIT
            assert {lease.holder: lease.amount for lease in guard.leases("desks")} == self.held
            assert {lease.holder for lease in guard.leases("desks") if lease.borrowed} == self.borrowed
            assert [request.holder for request in guard.queue("desks")] == list(self.waiting)


def test_seats_and_their_model_agree(database_urls: Callable[[], str]) -> None:
    run_state_machine_as_test(
        lambda: Desks(database_urls),
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
