"""Publish: unpack → validate → count → ask → build → schema → start → one transaction → switch.

A failure at any step leaves the version before it serving and nothing else behind. What changes outside the staging
area before the transaction (the schema's new entities, the version's directory) is written to a journal first; after
a crash :meth:`Publisher.recover` takes it back, or, where the transaction was committed, keeps it.
"""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from placet.enforcement import Decision, Refused
from placet.guard import Guard
from placet.platform.build import MODULE, Unpacked, compile_module, measure, open_archive, schema_of, site_of
from placet.platform.front_ends import FrontEnd
from placet.platform.journals import Journal, Journals
from placet.platform.layout import Layout, remove_empty, remove_tree, sync, sync_tree
from placet.platform.manifest import read_manifest
from placet.platform.problems import ModuleProblem
from placet.platform.product import SOFTWARE_UNITS
from placet.platform.schema import apply_schema, check_schema
from placet.platform.supervisor import Supervisor
from placet.platform.units import UnitCount
from placet.platform.workers import Worker, WorkerSpec, start_worker
from placet.store import audit, modules, usage
from placet.store.modules import ModuleVersion

PUBLISH = "publish"

log = structlog.get_logger()


class ModuleBusy(Exception):
    """Somebody else is publishing the same module."""


class UnknownModule(LookupError):
    """No module of that name is published."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing did, or with ``dry_run`` would do. Units are Software Units, the module's before and after."""

    name: str
    version: str
    units_before: int
    units: UnitCount
    decision: Decision
    dry_run: bool


