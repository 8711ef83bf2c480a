"""What is on disk: the files of versions, the modules' databases, and the journals of publishes.

Others may be publishing and deleting meanwhile. Files are there before the transaction that says so and go after the
one that says so, with a journal from before the first until after the last. So a file that is missing is believed only
where its version is still the active one afterwards, and one too many only where it has been so for a while.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, delete, select, text

from placet.platform.build import MODULE
from placet.platform.doctor.findings import Case, Change, FileRepair, Finding, some
from placet.platform.doctor.kinds import Kind
from placet.platform.journals import Journals
from placet.platform.layout import remove_empty, remove_tree
from placet.platform.product import SOFTWARE_UNITS
from placet.store import usage
from placet.store.modules import archive_of
from placet.store.schema import DELETIONS, audit_events, module_archives, module_versions, modules

LONG_AGO = timedelta(hours=1)
"""Longer than a publish or a deletion takes, for what a running server may be at."""


def examine_files(connection: Connection, case: Case) -> list[Finding]:
    """Examine the data directory."""
    return [
        *_versions(connection, case),
        *_archives(connection),
        *_without_version(connection),
        *_orphans(case),
        *_databases(case),
        *_journals(case),
    ]


def _active(connection: Connection) -> dict[str, tuple[str, str]]:
    joined = modules.join(module_versions, modules.c.active_version == module_versions.c.id)
    query = select(modules.c.name, module_versions.c.id, module_versions.c.version).select_from(joined)
    return {row.name: (row.id, row.version) for row in connection.execute(query.order_by(modules.c.name))}


def _versions(connection: Connection, case: Case) -> Iterator[Finding]:
    """Each version that is served has its files."""
    for module, (version_id, version) in _active(connection).items():
        subject = f"module {module}"
        if has_files(case, module, version_id) or not _is_still_active(case, module, version_id):
            yield Finding(subject=subject, text=f"version {version} has its files")
        elif is_sound(connection, version_id):
            yield Finding(subject=subject, text=f"the files of {version} are made anew by the server, from its archive")
        else:
            yield Finding(subject=subject, text=f"the files of {version} are missing", kind=Kind.FILES_MISSING)


def _archives(connection: Connection) -> Iterator[Finding]:
    """Each version that is kept has the archive it was published from."""
    query = select(module_versions.c.id, module_versions.c.module, module_versions.c.version)
    known = query.where(module_versions.c.module.in_(select(modules.c.name)))
    for row in connection.execute(known.order_by(module_versions.c.module, module_versions.c.id)).all():
        if not is_sound(connection, row.id):
            what = f"the archive of version {row.version} is missing or was changed"
            yield Finding(subject=f"module {row.module}", text=what, kind=Kind.ARCHIVE_DIFFERS)


def _without_version(connection: Connection) -> Iterator[Finding]:
    """Each archive is of a version that is recorded."""
    known = select(module_versions.c.id)
    alone = module_archives.c.version_id.not_in(known)
    names = list(connection.execute(select(module_archives.c.version_id).where(alone)).scalars())
    if names:
        text = f"there are archives of versions that are not recorded: {some(names)}"
        yield Finding(subject="modules", text=text, kind=Kind.ARCHIVE_WITHOUT_VERSION, repair=_without_archives)


def _without_archives(connection: Connection, _: Case) -> Change | None:
    usage.lock(connection, [SOFTWARE_UNITS])
    alone = module_archives.c.version_id.not_in(select(module_versions.c.id))
    names = list(connection.execute(select(module_archives.c.version_id).where(alone)).scalars())
    connection.execute(delete(module_archives).where(alone))
    return Change(names, []) if names else None


def is_sound(connection: Connection, version_id: str) -> bool:
    """Tell whether the archive of a version is the one that was published. One at a time: each may have 64 MiB."""
    archive = archive_of(connection, version_id)
    row = select(module_versions.c.digest).where(module_versions.c.id == version_id)
    return archive is not None and sha256(archive).hexdigest() == connection.execute(row).scalar()


def has_files(case: Case, module: str, version_id: str) -> bool:
    """Tell whether the files of a version are there."""
    return (case.layout.version(module, version_id) / MODULE / "module.toml").is_file()


def _is_still_active(case: Case, module: str, version_id: str) -> bool:
    with case.database.read() as connection:
        return _active(connection).get(module, ("", ""))[0] == version_id


def _orphans(case: Case) -> Iterator[Finding]:
    """Each version's directory is of a version that is recorded."""
    found = [path for path in case.layout.versions.glob("*/*") if path.is_dir() and not _is_new(path, case)]
    journalled = {path.stem for path in case.layout.journals.glob("*.json")}
    with case.database.read() as connection:  # after the looks at the files: see above
        query = select(module_versions.c.id, module_versions.c.module)
        known = {(row.module, row.id) for row in connection.execute(query)}
        leaving = _just_deleted(connection, case) if case.server_runs else set()
    for path in sorted(found):
        module, version_id = path.parent.name, path.name
        if (module, version_id) not in known and not {module, version_id} & (journalled | leaving) and path.is_dir():
            yield Finding(
                subject=f"module {module}",
                text=f"the directory {path} is of no version that is recorded",
                kind=Kind.FILES_ORPHANED,
                file_repair=_without(path),
            )


