"""The history of licenses."""

from builders import DAY, NOW, SERIAL, TRUST, a_verified_license
from placet.license import verify
from placet.store.database import Database
from placet.store.licenses import add_license, history, read_license, was_installed


def test_a_license_is_kept_as_it_was_signed(database: Database) -> None:
    license_ = a_verified_license(customer="Müller & Söhne", jti="L-7")
    with database.write() as connection:
        license_id = add_license(connection, license_, now=NOW, actor="me")
        entry = read_license(connection, license_id)
    assert entry is not None
    assert verify(entry.signed.encode(), TRUST) == license_
    assert (entry.jti, entry.digest, entry.issuer) == ("L-7", license_.digest, "Acme Software")
    assert (entry.customer, entry.serial_number) == ("Müller & Söhne", SERIAL)
    assert (entry.installed_at, entry.installed_by, entry.restored_from) == (NOW, "me", None)
    assert entry.expires_at == license_.terms.expires_at()


def test_the_history_is_newest_first_and_holds_every_installation(database: Database) -> None:
    with database.write() as connection:
        ids = [
            add_license(connection, a_verified_license(jti=jti), now=NOW + days * DAY, actor="me")
            for days, jti in enumerate(["L-1", "L-2", "L-1"])
        ]
        ids.append(add_license(connection, a_verified_license(jti="L-2"), now=NOW, actor="me", restored_from=ids[1]))
    with database.read() as connection:
        entries = history(connection)
        assert [entry.id for entry in entries] == ids[::-1]
        assert [entry.jti for entry in entries] == ["L-2", "L-1", "L-2", "L-1"]
        assert [entry.restored_from for entry in entries] == [ids[1], None, None, None]
        assert [entry.id for entry in history(connection, most=2)] == ids[:1:-1]


def test_what_was_installed_is_known_by_its_identifier(database: Database) -> None:
    with database.write() as connection:
        add_license(connection, a_verified_license(jti="L-1"), now=NOW, actor="me")
        assert was_installed(connection, "L-1")
        assert not was_installed(connection, "l-1")
        assert not was_installed(connection, "L-2")


def test_there_may_be_no_such_entry(database: Database) -> None:
    with database.read() as connection:
        assert read_license(connection, 1) is None
        assert read_license(connection, -1) is None
        assert history(connection) == []


def test_a_long_name_of_who_installs_is_cut(database: Database) -> None:
    with database.write() as connection:
        license_id = add_license(connection, a_verified_license(), now=NOW, actor="x" * 10_000)
        entry = read_license(connection, license_id)
    assert entry is not None
    assert entry.installed_by == "x" * 200
