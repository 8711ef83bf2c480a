"""Each change and its entry in the audit trail are one: where the entry cannot be written, nothing has happened."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from builders import a_status_list, switch
from guard_support.guards import allocate, audited, install, used
from placet.enforcement import Code, Refused
from placet.guard import Guard
from placet.store.audit import Event
from store_support.databases import dump


@contextmanager
def unwritable_trail(guard: Guard) -> Iterator[None]:
    """Let every statement that appends to the audit trail fail, as on a full disk; on any database."""
    with guard.database.write() as connection:
        connection.execute(text("ALTER TABLE audit_events RENAME TO elsewhere"))
    try:
        yield
    finally:
        with guard.database.write() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO audit_events"))


def release(guard: Guard) -> None:
    with guard.releasing("orders", "software_units"):
        pass


def install_smaller(guard: Guard) -> None:
    install(guard, jti="L-3", features={"run": switch()}, acknowledge=True)


CHANGES: dict[Event, Callable[[Guard], object]] = {
    Event.LICENSE_INSTALLED: install_smaller,
    Event.LICENSE_RESTORED: lambda guard: guard.restore(guard.history()[-1].id),
    Event.STATUS_LIST_INSTALLED: lambda guard: guard.install_status_list(a_status_list("L-2")),
    Event.SERIAL_NUMBER_RENEWED: lambda guard: guard.renew_serial_number(),
    Event.ALLOCATED: lambda guard: allocate(guard, "billing", 1),
    Event.RELEASED: release,
}


@pytest.mark.parametrize("kind", CHANGES, ids=str)
def test_a_change_that_cannot_be_told_does_not_happen(licensed: Guard, kind: Event) -> None:
    install(licensed, jti="L-2")
    allocate(licensed, "orders", 3)
    before, status = dump(licensed.database), licensed.status()
    with unwritable_trail(licensed), pytest.raises(DatabaseError, match="audit_events"):
        CHANGES[kind](licensed)
    assert dump(licensed.database) == before
    assert licensed.status() is status
    assert not licensed.refresh() or licensed.status() is status
    CHANGES[kind](licensed)
    assert audited(licensed)[0].event == kind
    assert len(audited(licensed)) == len(before["audit_events"]) + 1


def test_an_evaluation_that_cannot_be_told_has_not_begun(guard: Guard) -> None:
    with unwritable_trail(guard), pytest.raises(DatabaseError, match="audit_events"):
        install(guard, jti="E-1", evaluation_seconds=60)
    assert guard.check("run").code is Code.OPERATION_NO_LICENSE
    assert install(guard, jti="E-1", evaluation_seconds=60).installed


def test_a_refused_allocation_leaves_no_entry(licensed: Guard) -> None:
    before = audited(licensed)
    with pytest.raises(Refused):
        allocate(licensed, "orders", 101)
    assert (audited(licensed), used(licensed)) == (before, 0)
