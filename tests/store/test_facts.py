"""Facts read from the database: the signed bytes are the truth."""

import pytest
from sqlalchemy import update

from builders import DAY, NOW, OTHER_KEY, TRUST, a_license, a_status_list, a_verified_license, trust_store
from placet.license import Diagnosis, License, Rejection, TrustStore
from placet.store import licenses, usage
from placet.store.database import Database
from placet.store.facts import StoredFacts, read_facts
from placet.store.installation import change_installation, ensure_installation, note_moment
from placet.store.schema import licenses as table
from store_support.databases import statements


@pytest.fixture(autouse=True)
def license_id(database: Database) -> int:
    """A server with a license."""
    with database.write() as connection:
        ensure_installation(connection, NOW)
        found = licenses.add_license(connection, a_verified_license(), now=NOW, actor="me")
        change_installation(connection, license_id=found)
        usage.ensure_totals(connection, ["users"])
    return found


def read(database: Database, trust: TrustStore = TRUST, known: StoredFacts | None = None) -> StoredFacts:
    with database.read() as connection:
        return read_facts(connection, trust, known)


def put(database: Database, license_id: int, signed: bytes) -> None:
    with database.write() as connection:
        connection.execute(update(table).where(table.c.id == license_id).values(signed=signed.decode()))


def test_a_license_is_verified_when_it_is_read(database: Database) -> None:
    assert read(database).facts.license == a_verified_license()
    rejected = read(database, trust_store(OTHER_KEY)).facts.license
    assert isinstance(rejected, Rejection)
    assert rejected.diagnosis is Diagnosis.UNKNOWN_KEY


def test_columns_are_an_index_and_nothing_is_believed_of_them(database: Database, license_id: int) -> None:
    with database.write() as connection:
        values = {"serial_number": "X", "expires_at": NOW + 9999 * DAY, "jti": "X", "customer": "X", "issuer": "X"}
        connection.execute(update(table).values(**values))
    assert read(database).facts.license == a_verified_license()


def test_without_a_license_there_is_none(database: Database) -> None:
    with database.write() as connection:
        change_installation(connection, license_id=None)
    facts = read(database).facts
    assert (facts.license, facts.usage, facts.revocation, facts.newest_moment) == (None, {"users": 0}, None, None)


def test_a_license_that_is_known_is_not_verified_again_until_the_revision_changes(
    database: Database, license_id: int
) -> None:
    known = read(database)
    put(database, license_id, b"something else")  # past every function that changes it
    with database.write() as connection:
        usage.set_amount(connection, "users", "me", 1, limit=None, now=NOW)
        note_moment(connection, NOW + DAY)
    with statements(database) as seen:
        again = read(database, known=known)
    assert seen == []  # nothing but one statement given to the driver
    assert again.facts.license is known.facts.license
    assert (again.facts.usage, again.facts.newest_moment) == ({"users": 1}, NOW + DAY)
    assert isinstance(read(database).facts.license, Rejection)
    with database.write() as connection:
        change_installation(connection)
    assert isinstance(read(database, known=known).facts.license, Rejection)


def test_a_revocation_is_read_from_the_signed_list(database: Database) -> None:
    with database.write() as connection:
        change_installation(connection, status_list=a_status_list("L-0001").decode(), status_list_sequence=1)
    revocation = read(database).facts.revocation
    assert revocation is not None
    assert revocation.jti == "L-0001"


@pytest.mark.parametrize("listed", [a_status_list("L-0002"), a_status_list("L-0001", keys=[OTHER_KEY]), b"nonsense"])
def test_a_list_that_does_not_name_it_or_does_not_verify_revokes_nothing(database: Database, listed: bytes) -> None:
    with database.write() as connection:
        change_installation(connection, status_list=listed.decode(), status_list_sequence=1)
    assert read(database).facts.revocation is None


def test_there_is_one_evaluation_whichever_license_it_came_with(database: Database, license_id: int) -> None:
    with database.write() as connection:
        change_installation(connection, evaluation_jti="E-1", evaluation_started_at=NOW - DAY)
    assert read(database).facts.evaluation_started_at is None  # the license is no evaluation
    for jti in ("E-1", "E-2"):
        put(database, license_id, a_license(jti=jti, evaluation_seconds=3600))
        stored = read(database)
        assert isinstance(stored.facts.license, License)
        assert stored.facts.evaluation_started_at == NOW - DAY
