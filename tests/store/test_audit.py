"""The audit trail."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, inspect

from builders import NOW
from placet.store.audit import AuditEvent, Event, events, record
from placet.store.database import Database
from placet.store.schema import DELETIONS, totals


def note(database: Database, *subjects: str) -> None:
    with database.write() as connection:
        for number, subject in enumerate(subjects):
            record(connection, Event.QUERY_TESTED, now=NOW + timedelta(seconds=number), actor="me", subject=subject)


def test_an_event_says_who_did_what_and_when(database: Database) -> None:
    with database.write() as connection:
        record(connection, Event.ALLOCATED, now=NOW, actor="Zoë", subject="orders", software_units=3, note=None)
    with database.read() as connection:
        (event,) = events(connection)
    assert event == AuditEvent(
        id=event.id,
        at=NOW,
        actor="Zoë",
        event="usage.allocated",
        subject="orders",
        detail={"software_units": 3, "note": None},
    )


def test_events_are_told_newest_first_and_page_by_page(database: Database) -> None:
    note(database, *"abcdefg")
    with database.read() as connection:
        page = events(connection, most=3)
        assert [event.subject for event in page] == ["g", "f", "e"]
        page = events(connection, most=3, before=page[-1].id)
        assert [event.subject for event in page] == ["d", "c", "b"]
        page = events(connection, most=3, before=page[-1].id)
        assert [event.subject for event in page] == ["a"]
        assert events(connection, before=page[-1].id) == []


def test_an_event_and_what_it_tells_of_happen_together_or_not_at_all(database: Database) -> None:
    def change(*, fail: bool) -> None:
        with database.write() as connection:
            record(connection, Event.USER_ADDED, now=NOW, actor="me", subject="them")
            connection.execute(insert(totals).values(feature="users", used=1))
            if fail:
                raise KeyError

    with pytest.raises(KeyError):
        change(fail=True)
    with database.read() as connection:
        assert events(connection) == []
        assert connection.execute(totals.select()).all() == []
    change(fail=False)
    with database.read() as connection:
        assert [event.event for event in events(connection)] == [Event.USER_ADDED]
        assert connection.execute(totals.select()).all() == [("users", 1)]


def test_long_names_are_cut(database: Database) -> None:
    with database.write() as connection:
        record(connection, Event.SIGNED_IN, now=NOW, actor="a" * 10_000, subject="s" * 10_000)
    with database.read() as connection:
        (event,) = events(connection)
    assert (event.actor, event.subject) == ("a" * 200, "s" * 200)


def test_a_name_no_database_can_store_is_told_all_the_same(database: Database) -> None:
    with database.write() as connection:
        record(connection, Event.SIGNED_IN, now=NOW, actor="a\0b", subject="\0", name="a\0b")
    with database.read() as connection:
        (event,) = events(connection)
    assert (event.actor, event.subject, event.detail) == ("a\ufffdb", "\ufffd", {"name": "a\0b"})


def test_every_event_has_a_code_of_its_own_that_fits() -> None:
    codes = [str(event) for event in Event]
    assert len(set(codes)) == len(codes)
    assert all(0 < len(code) <= 60 and "." in code for code in codes)


def test_events_are_in_no_index_but_deletions_which_are_looked_for_by_time(database: Database) -> None:
    assert f"event = '{Event.MODULE_DELETED}'" == DELETIONS
    with database.read() as connection:
        (index,) = inspect(connection).get_indexes("audit_events")
    (where,) = [value for name, value in index["dialect_options"].items() if name.endswith("_where")]
    assert "module.deleted" in str(where)
