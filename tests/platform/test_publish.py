"""Publishing where it goes wrong: what was there before stays, and what was begun is taken back."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders import EVERYTHING, KEY, a_license, trust_store
from contract.archives import files_of, zipped
from guard_support.guards import Clock
from placet.guard import Grant, Guard
from placet.platform import schema
from placet.platform.journals import Journal, Journals
from placet.platform.layout import Layout
from placet.platform.module_work import ModuleBusy
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.product import PLATFORM_SERVER
from placet.platform.published import UnknownModule
from placet.platform.server import PlatformServer
from placet.store import modules
from placet.store.database import Database

SCHEMA = "CREATE TABLE prices (cents INTEGER);"
LOST = "00000000-0000-4000-8000-000000000001"


class Unsure(Guard):
    """A guard that can lose its database's answer to a commit."""

    loses_answers = False

    @contextmanager
    def allocation(self, operation: str, holder: str, /, *, actor: str = "x", **amounts: int) -> Iterator[Grant]:
        with super().allocation(operation, holder, actor=actor, **amounts) as grant:
            yield grant
        if self.loses_answers:
            raise ConnectionError("The database does not answer.")


@contextmanager
def server_in(data: Path) -> Iterator[PlatformServer]:
    layout = Layout(data)
    layout.make()
    database = Database.open_file(layout.database)
    guard = Unsure(database, PLATFORM_SERVER, trust_store(KEY, issuer="Acme Software"), clock=Clock())
    guard.install(a_license(serial_number=guard.status().serial_number, features=EVERYTHING), acknowledge=True)
    server = PlatformServer(guard, layout)
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PlatformServer]:
    with server_in(tmp_path / "data") as running:
        yield running


def archive(number: int, script: str | None = SCHEMA, **files: str) -> bytes:
    more = files if script is None else files | {"schema.sql": script}
    return zipped(files_of("shop", 1, version=f"{number}.0.0", **more))


def publish(server: PlatformServer, number: int, script: str | None = SCHEMA, **files: str) -> None:
    server.publisher.publish(archive(number, script, **files), actor="maria")


def database_of(server: PlatformServer) -> Path:
    return server.layout.module_database("shop")


