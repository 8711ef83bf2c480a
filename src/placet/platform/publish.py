"""Publish: unpack → validate → count → ask → build → schema → start → one transaction → switch.

A failure at any step leaves the version before it serving and nothing else behind. What changes outside the staging
area before the transaction (the schema's new entities, the version's directory) is written to a journal first; after
a crash :meth:`Publisher.recover` takes it back, or, where the transaction was committed, keeps it.
"""

import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from placet.enforcement import Decision, Refused
from placet.guard import Guard
from placet.platform.build import MODULE, Unpacked, compile_module, measure, open_archive, schema_of, site_of
from placet.platform.layout import Layout, remove_empty, remove_tree, write_durably
from placet.platform.manifest import read_manifest
from placet.platform.product import SOFTWARE_UNITS
from placet.platform.schema import apply_schema, check_schema, undo_schema
from placet.platform.supervisor import Supervisor
from placet.platform.units import UnitCount
from placet.platform.workers import Worker, WorkerSpec, start_worker
from placet.store import audit, modules, usage
from placet.store.modules import ModuleVersion

PUBLISH = "publish"


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


class _Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish is about to change, so that it can be taken back."""

    version_id: str
    module: str
    created: list[str]
    database_existed: bool


class Publisher:
    """Publishes and deletes modules of one server."""

    def __init__(self, guard: Guard, layout: Layout, supervisor: Supervisor) -> None:
        self._guard = guard
        self._layout = layout
        self._supervisor = supervisor
        self._busy: dict[str, tuple[str, datetime]] = {}
        self._busy_lock = threading.Lock()

    def publish(self, archive: bytes, *, actor: str, dry_run: bool = False) -> Published:
        """Publish a module's zip.

        Raises :class:`Refused` (the license), ``ModuleProblem`` (the module) or :class:`ModuleBusy`.
        """
        self._guard.require(PUBLISH, software_units=0)  # what no archive can change is told before one is unpacked
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
        with (
            self._publishing(name, actor),
            self._guard.releasing(name, SOFTWARE_UNITS, actor=actor) as connection,
        ):
            if not modules.delete_module(connection, name):
                raise UnknownModule(f"No module named {name!r} is published on this server.")
            now = self._guard.now()
            audit.record(connection, audit.Event.MODULE_DELETED, now=now, actor=actor, subject=name)
        self._supervisor.remove(name)
        remove_tree(self._layout.versions / name)
        return self._put_database_aside(name)

    def recover(self) -> None:
        """After a start: finish or take back what a crash interrupted, and remove what nothing refers to."""
        for path in sorted(self._layout.journals.glob("*.json")):
            self._settle(path)
        for torn in self._layout.journals.iterdir():
            torn.unlink()
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
        """Start the workers of all published modules."""
        with self._guard.database.read() as connection:
            active = modules.active_versions(connection)
        for version in active:
            self._supervisor.put(version.module, self._spec(version.module, version.id))

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
            with self._prepared(unpacked, version_id) as worker:
                decision = self._commit(unpacked, version_id, count, actor)
            self._switch(manifest.name, worker)
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
    def _prepared(self, unpacked: Unpacked, version_id: str) -> Iterator[Worker]:
        """The schema applied, the files in place and a worker ready; all of it taken back where the body raises."""
        name = unpacked.package.manifest.name
        schema, database = schema_of(unpacked) or "", self._layout.module_database(name)
        journal = _Journal(
            version_id=version_id,
            module=name,
            created=list(check_schema(database, schema)),
            database_existed=database.exists(),
        )
        path = self._layout.journals / f"{version_id}.json"
        worker = None
        write_durably(path, msgspec.to_builtins(journal))
        try:
            apply_schema(database, schema)
            directory = self._layout.version(name, version_id)
            directory.parent.mkdir(mode=0o700, exist_ok=True)
            unpacked.directory.rename(directory)
            os.sync()  # the files are on disk before the transaction says that they are there
            worker = start_worker(self._spec(name, version_id))
            yield worker
        except BaseException:
            if worker is not None:
                worker.stop()
            self._settle(path)
            raise
        path.unlink()

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

    def _switch(self, name: str, worker: Worker) -> None:
        """Let a committed version serve. Where the server is stopping meanwhile, it serves from the next start on."""
        try:
            self._supervisor.put(name, worker.spec, worker)
        except RuntimeError:
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
            directory=directory / MODULE,
            entrypoint=manifest.entrypoint,
            timers=manifest.timers,
            database=self._layout.module_database(name),
            root_path=f"/apps/{name}",
            log_path=self._layout.logs / f"{name}.log",
            site=site_of(directory),
        )

    def _settle(self, path: Path) -> None:
        """Take back what a journal tells of, unless it was committed. Where that can't be told, the journal stays."""
        journal = msgspec.convert(json.loads(path.read_text()), _Journal)
        with self._guard.database.read() as connection:
            committed = journal.version_id in modules.known_versions(connection)
        if not committed:
            database = self._layout.module_database(journal.module)
            undo_schema(database, journal.created, existed=journal.database_existed)
            directory = self._layout.version(journal.module, journal.version_id)
            remove_tree(directory)
            remove_empty(directory.parent)
        path.unlink()

    def _put_database_aside(self, name: str) -> Path | None:
        database = self._layout.module_database(name)
        if not database.exists():
            return None
        aside = self._layout.deleted / f"{name}-{self._guard.now():%Y%m%dT%H%M%S.%f}.sqlite3"
        for suffix in ("-wal", "-shm", ""):  # the log first: without its database it is harmless
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
