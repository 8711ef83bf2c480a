"""The doctor: finds each planted inconsistency and nothing else, explains it, and mends it with an audit event."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select, text

from builders import KEY, NEW_KEY, NOW, TRUST, a_license, trust_store
from placet.license import TrustStore
from placet.platform.doctor import EXPLAINED, Examination, Kind, examine, repair
from placet.platform.journals import Journal, Journals
from placet.platform.layout import Layout
from placet.store import audit, usage
from placet.store.database import Database
from placet.store.schema import allocations, licenses
from platform_support.doctor import DAY_US, HOUR_US, NOW_US, PRODUCT, Patient
from store_support.databases import KINDS, dump, new_databases


@pytest.fixture(params=KINDS)
def patient(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Patient]:
    layout = Layout(tmp_path / "data")
    layout.make()
    if request.param == "sqlite":
        database = Database.open_file(layout.database)
        yield Patient(database, layout)
        database.close()
        return
    with new_databases(request.param, tmp_path) as make:
        database = Database.open(make())
        yield Patient(database, layout)
        database.close()


def examined(patient: Patient, trust: TrustStore | None = None) -> Examination:
    return examine(patient.database, patient.layout, product=PRODUCT, trust=trust, now=NOW)


def repaired(patient: Patient, trust: TrustStore | None = None) -> Examination:
    return repair(patient.database, patient.layout, product=PRODUCT, trust=trust, now=NOW, actor="the operator")


def wrong(found: Examination) -> list[tuple[Kind | None, str, str]]:
    return [(finding.kind, finding.subject, finding.text) for finding in found.wrong]


def told(patient: Patient) -> list[audit.AuditEvent]:
    with patient.database.read() as connection:
        return [event for event in audit.events(connection) if event.event == "doctor.repaired"][::-1]


def test_a_busy_installation_is_well(patient: Patient) -> None:
    before = dump(patient.database)
    for trust in (None, TRUST):
        found = examined(patient, trust)
        assert wrong(found) == []
        assert len(found.findings) > 10
    assert repaired(patient, TRUST).mended == []
    assert dump(patient.database) == before


class Planted(NamedTuple):
    """What somebody did to the database, what the doctor has to say, and what a repair has to note of it."""

    statements: tuple[str, ...]
    kind: Kind
    subject: str
    text: str
    before: Any
    after: Any


def planted(kind: Kind, subject: str, text: str, *statements: str, before: Any, after: Any) -> Any:
    return pytest.param(Planted(statements, kind, subject, text, before, after), id=f"{kind}: {subject}")


UNITS = "software_units"
MENDABLE = [
    planted(
        Kind.TOTAL_DIFFERS,
        UNITS,
        "the total is 7, and its allocations add up to 6",
        "UPDATE totals SET used = 7 WHERE feature = 'software_units'",
        before=7,
        after=6,
    ),
    planted(
        Kind.TOTAL_DIFFERS,
        "users",
        "the total is -3, and its allocations add up to 2",
        "UPDATE totals SET used = -3 WHERE feature = 'users'",
        before=-3,
        after=2,
    ),
    planted(
        Kind.TOTAL_DIFFERS,
        "editors",
        "the total is 0, and its leases add up to 2",
        "UPDATE totals SET used = 0 WHERE feature = 'editors'",
        before=0,
        after=2,
    ),
    planted(
        Kind.TOTAL_MISSING,
        UNITS,
        "there is no total, and what is held adds up to 6",
        "DELETE FROM totals WHERE feature = 'software_units'",
        before=None,
        after=6,
    ),
    planted(
        Kind.METER_MISSING,
        "calls",
        "there is no meter",
        "DELETE FROM meters WHERE feature = 'calls'",
        before=None,
        after=16,
    ),
    planted(
        Kind.METER_DIFFERS,
        "calls",
        "the meter says 99, and what was consumed since 2026-06-01T12:00:00Z adds up to 16",
        "UPDATE meters SET used = 99 WHERE feature = 'calls'",
        before=99,
        after=16,
    ),
    planted(
        Kind.HOLDER_DIFFERS,
        UNITS,
        "'shop' holds 9 and accounts for 4; 1 such in all",
        "UPDATE allocations SET amount = 9 WHERE holder = 'shop'",
        "UPDATE totals SET used = 11 WHERE feature = 'software_units'",
        before={"shop": 9},
        after={"shop": 4},
    ),
    planted(
        Kind.HOLDER_DIFFERS,
        UNITS,
        "'news' holds 0 and accounts for 2; 1 such in all",
        "DELETE FROM allocations WHERE holder = 'news'",
        "UPDATE totals SET used = 4 WHERE feature = 'software_units'",
        before={"news": 0},
        after={"news": 2},
    ),
    planted(
        Kind.HOLDER_DIFFERS,
        UNITS,
        "'ghost' holds 3 and accounts for 0; 1 such in all",
        "INSERT INTO allocations VALUES ('software_units', 'ghost', 3, 0)",
        "UPDATE totals SET used = 9 WHERE feature = 'software_units'",
        before={"ghost": 3},
        after={"ghost": 0},
    ),
    planted(
        Kind.HOLDER_DIFFERS,
        "users",
        "'gone' holds 0 and accounts for 1; 2 such in all",
        "UPDATE users SET active = (name <> 'maria')",
        before={"gone": 0, "maria": 1},
        after={"gone": 1, "maria": 0},
    ),
    planted(
        Kind.VERSION_UNITS_DIFFER,
        "module shop",
        "version 1.0.0 is of 40 units, and its elements add up to 4",
        "UPDATE module_versions SET units = 40 WHERE module = 'shop'",
        before=40,
        after=4,
    ),
    planted(
        Kind.ACTIVE_VERSION_MISSING,
        "module shop",
        "it is to serve version 'nowhere', which is not recorded",
        "UPDATE modules SET active_version = 'nowhere' WHERE name = 'shop'",
        before="nowhere",
        after="shop-1",
    ),
    planted(
        Kind.METER_PERIOD_ABSURD,
        "calls",
        "the meter stands in the period of 2027-07-06T12:00:00Z, and the newest that was recorded is of "
        "2026-06-01T12:00:00Z",
        f"UPDATE meters SET period_starts_at = period_starts_at + {400 * DAY_US} WHERE feature = 'calls'",  # noqa: S608
        before={"period": "2027-07-06T12:00:00Z", "used": 16},
        after={"period": "2026-06-01T12:00:00Z", "used": 16},
    ),
    planted(
        Kind.INDEX_MISSING,
        "schema",
        "the index ix_audit_events_deleted of audit_events is missing",
        "DROP INDEX ix_audit_events_deleted",
        before=None,
        after="ix_audit_events_deleted",
    ),
    planted(
        Kind.ROLE_UNKNOWN,
        "users",
        "there is no such role as that of 'maria'",
        "UPDATE users SET role = 'boss' WHERE name = 'maria'",
        before={"maria": "boss"},
        after="developer",
    ),
    planted(
        Kind.CREDENTIAL_UNKNOWN,
        "credentials",
        "of 'me' there are credentials of a kind nobody knows",
        "INSERT INTO credentials (kind, name, role, secret_hash, created_at)"
        " VALUES ('magic', 'me', 'developer', '0', 0)",
        before="1 credentials",
        after="0 credentials",
    ),
    planted(
        Kind.CREDENTIAL_UNKNOWN,
        "credentials",
        "of 'me' there are credentials of a kind nobody knows",
        "INSERT INTO credentials (kind, name, role, secret_hash, created_at, method)"
        " VALUES ('session', 'me', 'developer', '0', 0, 'telepathy')",
        before="1 credentials",
        after="0 credentials",
    ),
    planted(
        Kind.ARCHIVE_WITHOUT_VERSION,
        "modules",
        "there are archives of versions that are not recorded: 'lost-1'",
        "INSERT INTO module_archives SELECT 'lost-1', archive FROM module_archives WHERE version_id = 'shop-1'",
        before=["lost-1"],
        after=[],
    ),
    planted(
        Kind.HISTORY_ABSURD,
        "usage over time",
        "1 rows of periods that have ended say what cannot have been",
        "INSERT INTO meter_periods VALUES ('calls', 0, -7)",
        before="1 rows",
        after="0 rows",
    ),
    planted(
        Kind.VERSION_WITHOUT_MODULE,
        "modules",
        "versions are recorded of modules that are not there: 'lost'",
        "INSERT INTO module_versions VALUES ('lost-1', 'lost', '1', 'a:a', 1, '[]', '0', 0, 'me')",
        before={"lost-1": "lost"},
        after={},
    ),
    planted(
        Kind.AMOUNT_ABSURD,
        "editors",
        "'maria' holds 0 units",
        "UPDATE leases SET amount = 0",
        before={"maria": 0},
        after={},
    ),
    planted(
        Kind.LEASE_EXPIRED,
        "editors",
        "1 expired more than an hour ago and still hold 2 seats",
        f"UPDATE leases SET expires_at = {NOW_US - HOUR_US - 1}",  # noqa: S608
        before={"maria": 2},
        after={},
    ),
    planted(
        Kind.FRONT_END_DEAD,
        "front_end_servers",
        "'one' (f-1) was last heard of at 2026-05-31T11:59:59.999999Z",
        f"UPDATE front_ends SET beaten_at = {NOW_US - DAY_US - 1}",  # noqa: S608
        before={"entered": True, "holds": 1},
        after={"entered": False, "holds": 0},
    ),
    planted(
        Kind.FRONT_END_UNKNOWN,
        "front_end_servers",
        "places are held by servers that are not entered: 'f-1'",
        "DELETE FROM front_ends",
        before={"f-1": 1},
        after={"f-1": 0},
    ),
    *(
        planted(
            Kind.HISTORY_ABSURD,
            "usage over time",
            f"1 rows of {rows} say what cannot have been",
            statement,
            before="1 rows",
            after="0 rows",
        )
        for rows, statement in (
            ("hours", "UPDATE usage_samples SET used = -1 WHERE feature = 'users'"),
            ("hours", "UPDATE usage_samples SET samples = 0 WHERE feature = 'users'"),
            ("hours", "UPDATE usage_samples SET total = total + 1 WHERE feature = 'users'"),
            ("hours", "UPDATE usage_samples SET sampled_at = sampled_at + 1 WHERE feature = 'users'"),
            ("days", f"INSERT INTO usage_days VALUES ('users', {NOW_US + 3 * DAY_US - HOUR_US * 12}, 1, 1, 1, 1)"),  # noqa: S608
            ("days of holders", f"INSERT INTO holder_days VALUES ('users', 'x', {NOW_US - HOUR_US * 12}, -1)"),  # noqa: S608
        )
    ),
]


@pytest.mark.parametrize("plant", MENDABLE)
def test_what_is_planted_is_found_and_mended_with_an_audit_event(patient: Patient, plant: Planted) -> None:
    patient.suffer(*plant.statements)
    damaged = dump(patient.database)
    found = examined(patient)
    assert (plant.kind, plant.subject, plant.text) in wrong(found)
    others = {kind for kind, _, _ in wrong(found)} - {plant.kind}
    assert others <= {Kind.TOTAL_DIFFERS} if plant.kind is Kind.AMOUNT_ABSURD else others == set()
    assert dump(patient.database) == damaged
    mended = repaired(patient)
    assert wrong(mended) == []
    assert wrong(examined(patient)) == []
    (event, *more) = told(patient)
    assert (event.actor, event.subject, event.at) == ("the operator", plant.subject, NOW)
    assert event.detail == {"finding": plant.kind, "before": plant.before, "after": plant.after}
    assert len(more) + 1 == len(mended.mended)
    assert repaired(patient).mended == []
    with patient.database.read() as connection:
        assert usage.drifts(connection) == [drift for drift in usage.drifts(connection) if drift.feature == "editors"]


def test_several_at_once_are_all_mended(patient: Patient) -> None:
    patient.suffer(
        "UPDATE totals SET used = 700 WHERE feature = 'software_units'",
        "UPDATE allocations SET amount = -9 WHERE holder = 'shop'",
        "DELETE FROM allocations WHERE feature = 'users'",
        "DELETE FROM totals WHERE feature = 'users'",
        "DELETE FROM meters",
        "DELETE FROM front_ends",
    )
    mended = repaired(patient)
    assert wrong(mended) == []
    with patient.database.read() as connection:
        held = {(row.feature, row.holder): row.amount for row in connection.execute(select(allocations))}
    assert held == {
        ("software_units", "shop"): 4,
        ("software_units", "news"): 2,
        ("users", "maria"): 1,
        ("users", "joão"): 1,
    }
    assert len(told(patient)) == len(mended.mended) >= 5


REPORTED = [
    (Kind.BLOCK_LEFT_OPEN, f"UPDATE blocks SET taken_at = {NOW_US - DAY_US - 1} WHERE used IS NULL"),  # noqa: S608
    (
        Kind.AMOUNT_ABSURD,
        "UPDATE blocks SET used = 10 WHERE used = 4; UPDATE meters SET used = 22 WHERE feature = 'calls'",
    ),
    (Kind.AMOUNT_ABSURD, "UPDATE consumptions SET amount = -7; UPDATE meters SET used = 2 WHERE feature = 'calls'"),
    (
        Kind.ACTIVE_VERSION_MISSING,
        "DELETE FROM module_archives WHERE version_id = 'shop-1'; DELETE FROM module_versions WHERE module = 'shop'",
    ),
    (Kind.SERVER_KEY_DAMAGED, "UPDATE installation SET server_key = 'x'"),
    (Kind.LICENSE_MISSING, "UPDATE installation SET license_id = NULL"),
    (Kind.INSTALLATION_MISSING, "DELETE FROM installation"),
    (Kind.VALUE_UNREADABLE, "UPDATE leases SET acquired_at = -1"),
    (Kind.VALUE_UNREADABLE, "INSERT INTO seat_reservations VALUES ('editors', 'planet', 'mars', 1)"),
    (Kind.VALUE_UNREADABLE, "UPDATE users SET changed_at = -1 WHERE name = 'maria'"),
    (Kind.LICENSE_MISSING, "DELETE FROM licenses"),
    (Kind.LICENSE_DAMAGED, "UPDATE licenses SET signed = 'x'"),
    (Kind.LICENSE_REPLACED, "UPDATE licenses SET digest = '0000'"),
    (Kind.LICENSE_INDEX_DIFFERS, "UPDATE licenses SET customer = 'Somebody Else'"),
]


@pytest.mark.parametrize(("kind", "statements"), REPORTED, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(REPORTED)])
def test_what_only_a_person_can_decide_is_explained_and_left(patient: Patient, kind: Kind, statements: str) -> None:
    patient.suffer(*statements.split("; "))
    if kind is Kind.ACTIVE_VERSION_MISSING:  # its files would be too many then
        patient.layout.versions.joinpath("shop").rename(patient.layout.data / "elsewhere")
    before = dump(patient.database)
    for found in (examined(patient), repaired(patient)):
        assert [finding.kind for finding in found.wrong] == [kind]
        assert found.wrong[0].meaning == EXPLAINED[kind].meaning
        assert found.mended == []
    assert dump(patient.database) == before


@pytest.mark.parametrize("trust", [None, TRUST, trust_store(KEY, NEW_KEY)], ids=["untrusted", "trusted", "two"])
def test_the_columns_of_a_license_are_written_anew_from_verified_bytes_alone(
    patient: Patient, trust: TrustStore | None
) -> None:
    patient.suffer(f"UPDATE licenses SET customer = 'Somebody Else', expires_at = {NOW_US}")  # noqa: S608
    text_ = "the column customer says 'Somebody Else', and the license 'Example Industries'; 2 such in all"
    assert wrong(examined(patient, trust)) == [(Kind.LICENSE_INDEX_DIFFERS, "license", text_)]
    mended = repaired(patient, trust)
    assert (wrong(mended) == []) is (trust is not None)
    assert len(told(patient)) == (trust is not None)
    with patient.database.read() as connection:
        customer = connection.execute(select(licenses.c.customer)).scalar_one()
    assert customer == ("Example Industries" if trust else "Somebody Else")


def test_a_license_in_force_is_verified_where_there_is_a_trust_store(patient: Patient) -> None:
    other = trust_store(NEW_KEY)
    assert [finding.kind for finding in examined(patient, other).wrong] == [Kind.LICENSE_UNVERIFIED]
    assert repaired(patient, other).mended == []


def test_a_missing_license_is_told_with_the_entry_to_restore(patient: Patient) -> None:
    serial_number = patient.guard.status().serial_number
    patient.guard.install(a_license(serial_number=serial_number, jti="L-2"), acknowledge=True)
    patient.suffer("DELETE FROM licenses WHERE jti = 'L-2'")
    assert wrong(examined(patient)) == [
        (Kind.LICENSE_MISSING, "license", "entry 2 of the history is missing, and there is entry 1 to restore")
    ]


def test_what_cannot_be_read_keeps_nobody_from_examining_the_rest(patient: Patient) -> None:
    patient.suffer("UPDATE module_versions SET elements = '[' WHERE id = 'shop-1'", "UPDATE totals SET used = 7")
    found = examined(patient)
    kinds = {finding.kind for finding in found.wrong}
    assert {Kind.VALUE_UNREADABLE, Kind.NOT_EXAMINED, Kind.TOTAL_DIFFERS} <= kinds
    assert (Kind.VALUE_UNREADABLE, "module shop", "the elements of version 1.0.0 cannot be read") in wrong(found)
    mended = repaired(patient)
    assert Kind.TOTAL_DIFFERS in {item.finding.kind for item in mended.mended}


SCRIBBLES = [
    "UPDATE totals SET used = 'many'",
    "UPDATE allocations SET amount = x'00'",
    "UPDATE consumptions SET amount = 'few'",
    "UPDATE consumptions SET amount = 9223372036854775807",
    "UPDATE blocks SET size = 'big'",
    "UPDATE installation SET revision = 'newest'",
    "UPDATE installation SET newest_moment = 'now'",
    "UPDATE licenses SET signed = x'00'",
    "UPDATE leases SET expires_at = 'never'",
    "UPDATE holder_marks SET noted_at = 'then'",
    "INSERT INTO seat_rules VALUES ('editors', 'low', 60)",
    "INSERT INTO audit_events (at, actor, event, subject, detail) VALUES ('then', 'me', 'x', 'y', '{}')",
]


@pytest.mark.parametrize("patient", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scribble", SCRIBBLES)
def test_whatever_is_scribbled_into_a_cell_is_told(patient: Patient, scribble: str) -> None:
    patient.suffer(scribble)
    for found in (examined(patient), repaired(patient)):
        assert {Kind.VALUE_UNREADABLE, Kind.AMOUNT_ABSURD} & {finding.kind for finding in found.wrong}


def test_a_dropped_table_or_column_is_told_and_nothing_is_broken_over_it(patient: Patient) -> None:
    patient.suffer("DROP TABLE usage_days", "ALTER TABLE denials DROP COLUMN requested")
    for found in (examined(patient), repaired(patient)):
        assert wrong(found) == [
            (Kind.TABLE_MISSING, "schema", "the column requested of denials is missing"),
            (Kind.TABLE_MISSING, "schema", "the table usage_days is missing"),
        ]


# Files


def test_missing_files_and_damaged_module_databases_are_reported(patient: Patient) -> None:
    patient.layout.versions.joinpath("shop").rename(patient.layout.data / "elsewhere")
    assert wrong(examined(patient)) == []  # the server makes them anew
    other = "X'7a'" if patient.database.engine.dialect.name == "sqlite" else "'\\x7a'"
    patient.suffer(f"UPDATE module_archives SET archive = {other} WHERE version_id = 'shop-1'")  # noqa: S608
    patient.suffer("DELETE FROM module_archives WHERE version_id = 'news-1'")
    patient.layout.module_database("news").write_bytes(b"nonsense" * 1000)
    for found in (examined(patient), repaired(patient)):
        assert wrong(found) == [
            (Kind.FILES_MISSING, "module shop", "the files of 1.0.0 are missing"),
            (Kind.ARCHIVE_DIFFERS, "module news", "the archive of version 1.0.0 is missing or was changed"),
            (Kind.ARCHIVE_DIFFERS, "module shop", "the archive of version 1.0.0 is missing or was changed"),
            (Kind.MODULE_DATABASE_DAMAGED, "database news", "file is not a database"),
        ]


def test_orphaned_directories_are_removed_while_no_server_runs(patient: Patient) -> None:
    orphans = [patient.write_files("shop", "shop-0"), patient.write_files("nowhere", "nowhere-1")]
    for directory in [*orphans, *(orphan.parent for orphan in orphans)]:
        os.utime(directory, (0, 0))
    texts = {f"the directory {path} is of no version that is recorded" for path in orphans}
    assert {text for _, _, text in wrong(examined(patient))} == texts
    mended = repaired(patient)
    assert wrong(mended) == []
    assert not orphans[0].exists()
    assert not orphans[1].parent.exists()
    assert patient.layout.version("shop", "shop-1").is_dir()
    assert {event.detail["before"] for event in told(patient)} == {"versions/shop/shop-0", "versions/nowhere/nowhere-1"}


def test_a_journal_is_settled_while_no_server_runs(patient: Patient) -> None:
    directory = patient.write_files("fresh", "fresh-1")
    journals = Journals(patient.database, patient.layout)
    journals.begin(Journal(version_id="fresh-1", module="fresh", created=[], first=True))
    journals.begin(Journal(version_id="shop-1", module="shop", created=[], first=True))
    assert [kind for kind, _, _ in wrong(examined(patient))] == [Kind.JOURNAL_LEFT] * 2
    assert wrong(repaired(patient)) == []
    assert not directory.exists()
    assert patient.layout.version("shop", "shop-1").is_dir()
    assert [event.detail["after"] for event in told(patient)] == ["taken back", "kept, for it was committed"]


def test_beside_a_running_server_files_that_come_and_go_are_no_findings(patient: Patient) -> None:
    with patient.layout.held():
        patient.write_files("fresh", "fresh-1")
        Journals(patient.database, patient.layout).begin(
            Journal(version_id="fresh-1", module="fresh", created=[], first=True)
        )
        found = repaired(patient)
        assert found.server_runs
        assert (wrong(found), found.mended) == ([], [])
    assert {kind for kind, _, _ in wrong(examined(patient))} == {Kind.JOURNAL_LEFT}


def test_a_publish_left_long_ago_is_told_beside_a_running_server_and_mended_once_it_is_stopped(
    patient: Patient,
) -> None:
    patient.suffer("UPDATE totals SET used = 7 WHERE feature = 'software_units'")
    Journals(patient.database, patient.layout).begin(
        Journal(version_id="fresh-1", module="fresh", created=[], first=True)
    )
    os.utime(patient.layout.journals / "fresh-1.json", (0, 0))
    with patient.layout.held():
        found = repaired(patient)
        assert [kind for kind, _, _ in wrong(found)] == [Kind.JOURNAL_LEFT]
        assert [item.finding.kind for item in found.mended] == [Kind.TOTAL_DIFFERS]
    assert wrong(repaired(patient)) == []


def test_a_damaged_database_file_is_told_and_nothing_is_believed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.make()
    database = Database.open_file(layout.database)
    Patient(database, layout)
    database.close()
    with closing(sqlite3.connect(layout.database)) as shell:
        root = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_denials_at'"
        ((page,),) = shell.execute(root).fetchall()
    content = bytearray(layout.database.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[(page - 1) * size : page * size] = b"\xff" * size
    layout.database.write_bytes(bytes(content))
    database = Database.open_file(layout.database)
    found = examine(database, layout, product=PRODUCT, now=NOW)
    assert [finding.kind for finding in found.findings] == [Kind.DATABASE_DAMAGED]
    assert found.findings[0].repair is None
    database.close()


# Beside others


def test_beside_one_who_publishes_and_deletes_there_is_no_false_alarm(patient: Patient) -> None:
    done, failures = threading.Event(), []

    def publish() -> None:
        number = 0
        while not done.is_set():
            number += 1
            try:
                patient.publish("busy", number % 7 + 1, version_id=f"busy-{number}")
                with patient.database.write() as connection:
                    connection.execute(text("UPDATE users SET changed_at = changed_at + 1"))
            except BaseException as error:
                failures.append(error)
                raise

    with patient.layout.held():
        publishing = threading.Thread(target=publish)
        publishing.start()
        try:
            found = [examined(patient, TRUST) for _ in range(12)]
        finally:
            done.set()
            publishing.join()
    assert failures == []
    assert [wrong(item) for item in found] == [[]] * 12


def test_repairs_beside_one_who_allocates_change_nothing_of_theirs(patient: Patient) -> None:
    patient.suffer("UPDATE totals SET used = 50 WHERE feature = 'software_units'")
    done = threading.Event()

    def allocate() -> None:
        number = 0
        while not done.is_set():
            number += 1
            patient.publish("busy", number % 7 + 1, version_id=f"busy-{number}")

    with patient.layout.held():
        allocating = threading.Thread(target=allocate)
        allocating.start()
        try:
            found = repaired(patient)
        finally:
            done.set()
            allocating.join()
    assert wrong(found) == []
    assert [item.finding.kind for item in found.mended] == [Kind.TOTAL_DIFFERS]
    assert wrong(examined(patient)) == []


def test_each_kind_is_explained() -> None:
    assert EXPLAINED.keys() == set(Kind)
    manual = Path(__file__).parents[2].joinpath("docs/doctor.md").read_text()
    assert [kind for kind in Kind if f"`{kind}`" not in manual] == []