def execute(database: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(sql).fetchall()


def tables(database: Path) -> set[str]:
    return {name for (name,) in execute(database, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def versions(server: PlatformServer) -> list[str]:
    return sorted(path.name for path in server.layout.versions.glob("shop/*"))


def journals(server: PlatformServer) -> list[Path]:
    return list(server.layout.journals.iterdir())


def fails_to_start(words: str = "raise OSError('no')") -> dict[str, str]:
    return {"shop/app.py": f"import os\nif 'PLACET_MODULE' in os.environ:\n    {words}\nasync def app(*_): ...\n"}


def leave_journal(server: PlatformServer, *created: str, first: bool = False) -> None:
    """What a publish leaves that could be neither finished nor taken back."""
    journal = Journal(version_id=LOST, module="shop", created=list(created), first=first)
    Journals(server.guard.database, server.layout).begin(journal)


def test_a_failed_first_publish_leaves_nothing(server: PlatformServer) -> None:
    with pytest.raises(ModuleProblem):
        publish(server, 1, **fails_to_start("print('starting'); raise OSError('no')"))
    left = {path.name for path in server.layout.data.rglob("*") if path.is_file() and "placet.sqlite3" not in path.name}
    assert left == {"front-end.json"}
    assert versions(server) == []


def test_a_failed_later_publish_keeps_the_data(server: PlatformServer) -> None:
    publish(server, 1)
    before = versions(server)
    execute(database_of(server), "INSERT INTO prices VALUES (7)")
    with pytest.raises(ModuleProblem):
        publish(server, 2, SCHEMA + "CREATE TABLE more (id INTEGER);", **fails_to_start())
    assert tables(database_of(server)) == {"prices"}
    assert execute(database_of(server), "SELECT * FROM prices") == [(7,)]
    assert versions(server) == before
    assert journals(server) == []


def test_what_the_version_in_force_makes_meanwhile_is_kept(server: PlatformServer, tmp_path: Path) -> None:
    publish(server, 1, None)
    assert not database_of(server).exists()
    started, go = tmp_path / "started", tmp_path / "go"
    wait = f"import pathlib, time; pathlib.Path({str(started)!r}).touch()\n"
    wait += f"    while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n    raise OSError('no')"
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish, server, 2, **fails_to_start(wait))
        while not started.exists():
            assert not publishing.done()
        execute(database_of(server), "CREATE TABLE notes (text)")
        go.touch()
        with pytest.raises(ModuleProblem):
            publishing.result()
    assert tables(database_of(server)) == {"notes"}


def test_a_commit_whose_answer_is_lost_serves(server: PlatformServer) -> None:
    publish(server, 1)
    assert isinstance(server.guard, Unsure)
    server.guard.loses_answers = True
    with pytest.raises(ConnectionError):
        publish(server, 2, SCHEMA + "CREATE TABLE more (id INTEGER);")
    assert tables(database_of(server)) == {"prices", "more"}
    assert journals(server) == []
    spec = server.supervisor._keepers["shop"]._spec
    assert spec.directory.parent.name in versions(server)
    assert "2.0.0" in (spec.directory / "module.toml").read_text()


RENAMED = "CREATE TABLE prices (amount INTEGER, note TEXT);"
RENAME = {"migrations/0001_amount.sql": "ALTER TABLE prices RENAME COLUMN cents TO amount;"}


def started_with(condition: str) -> dict[str, str]:
    """A module whose start looks at its data."""
    look = "import os, sqlite3\n" + "if 'PLACET_MODULE_DATABASE' in os.environ:\n"
    look += "    database = sqlite3.connect(os.environ['PLACET_MODULE_DATABASE'])\n"
    return {"shop/app.py": f"{look}    assert {condition}, 'not so'\nasync def app(*_): ...\n"}


def prices(server: PlatformServer) -> list[Any]:
    return execute(database_of(server), "SELECT * FROM prices")


def test_a_publish_migrates(server: PlatformServer) -> None:
    publish(server, 1)
    execute(database_of(server), "INSERT INTO prices VALUES (7)")
    migrated = archive(
        2, RENAMED, **RENAME, **started_with("database.execute('SELECT amount, note FROM prices').fetchone()[0] == 7")
    )
    would = server.publisher.publish(migrated, actor="maria", dry_run=True)
    assert (would.changes.migrations, would.changes.columns) == (("0001_amount.sql",), ("prices.note",))
    assert prices(server) == [(7,)], "a dry run changes nothing"
    done = server.publisher.publish(migrated, actor="maria")
    assert done.changes == would.changes
    assert prices(server) == [(7, None)]
    assert server.supervisor.socket_for("shop") is not None
    assert journals(server) == []
    assert list(server.layout.runs.iterdir()) == [], "nothing is left of the trial"
    with pytest.raises(
        ModuleProblem, match=r"shop 1.0.0 cannot serve again: .* prices.cents .* are not undone"
    ) as back:
        server.publisher.rollback("shop", "1.0.0", actor="maria")
    assert back.value.code is ProblemCode.SCHEMA_UNMET
    assert "2.0.0" in str(server.supervisor._keepers["shop"]._spec.version)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (fails_to_start(), "no"),
        ({"migrations/0002_bad.sql": "UPDATE prices SET amount = 1;\nDROP TABLE nobody;"}, "0002_bad.sql, line 2"),
        ({"migrations/0002_bad.sql": "CREATE UNIQUE INDEX one ON prices (amount);"}, "UNIQUE constraint failed"),
    ],
)
def test_a_migration_that_fails_leaves_the_version_before(
    server: PlatformServer, files: dict[str, str], said: str
) -> None:
    publish(server, 1)
    execute(database_of(server), "INSERT INTO prices VALUES (7), (7)")
    before, worker = versions(server), server.supervisor._keepers["shop"].worker
    with pytest.raises(ModuleProblem, match=said):
        publish(server, 2, RENAMED, **RENAME, **files)
    assert prices(server) == [(7,), (7,)]
    assert (versions(server), journals(server), list(server.layout.runs.iterdir())) == (before, [], [])
    assert server.supervisor._keepers["shop"].worker is worker
    assert worker is not None
    assert worker.is_alive()


def test_a_migration_whose_commit_loses_its_answer_is_done(server: PlatformServer) -> None:
    publish(server, 1)
    execute(database_of(server), "INSERT INTO prices VALUES (7)")
    assert isinstance(server.guard, Unsure)
    server.guard.loses_answers = True
    with pytest.raises(ConnectionError):
        publish(server, 2, RENAMED, **RENAME)
    assert prices(server) == [(7, None)], "the version is committed, and so are its data"
    assert journals(server) == []


def test_a_start_that_fails_on_the_data_alone_gives_the_version_before_back(server: PlatformServer) -> None:
    publish(server, 1)
    worker = server.supervisor._keepers["shop"].worker
    live = started_with("'runs' in os.environ['PLACET_MODULE_DATABASE']")  # a trial's are there
    with pytest.raises(ModuleProblem, match=r"It had started on a copy of the data\. .*; 1\.0\.0 goes on serving\."):
        publish(server, 2, RENAMED, **RENAME, **live)
    assert server.supervisor._keepers["shop"].worker is worker
    with server.guard.database.read() as connection:
        active = modules.active_version(connection, "shop")
    assert active is not None
    assert active.version == "1.0.0"


