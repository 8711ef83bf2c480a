"""Publish: unpack → requirements → inspect → ask → build → schema → start → one transaction → switch → the farm.

A failure at any step leaves the version before it serving and nothing else behind. What changes outside the staging
area before the transaction (the schema's new entities, the version's directory) is written to a journal first; after
a crash :meth:`Publisher.recover` takes it back, or, where the transaction was committed, does what is left of it.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import msgspec

from placet.enforcement import Decision, Refused
from placet.guard import Guard
from placet.platform.build import Unpacked, compile_module, install_only, measure, open_archive
from placet.platform.changeover import Changeover
from placet.platform.following import Follower
from placet.platform.front_ends import FrontEnd
from placet.platform.journals import Journals
from placet.platform.layout import Layout, remove_tree
from placet.platform.limits import DEFAULT_LIMITS, Limits
from placet.platform.module_databases import ModuleDatabases
from placet.platform.module_work import ModuleBusy, ModuleWork, require_held
from placet.platform.problems import ModuleProblem
from placet.platform.product import SOFTWARE_UNITS
from placet.platform.published import ModuleInUse, Published, UnknownVersion, published, unknown_module
from placet.platform.steps import Step, StepName, Steps
from placet.platform.supervisor import Supervisor
from placet.platform.units import UnitCount
from placet.platform.versions import Versions
from placet.platform.workers import Worker
from placet.store import audit, module_use, modules
from placet.store.dialects import tell_change
from placet.store.module_work import Work
from placet.store.modules import ModuleVersion
from placet.store.reach import NOT_REACHED
from placet.store.serving import ServingState

PUBLISH = "publish"
KEPT_VERSIONS = 5
FARM_SECONDS = 60.0

Listener = Callable[[Step], None]


class Publisher:
    """Publishes, rolls back and deletes modules. ``kept`` is how many versions stay beside the one that serves."""

    def __init__(
        self,
        guard: Guard,
        layout: Layout,
        supervisor: Supervisor,
        front_end: FrontEnd,
        *,
        kept: int = KEPT_VERSIONS,
        farm_seconds: float = FARM_SECONDS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._guard = guard
        self._front_end = front_end
        self._layout = layout
        self._supervisor = supervisor
        self._journals = Journals(guard.database, layout)
        self._versions = Versions(guard, layout)
        self._databases = ModuleDatabases(guard.database, layout)
        self._kept = kept
        self._farm_seconds = farm_seconds
        self.work = ModuleWork(guard, front_end)
        self.follower = Follower(guard, supervisor, self._versions, front_end, self.work)
        self._changeover = Changeover(
            layout,
            supervisor,
            self.follower,
            journals=self._journals,
            versions=self._versions,
            databases=self._databases,
        )

    def publish(
        self, archive: bytes, *, actor: str, dry_run: bool = False, listener: Listener | None = None
    ) -> Published:
        """Publish a module's zip, telling ``listener`` of each step.

        Raises :class:`Refused` (the license), ``ModuleProblem`` (the module) or ``ModuleBusy``.
        """
        self._guard.require(PUBLISH, software_units=0)  # what no archive can change is told before one is unpacked
        self._front_end.require()
        version_id = str(uuid.uuid4())
        staging = self._layout.staging / version_id
        with _steps(listener) as steps:
            try:
                with steps.step(StepName.UNPACK):
                    unpacked = open_archive(archive, staging)
                    steps.say(f"{unpacked.package.files:,} files, {unpacked.package.size:,} bytes")
                if dry_run:
                    return self._rehearse(unpacked, version_id, steps)
                manifest = unpacked.package.manifest
                with self.work.on(manifest.name, "publish", actor=actor, version=manifest.version) as work:
                    return self._publish(archive, unpacked, version_id, work, steps)
            finally:
                remove_tree(staging)

    def rollback(
        self,
        name: str,
        wanted: str | None = None,
        *,
        actor: str,
        dry_run: bool = False,
        listener: Listener | None = None,
    ) -> Published:
        """Let an earlier version that is kept serve again: ``wanted`` is its version or its id, else the one before.

        Asks like a publish. The module's data stays as it is. Raises like :meth:`publish`, and :class:`UnknownModule`,
        :class:`UnknownVersion`.
        """
        self._guard.require(PUBLISH, software_units=0)
        self._front_end.require()
        with self.work.on(name, "rollback", actor=actor) as work, _steps(listener) as steps:
            version, before = self._kept_version(name, wanted)
            with steps.step(StepName.ASK):
                decision = self._ask(name, version.units)
            with steps.step(StepName.BUILD):
                self._versions.fetch(version, with_data=False)
            with steps.step(StepName.SCHEMA):
                self._versions.check_data(version)
            if dry_run:
                return published(version, before, decision, dry_run=True)
            with steps.step(StepName.START):
                worker = self._supervisor.start(self._versions.spec(name, version.id))
            try:
                with steps.step(StepName.COMMIT):
                    decision = self._commit(work, version, None)
            except BaseException:
                worker.stop()  # where the commit's answer alone was lost, following it brings the version up
                raise
            return self._finish(published(version, before, decision), worker, steps)

    def delete(self, name: str, *, actor: str, unused_since: datetime | None = None) -> str | None:
        """Delete a module and give its units back, whatever the license says; ``unused_since``: only if it was unused.

        Answers what its database is called now, where it was put aside, if it had one. Raises :class:`UnknownModule`
        and :class:`ModuleInUse`.
        """
        with self.work.on(name, "delete", actor=actor) as work:
            with self._guard.releasing(name, SOFTWARE_UNITS, actor=actor) as connection:
                require_held(connection, work)
                if unused_since is not None and not module_use.lock_unused(connection, name, unused_since):
                    raise ModuleInUse(f"The module {name!r} is used again. It was not deleted.")
                if not modules.delete_module(connection, name):
                    raise unknown_module(name)
                detail = {} if unused_since is None else {"unused_since": unused_since.isoformat()}
                now, event = self._guard.now(), audit.Event.MODULE_DELETED
                audit.record(connection, event, now=now, actor=actor, subject=name, **detail)
                tell_change(connection)
            self.follower.stop(name)
            aside = self._versions.remove_all(name)
            self._journals.forget(name)
            return aside

    def recover(self) -> None:
        """After a start: finish or take back what a crash interrupted, and remove what nothing refers to."""
        self._journals.recover()
        self._versions.recover()
        self.work.recover()

    # The parts of a publish

    def _rehearse(self, unpacked: Unpacked, version_id: str, steps: Steps) -> Published:
        count = self._count(unpacked, steps)
        with steps.step(StepName.ASK):
            decision = self._ask(unpacked.package.manifest.name, count.total)
        version = self._version(unpacked, version_id, count, "")
        before = self._active(version.module)
        changes = self._changeover.check(unpacked, steps, first=before is None)
        return published(version, before, decision, changes=changes, notes=self._notes(unpacked), dry_run=True)

    def _publish(self, archive: bytes, unpacked: Unpacked, version_id: str, work: Work, steps: Steps) -> Published:
        name = work.module
        count = self._count(unpacked, steps)
        before = self._active(name)
        with steps.step(StepName.ASK):
            self._ask(name, count.total)
        with steps.step(StepName.BUILD):
            compile_module(unpacked)
        self._settle_earlier(name)
        if before is None:  # what a module of that name may have left is not this one's
            self._versions.put_database_aside(name)
        version = self._version(unpacked, version_id, count, work.actor)
        prepared = self._changeover.prepared(unpacked, version_id, steps, first=before is None)
        with prepared as ready, steps.step(StepName.COMMIT), ready.data:
            decision = self._commit(work, version, archive)
        worker = ready.worker or self._start_committed(work, version, before, steps)
        done = published(version, before, decision, changes=ready.changes, notes=self._notes(unpacked))
        return self._finish(done, worker, steps)

    def _count(self, unpacked: Unpacked, steps: Steps) -> UnitCount:
        with steps.step(StepName.REQUIREMENTS):
            if install_only(unpacked, self._layout.cache):
                steps.say("installed into an environment of this version")
            else:
                steps.say("none")
        with steps.step(StepName.INSPECT):
            kind = unpacked.package.manifest.database
            self._databases.of(unpacked.package.manifest.name, kind)  # one it cannot have is told before it is counted
            count = measure(unpacked, lambda schema: self._databases.entities(kind, schema))
            steps.say(f"{count.total:,} Software Units")
        return count

    def _ask(self, name: str, units: int) -> Decision:
        decision = self._guard.preview(PUBLISH, name, software_units=units)
        if not decision.allowed:
            raise Refused(decision)
        return decision

    def _settle_earlier(self, name: str) -> None:
        """Settle what earlier publishes left; on top of it nothing could be taken back rightly any more."""
        try:
            self._journals.settle_module(name)
        except (sqlite3.Error, ModuleProblem) as error:
            raise ModuleBusy(
                f"An earlier publish of {name!r} failed and cannot be taken back yet, because its database cannot be "
                f"changed: {error}. Try again shortly."
            ) from error

    def _commit(self, work: Work, version: ModuleVersion, archive: bytes | None) -> Decision:
        """One transaction: allocation, version, active pointer and audit. Without an archive the version is kept."""
        name, event = version.module, audit.Event.MODULE_PUBLISHED if archive else audit.Event.MODULE_ROLLED_BACK
        with self._guard.allocation(PUBLISH, name, actor=work.actor, software_units=version.units) as grant:
            connection = grant.connection
            require_held(connection, work)
            if archive is not None:
                modules.activate(connection, version, archive)
                modules.forget_old_versions(connection, name, self._kept)
            elif not modules.reactivate(connection, name, version.id, self._guard.now()):
                raise unknown_module(name)
            detail = {"version": version.version, "units": version.units, "digest": version.digest}
            audit.record(connection, event, now=self._guard.now(), actor=work.actor, subject=name, **detail)
            tell_change(connection)
        return grant.decision

    def _start_committed(
        self, work: Work, version: ModuleVersion, before: ModuleVersion | None, steps: Steps
    ) -> Worker:
        """Start what was committed and had started on a trial database; where it does not, the version before stays."""
        try:
            with steps.step(StepName.START):
                return self._supervisor.start(self._versions.spec(version.module, version.id))
        except ModuleProblem as problem:
            told = "It had started on a copy of the data. Its migrations and columns stay, for they are committed"
            try:
                assert before is not None  # noqa: S101 - a first version alters nothing
                self._commit(work, before, None)
                problem.detail = f"{problem.detail} {told}; {before.version} goes on serving."
            except (Refused, *NOT_REACHED):
                self.follower.switch(version.module, version.id)
                problem.detail = f"{problem.detail} {told}, and so is this version: its start is tried again."
            raise

    def _finish(self, done: Published, worker: Worker, steps: Steps) -> Published:
        """Switch over to what was committed, here and on the other servers; the version before is drained."""
        with steps.step(StepName.SWITCH):
            self.follower.switch(done.name, done.version_id, worker)
            with suppress(*NOT_REACHED):  # else with the next publish, or the next start
                self._versions.remove_forgotten(done.name)
        with steps.step(StepName.FRONT_ENDS):
            others = self.follower.others(done.name, done.version_id, within_seconds=self._farm_seconds)
            serving = sum(item.state is ServingState.SERVING for item in others)
            steps.say(f"{serving:,} of {len(others):,} others serve it" if others else "this server is the only one")
        return msgspec.structs.replace(done, front_ends=others)

    # What is known

    def _active(self, name: str) -> ModuleVersion | None:
        with self._guard.database.read() as connection:
            return modules.active_version(connection, name)

    def _kept_version(self, name: str, wanted: str | None) -> tuple[ModuleVersion, ModuleVersion]:
        with self._guard.database.read() as connection:
            active, kept = modules.active_version(connection, name), modules.versions_of(connection, name)
        if active is None:
            raise unknown_module(name)
        others = [version for version in kept if version.id != active.id]
        if wanted is None:
            found = [version for version in others if version.published_at < active.published_at]
        else:
            found = [version for version in [*others, active] if wanted in {version.id, version.version}]
        if not found:
            there = ", ".join(version.version for version in kept)
            what = "No earlier version" if wanted is None else f"No version {wanted[:64]!r}"
            raise UnknownVersion(f"{what} of {name!r} is kept on this server. There are: {there}.")
        return found[0], active

    def _notes(self, unpacked: Unpacked) -> tuple[str, ...]:
        return self._limits.notes(unpacked.package.manifest.limits)

    def _version(self, unpacked: Unpacked, version_id: str, count: UnitCount, actor: str) -> ModuleVersion:
        manifest = unpacked.package.manifest
        return ModuleVersion(
            id=version_id,
            module=manifest.name,
            version=manifest.version,
            entrypoint=manifest.entrypoint,
            units=count.total,
            elements=msgspec.to_builtins(list(count.elements)),
            digest=unpacked.package.digest,
            published_at=self._guard.now(),
            published_by=actor,
        )


@contextmanager
def _steps(listener: Listener | None) -> Iterator[Steps]:
    """Steps that a problem is told with, where it does not name its own."""
    steps = Steps(listener)
    try:
        yield steps
    except ModuleProblem as problem:
        problem.step = problem.step or steps.current
        raise
