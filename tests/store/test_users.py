"""The users of a server."""

import pytest

from builders import DAY, NOW
from placet.store.credentials import Role
from placet.store.database import Database
from placet.store.users import NameTaken, User, add_user, all_users, find_user, set_active
from store_support import threads


def add(database: Database, name: str, *, active: bool = True) -> User:
    with database.write() as connection:
        return add_user(connection, name=name, role=Role.DEVELOPER, active=active, now=NOW)


def test_a_user_is_found_by_name(database: Database) -> None:
    user = add(database, "Zoë")
    assert user == User(id=user.id, name="Zoë", role=Role.DEVELOPER, active=True, created_at=NOW, changed_at=NOW)
    with database.read() as connection:
        assert find_user(connection, "Zoë") == user
        assert find_user(connection, "zoë") is None
        assert find_user(connection, "' OR 1=1 --") is None


def test_a_name_is_taken_once(database: Database) -> None:
    first = add(database, "me")
    with pytest.raises(NameTaken, match="There is a user named 'me' already"):
        add(database, "me", active=False)
    with database.read() as connection:
        assert all_users(connection) == [first]


def test_a_name_is_taken_once_by_threads_at_once(database: Database) -> None:
    def attempt(_: int) -> bool:
        try:
            add(database, "me")
        except NameTaken:
            return False
        return True

    assert sum(threads.race(6, attempt)) == 1


def test_a_user_is_deactivated_and_activated(database: Database) -> None:
    add(database, "me")
    with database.write() as connection:
        off = set_active(connection, "me", active=False, now=NOW + DAY)
        assert off is not None
        assert (off.active, off.created_at, off.changed_at) == (False, NOW, NOW + DAY)
        on = set_active(connection, "me", active=True, now=NOW + 2 * DAY)
        assert on is not None
        assert on.active
        assert set_active(connection, "nobody", active=True, now=NOW) is None


def test_users_are_told_by_name(database: Database) -> None:
    for name in ("c", "a", "b"):
        add(database, name)
    with database.read() as connection:
        assert [user.name for user in all_users(connection)] == ["a", "b", "c"]
        assert [user.name for user in all_users(connection, most=2)] == ["a", "b"]