def _just_deleted(connection: Connection, case: Case) -> set[str]:
    """Answer the modules whose files a running server may be about to remove."""
    query = select(audit_events.c.subject).where(text(DELETIONS), audit_events.c.at > case.now - LONG_AGO)
    return set(connection.execute(query).scalars())


def _is_new(path: Path, case: Case) -> bool:
    """A running server may be at it. The directory above changes when one of its versions comes or goes."""
    if not case.server_runs:
        return False
    with suppress(FileNotFoundError):
        changed = max(path.stat().st_ctime, path.parent.stat().st_ctime)
        return time.time() - changed < LONG_AGO.total_seconds()
    return True


def _without(path: Path) -> FileRepair:
    def repair(case: Case) -> Change | None:
        if not path.is_dir():
            return None
        remove_tree(path)
        remove_empty(path.parent)
        return Change(str(path.relative_to(case.layout.data)), None)

    return repair


def _databases(case: Case) -> Iterator[Finding]:
    """The modules' databases are sound."""
    for path in sorted(case.layout.databases.glob("*.sqlite3")):
        answer = _integrity(path)
        if answer is not None:
            kind = None if answer in {"ok", _BUSY} else Kind.MODULE_DATABASE_DAMAGED
            yield Finding(subject=f"database {path.stem}", text=answer, kind=kind)


_BUSY = "it is in use just now, and was not examined"


def _integrity(path: Path) -> str | None:
    """Answer what SQLite says; ``None`` where the database has gone meanwhile. One that is missing is not made."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as connection:
            return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if not path.exists():
            return None
        return _BUSY if error.sqlite_errorcode == sqlite3.SQLITE_BUSY else str(error)


def _journals(case: Case) -> Iterator[Finding]:
    """Each publish has ended. While a server runs, some may be under way."""
    for path in sorted(case.layout.journals.glob("*.json")):
        with suppress(FileNotFoundError):
            written = path.stat().st_mtime
            if not case.server_runs or time.time() - written > LONG_AGO.total_seconds():
                yield Finding(
                    subject="journals",
                    text=f"the publish {path.stem} has not ended",
                    kind=Kind.JOURNAL_LEFT,
                    file_repair=_settled(path.stem),
                )


def _settled(version_id: str) -> FileRepair:
    def repair(case: Case) -> Change | None:
        try:
            committed = Journals(case.database, case.layout).settle(version_id)
        except (FileNotFoundError, sqlite3.Error):  # settled meanwhile; or it cannot be, and stays
            return None
        return Change("under way", "kept, for it was committed" if committed else "taken back")

    return repair