class Publisher:
    """Publishes and deletes modules of one server."""

    def __init__(self, guard: Guard, layout: Layout, supervisor: Supervisor, front_end: FrontEnd) -> None:
        self._guard = guard
        self._front_end = front_end
        self._layout = layout
        self._supervisor = supervisor
        self._journals = Journals(guard.database, layout)
        self._busy: dict[str, tuple[str, datetime]] = {}
        self._busy_lock = threading.Lock()

    def publish(self, archive: bytes, *, actor: str, dry_run: bool = False) -> Published:
        """Publish a module's zip.

        Raises :class:`Refused` (the license), ``ModuleProblem`` (the module) or :class:`ModuleBusy`.
        """
        self._guard.require(PUBLISH, software_units=0)  # what no archive can change is told before one is unpacked
        self._front_end.require()
        version_id = str(uuid.uuid4())
        staging = self._layout.staging / version_id
        try:
            unpacked = open_archive(archive, staging)
            with self._publishing(unpacked.package.manifest.name, actor):
                return self._publish(unpacked, version_id, actor, dry_run=dry_run)
        finally:
            remove_tree(staging)

    def delete(self, name: str, *, actor: str) -> Path | None:
        """Delete a module and give its units back, whatever the license says.

        Answers where its database was put aside, if it had one. Raises :class:`UnknownModule`.
        """
        with self._publishing(name, actor):
            with self._guard.releasing(name, SOFTWARE_UNITS, actor=actor) as connection:
                if not modules.delete_module(connection, name):
                    raise UnknownModule(f"No module named {name!r} is published on this server.")
                now = self._guard.now()
                audit.record(connection, audit.Event.MODULE_DELETED, now=now, actor=actor, subject=name)
            self._supervisor.remove(name)
            remove_tree(self._layout.versions / name)
            aside = self._put_database_aside(name)
            self._layout.remove_logs(name)
            self._journals.forget(name)
            return aside

    def recover(self) -> None:
        """After a start: finish or take back what a crash interrupted, and remove what nothing refers to."""
        self._journals.recover()
        with self._guard.database.read() as connection:
            active = {version.module: version.id for version in modules.active_versions(connection)}
        for directory in self._layout.versions.iterdir():
            self._keep_versions(directory.name, active.get(directory.name))
        for database in self._layout.databases.glob("*.sqlite3"):
            if database.stem not in active:
                self._put_database_aside(database.stem)
        for leftover in self._layout.staging.iterdir():
            remove_tree(leftover)

    def serve(self) -> None:
        """Start the workers of all published modules. One whose files are damaged does not keep the others down."""
        with self._guard.database.read() as connection:
            active = modules.active_versions(connection)
        for version in active:
            try:
                spec = self._spec(version.module, version.id)
            except (ModuleProblem, OSError) as error:
                log.warning("module_not_served", module=version.module, version=version.version, error=str(error))
            else:
                self._supervisor.put(version.module, spec)

    def _publish(self, unpacked: Unpacked, version_id: str, actor: str, *, dry_run: bool) -> Published:
        manifest = unpacked.package.manifest
        count = measure(unpacked)
        with self._guard.database.read() as connection:
            units_before = usage.held(connection, SOFTWARE_UNITS, manifest.name)
            before = modules.active_version(connection, manifest.name)
        decision = self._guard.preview(PUBLISH, manifest.name, software_units=count.total)
        if not decision.allowed:
            raise Refused(decision)
        if not dry_run:
            compile_module(unpacked)
            self._settle_earlier(manifest.name)
            if before is None:  # what a module of that name may have left is not this one's
                self._put_database_aside(manifest.name)
            with self._prepared(unpacked, version_id, first=before is None) as worker:
                decision = self._commit(unpacked, version_id, count, actor)
            self._switch(manifest.name, worker.spec, worker)
            self._keep_versions(manifest.name, version_id, None if before is None else before.id)
        return Published(
            name=manifest.name,
            version=manifest.version,
            units_before=units_before,
            units=count,
            decision=decision,
            dry_run=dry_run,
        )

    @contextmanager
    def _prepared(self, unpacked: Unpacked, version_id: str, *, first: bool) -> Iterator[Worker]:
        """The schema applied, the files in place and a worker ready; all of it taken back where the body raises."""
        name = unpacked.package.manifest.name
        schema, database = schema_of(unpacked) or "", self._layout.module_database(name)
        created = list(check_schema(database, schema))
        worker = None
        self._journals.begin(Journal(version_id=version_id, module=name, created=created, first=first))
        try:
            apply_schema(database, schema)
            directory = self._layout.version(name, version_id)
            directory.parent.mkdir(mode=0o700, exist_ok=True)
            unpacked.directory.rename(directory)
            sync_tree(directory)  # it is all on disk before the transaction says that it is there
            sync(self._layout.versions)
            sync(self._layout.databases)
            worker = start_worker(self._spec(name, version_id))
            yield worker
        except BaseException:
            if worker is not None:
                worker.stop()
            if self._journals.settle(version_id):  # it was committed, and only the database's word of it was lost
                self._switch(name, self._spec(name, version_id))
            raise
        self._journals.end(version_id)

    def _settle_earlier(self, name: str) -> None:
        """Settle what earlier publishes left; on top of it nothing could be taken back rightly any more."""
        try:
            self._journals.settle_module(name)
        except sqlite3.Error as error:
            raise ModuleBusy(
                f"An earlier publish of {name!r} failed and cannot be taken back yet, because its database cannot be "
                f"changed: {error}. Try again shortly."
            ) from error

    def _commit(self, unpacked: Unpacked, version_id: str, count: UnitCount, actor: str) -> Decision:
        """One transaction: allocation, version, active pointer and audit."""
        manifest, digest = unpacked.package.manifest, unpacked.package.digest
        with self._guard.allocation(PUBLISH, manifest.name, actor=actor, software_units=count.total) as grant:
            now = self._guard.now()
            version = ModuleVersion(
                id=version_id,
                module=manifest.name,
                version=manifest.version,
                entrypoint=manifest.entrypoint,
                units=count.total,
                elements=msgspec.to_builtins(list(count.elements)),
                digest=digest,
                published_at=now,
                published_by=actor,
            )
            modules.activate(grant.connection, version)
            detail = {"version": manifest.version, "units": count.total, "digest": digest}
            event = audit.Event.MODULE_PUBLISHED
            audit.record(grant.connection, event, now=now, actor=actor, subject=manifest.name, **detail)
        return grant.decision

    def _switch(self, name: str, spec: WorkerSpec, worker: Worker | None = None) -> None:
        """Let a committed version serve. Where the server is stopping meanwhile, it serves from the next start on."""
        try:
            self._supervisor.put(name, spec, worker)
        except RuntimeError:
            if worker is not None:
                worker.stop()

    def _keep_versions(self, name: str, *kept: str | None) -> None:
        """Remove the files of a module's other versions. The one before stays while its last requests end."""
        directory = self._layout.versions / name
        for version in directory.iterdir():
            if version.name not in kept:
                remove_tree(version)
        remove_empty(directory)

    def _spec(self, name: str, version_id: str) -> WorkerSpec:
        directory = self._layout.version(name, version_id)
        manifest = read_manifest(directory / MODULE)
        return WorkerSpec(
            name=name,
            version=manifest.version,
            directory=directory / MODULE,
            entrypoint=manifest.entrypoint,
            timers=manifest.timers,
            database=self._layout.module_database(name),
            root_path=f"/apps/{name}",
            log_path=self._layout.log(name),
            site=site_of(directory),
        )

    def _put_database_aside(self, name: str) -> Path | None:
        database = self._layout.module_database(name)
        if not database.exists():
            return None
        # A process that was killed leaves its log beside the database; together they are safe at any moment only once
        # SQLite has put the one into the other. What is no database is kept as it is.
        with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = self._layout.deleted / f"{name}-{self._guard.now():%Y%m%dT%H%M%S.%f}.sqlite3"
        for suffix in ("-journal", "-wal", "-shm", ""):  # a log left behind would be taken for the next database's
            part = database.with_name(database.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return aside

    @contextmanager
    def _publishing(self, name: str, actor: str) -> Iterator[None]:
        with self._busy_lock:
            if name in self._busy:
                who, since = self._busy[name]
                raise ModuleBusy(
                    f"{who} has been publishing or deleting {name!r} since {since:%H:%M:%S} UTC. Try again shortly."
                )
            self._busy[name] = (actor, self._guard.now())
        try:
            yield
        finally:
            with self._busy_lock:
                del self._busy[name]
