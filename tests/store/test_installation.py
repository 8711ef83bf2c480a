"""The identity of an installation."""

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from builders import DAY, NOW, SECOND, a_verified_license
from placet.license import SigningKey, serial
from placet.store import licenses
from placet.store.database import Database
from placet.store.installation import (
    Installation,
    change_installation,
    ensure_installation,
    note_moment,
    read_installation,
    renew_identity,
)
from placet.store.schema import installation
from store_support import threads


def made(database: Database) -> Installation:
    with database.write() as connection:
        ensure_installation(connection, NOW)
    return found(database)


def found(database: Database) -> Installation:
    with database.read() as connection:
        return read_installation(connection)


def test_a_new_installation_has_an_identity_and_nothing_else(database: Database) -> None:
    row = made(database)
    assert serial.parse(row.serial_number) == row.serial_number
    assert (row.created_at, row.revision) == (NOW, 1)
    assert (row.license_id, row.newest_moment, row.status_list, row.status_list_sequence) == (None, None, None, None)
    assert (row.evaluation_jti, row.evaluation_started_at) == (None, None)


def test_it_is_made_once(database: Database) -> None:
    first = made(database)
    with database.write() as connection:
        ensure_installation(connection, NOW + DAY)
    assert found(database) == first


def test_threads_at_once_make_it_once(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(6)]
    identities = threads.race(6, lambda number: made(databases[number]))
    assert len({(identity.serial_number, identity.server_key) for identity in identities}) == 1
    for database in databases:
        database.close()


def test_there_cannot_be_a_second(database: Database) -> None:
    made(database)
    row = {"serial_number": serial.generate(), "server_key": "k", "created_at": NOW, "revision": 1}
    for row_id in (1, 2):
        with pytest.raises(IntegrityError), database.write() as connection:
            connection.execute(insert(installation).values(id=row_id, **row))


def test_two_installations_are_two_servers(database: Database) -> None:
    first = made(database)
    with database.write() as connection:
        connection.execute(installation.delete())
    second = made(database)
    assert first.serial_number != second.serial_number
    assert first.server_key != second.server_key


def test_the_key_is_one_that_signs_and_is_never_shown(database: Database) -> None:
    row = made(database)
    assert isinstance(row.signing_key(), SigningKey)
    for shown in (repr(row), str(row), f"{row}", repr([row]), repr(row.signing_key())):
        assert "PRIVATE KEY" not in shown
        assert not any(line in shown for line in row.server_key.splitlines())


def test_a_renewed_identity_is_another_servers(database: Database) -> None:
    before = made(database)
    with database.write() as connection:
        change_installation(connection, evaluation_jti="E-1", evaluation_started_at=NOW)
        number = renew_identity(connection)
    after = found(database)
    assert after.serial_number == number != before.serial_number
    assert serial.parse(number) == number
    assert after.signing_key().kid != before.signing_key().kid
    assert after.revision == before.revision + 2
    assert (after.created_at, after.evaluation_jti, after.evaluation_started_at) == (NOW, "E-1", NOW)


def test_each_change_counts_the_revision_up_and_a_change_taken_back_does_not(database: Database) -> None:
    made(database)

    def change(*, fail: bool) -> None:
        with database.write() as connection:
            change_installation(connection, status_list="signed", status_list_sequence=4)
            if fail:
                raise KeyError

    with pytest.raises(KeyError):
        change(fail=True)
    assert (found(database).revision, found(database).status_list) == (1, None)
    change(fail=False)
    assert (found(database).revision, found(database).status_list_sequence) == (2, 4)


def test_moments_are_noted_under_a_license_and_never_go_back(database: Database) -> None:
    made(database)

    def noted(moment: object) -> object:
        with database.write() as connection:
            note_moment(connection, moment)  # type: ignore[arg-type]
        return found(database).newest_moment

    assert noted(NOW) is None
    with database.write() as connection:
        license_id = licenses.add_license(connection, a_verified_license(), now=NOW, actor="me")
        connection.execute(update(installation).values(license_id=license_id))
    assert noted(NOW) == NOW
    assert noted(NOW - SECOND) == NOW
    assert noted(NOW + SECOND) == NOW + SECOND
    assert found(database).revision == 1


def test_only_a_license_of_the_history_can_be_in_force(database: Database) -> None:
    made(database)
    with pytest.raises(IntegrityError), database.write() as connection:
        change_installation(connection, license_id=7)
    with database.read() as connection:
        assert connection.execute(select(installation.c.license_id)).scalar() is None
