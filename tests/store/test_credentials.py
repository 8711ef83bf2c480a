"""Tokens, one-time codes and sessions."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from builders import DAY, NOW, SECOND
from placet.store.credentials import LONGEST_SECRET, Credential, Kind, Role, create, end, find, in_force, use_once
from placet.store.database import Database
from placet.store.schema import credentials
from store_support import threads


def make(database: Database, kind: Kind = Kind.TOKEN, **values: object) -> tuple[int, str]:
    known = {"name": "me", "role": Role.DEVELOPER, "now": NOW} | values
    with database.write() as connection:
        return create(connection, kind, **known)  # type: ignore[arg-type]


def look(database: Database, kind: Kind, secret: str, now: object = NOW) -> Credential | None:
    with database.read() as connection:
        return find(connection, kind, secret, now)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", Kind)
def test_a_credential_is_found_by_its_secret(database: Database, kind: Kind) -> None:
    credential_id, secret = make(database, kind, name="Zoë", role=Role.ADMINISTRATOR, expires_at=NOW + DAY)
    assert look(database, kind, secret) == Credential(
        id=credential_id,
        kind=kind,
        name="Zoë",
        role=Role.ADMINISTRATOR,
        created_at=NOW,
        expires_at=NOW + DAY,
        ended_at=None,
    )
    for other in set(Kind) - {kind}:
        assert look(database, other, secret) is None


def test_secrets_differ_and_say_what_they_are_for(database: Database) -> None:
    secrets = {kind: {make(database, kind)[1] for _ in range(5)} for kind in Kind}
    assert {secret[:4] for secret in secrets[Kind.TOKEN]} == {"plt_"}
    assert {secret[:4] for secret in secrets[Kind.SIGN_IN]} == {"pls_"}
    assert {secret[:4] for secret in secrets[Kind.PASSWORD_LINK]} == {"plp_"}
    assert {secret[:4] for secret in secrets[Kind.SESSION]} == {"plc_"}
    everything = set().union(*secrets.values())
    assert len(everything) == 20
    assert all(43 + 4 == len(secret) <= LONGEST_SECRET for secret in everything)


def test_only_the_hash_of_a_secret_is_stored(path: Path) -> None:
    database = Database.open_file(path)
    secrets = [make(database, kind)[1] for kind in Kind]
    with database.read() as connection:
        hashes = set(connection.execute(select(credentials.c.secret_hash)).scalars())
    assert hashes == {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    database.close()
    stored += b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert hashlib.sha256(secrets[0].encode()).hexdigest().encode() in stored
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret[4:24].encode() not in stored


def test_a_credential_holds_no_secret(database: Database) -> None:
    _, secret = make(database)
    found = look(database, Kind.TOKEN, secret)
    assert secret[4:] not in repr(found)
    assert hashlib.sha256(secret.encode()).hexdigest() not in repr(found)


@pytest.mark.parametrize(("after", "there"), [(-SECOND, True), (0 * SECOND, False), (SECOND, False)])
def test_a_credential_expires_at_its_moment(database: Database, after: object, there: bool) -> None:
    _, secret = make(database, Kind.SIGN_IN, expires_at=NOW + DAY)
    moment = NOW + DAY + after  # type: ignore[operator]
    assert (look(database, Kind.SIGN_IN, secret, moment) is not None) is there
    with database.write() as connection:
        assert (len(in_force(connection, Kind.SIGN_IN, moment)) == 1) is there
        assert (use_once(connection, Kind.SIGN_IN, secret, moment) is not None) is there


def test_a_credential_without_an_end_does_not_expire(database: Database) -> None:
    _, secret = make(database)
    assert look(database, Kind.TOKEN, secret, NOW + 10_000 * DAY) is not None


def test_an_ended_credential_is_found_no_longer(database: Database) -> None:
    credential_id, secret = make(database)
    with database.write() as connection:
        assert end(connection, Kind.SESSION, credential_id, NOW) is None
        assert find(connection, Kind.TOKEN, secret, NOW) is not None
        ended = end(connection, Kind.TOKEN, credential_id, NOW + SECOND)
        assert ended is not None
        assert ended.ended_at == NOW + SECOND
        assert end(connection, Kind.TOKEN, credential_id, NOW + DAY) is None
        assert end(connection, Kind.TOKEN, credential_id + 1, NOW) is None
        assert find(connection, Kind.TOKEN, secret, NOW) is None
        assert use_once(connection, Kind.TOKEN, secret, NOW) is None
        assert in_force(connection, Kind.TOKEN, NOW) == []


def test_what_is_in_force_is_told_oldest_first_by_kind(database: Database) -> None:
    made = [make(database, name=name)[0] for name in "abc"]
    make(database, Kind.SESSION)
    with database.write() as connection:
        end(connection, Kind.TOKEN, made[1], NOW)
        assert [item.name for item in in_force(connection, Kind.TOKEN, NOW)] == ["a", "c"]


def test_a_code_serves_once(database: Database) -> None:
    _, secret = make(database, Kind.SIGN_IN, expires_at=NOW + DAY)
    with database.write() as connection:
        assert use_once(connection, Kind.TOKEN, secret, NOW) is None
        used = use_once(connection, Kind.SIGN_IN, secret, NOW)
        assert used is not None
        assert (used.name, used.ended_at) == ("me", NOW)
        assert use_once(connection, Kind.SIGN_IN, secret, NOW) is None


@pytest.mark.parametrize("connections", ["one database", "a database each"])
def test_a_code_serves_one_of_eight_that_use_it_at_once(database_url: str, connections: str) -> None:
    databases = [Database.open(database_url) for _ in range(8 if connections == "a database each" else 1)]
    _, secret = make(databases[0], Kind.SIGN_IN)

    def use(number: int) -> bool:
        with databases[number % len(databases)].write() as connection:
            return use_once(connection, Kind.SIGN_IN, secret, NOW) is not None

    assert sum(threads.race(8, use)) == 1
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    "secret", ["", "plt_", "' OR 1=1 --", "%", "\0", "\ud800", "ä" * 100, "x" * (LONGEST_SECRET + 1), "x" * 10_000_000]
)
def test_no_nonsense_is_a_secret(database: Database, secret: str) -> None:
    make(database)
    with database.write() as connection:
        for kind in Kind:
            assert find(connection, kind, secret, NOW) is None
            assert use_once(connection, kind, secret, NOW) is None


def test_the_hash_is_no_secret_and_neither_is_half_of_one(database: Database) -> None:
    _, secret = make(database)
    for guess in (hashlib.sha256(secret.encode()).hexdigest(), secret[:-1], secret + "A", secret.upper(), secret + " "):
        assert look(database, Kind.TOKEN, guess) is None