def test_what_a_server_does_not_give_is_told(server: PlatformServer) -> None:
    toml = files_of("shop", 1, version="1.0.0")["module.toml"] + '[limits]\nmemory = "9 GiB"\nfiles = 4096\n'
    for dry_run in (True, False):
        told = server.publisher.publish(archive(1, **{"module.toml": toml}), actor="maria", dry_run=dry_run).notes
        assert "asks for 9 GiB of memory, and this server gives a module 1 GiB at most" in told[0]
        assert "asks for 4,096 open files, and this server gives a process 1,024 at most" in told[1]


def test_what_an_earlier_publish_left_is_settled_before_the_next(server: PlatformServer) -> None:
    publish(server, 1)
    execute(database_of(server), "CREATE TABLE more (id INTEGER)")
    leave_journal(server, "more")
    publish(server, 2, SCHEMA + "CREATE TABLE more (id TEXT);")
    assert journals(server) == []
    server.publisher.recover()
    assert tables(database_of(server)) == {"prices", "more"}
    assert "TEXT" in execute(database_of(server), "SELECT sql FROM sqlite_master WHERE name = 'more'")[0][0]


def test_what_cannot_be_settled_yet_waits(server: PlatformServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "DEFAULT_TIMEOUT_SECONDS", 0.01)
    publish(server, 1)
    execute(database_of(server), "CREATE TABLE more (id INTEGER)")
    leave_journal(server, "more")
    with closing(sqlite3.connect(database_of(server))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        server.publisher.recover()
        assert len(journals(server)) == 1
        with pytest.raises(ModuleBusy, match="locked"):
            publish(server, 2)
    publish(server, 3)
    assert journals(server) == []
    assert tables(database_of(server)) == {"prices"}


def test_a_deleted_module_leaves_no_journal(server: PlatformServer) -> None:
    publish(server, 1)
    leave_journal(server, first=True)
    server.publisher.delete("shop", actor="maria")
    publish(server, 2)
    execute(database_of(server), "INSERT INTO prices VALUES (7)")
    server.publisher.recover()
    assert execute(database_of(server), "SELECT * FROM prices") == [(7,)]


def test_a_new_module_does_not_find_the_data_of_another(server: PlatformServer) -> None:
    execute(database_of(server), "CREATE TABLE prices (secret)")
    publish(server, 1)
    assert execute(database_of(server), "SELECT * FROM pragma_table_info('prices')")[0][1] == "cents"
    assert len(list(server.layout.deleted.iterdir())) == 1


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_is_put_aside_with_what_a_killed_process_left(server: PlatformServer, mode: str) -> None:
    publish(server, 1)
    database = database_of(server)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("INSERT INTO prices VALUES (7)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO prices VALUES (?)", [(number,) for number in range(10_000)])
        parts = {
            path: path.read_bytes() for path in database.parent.glob("shop.sqlite3*") if path.suffix != ".sqlite3-shm"
        }
        assert len(parts) == 2
    for path, data in parts.items():
        path.write_bytes(data)
    aside = server.publisher.delete("shop", actor="maria")
    assert aside is not None
    assert list(database.parent.iterdir()) == []
    assert execute(server.layout.deleted / aside, "SELECT * FROM prices") == [(7,)]


def test_nobody_publishes_while_a_module_is_deleted(server: PlatformServer) -> None:
    publish(server, 1)
    answers: list[object] = []
    remove = server.supervisor.remove

    def remove_and_publish(key: str) -> bool:
        with pytest.raises(ModuleBusy) as busy:
            publish(server, 2)
        answers.append(str(busy.value))
        return remove(key)

    server.supervisor.remove = remove_and_publish  # type: ignore[method-assign]
    server.publisher.delete("shop", actor="pedro")
    assert len(answers) == 1
    assert "pedro" in str(answers[0])
    with pytest.raises(UnknownModule):
        server.publisher.delete("shop", actor="pedro")


def test_a_module_with_damaged_files_does_not_keep_the_others_down(tmp_path: Path) -> None:
    with server_in(tmp_path / "data") as server:
        publish(server, 1)
        server.publisher.publish(zipped(files_of("other", 1)), actor="maria")
        (version,) = server.layout.versions.glob("shop/*")
        (version / "module" / "module.toml").unlink()
    with server_in(tmp_path / "data") as server:
        assert list(server.supervisor.states()) == ["other"]


def test_what_is_published_is_on_disk_before_it_is_told(
    server: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = set[Path](), os.fsync

    def noting(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.delattr(os, "sync")  # which would make every program of the machine wait
    publish(server, 1)
    layout = server.layout
    [version] = (layout.versions / "shop").iterdir()
    assert set(version.rglob("*")) - synced == set()
    assert {version, version.parent, layout.versions, layout.databases} <= synced
