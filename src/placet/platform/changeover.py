"""What a version needs before it is committed: its data, its files, and a worker that was seen to start.

Data that only gain (new tables and the like) gain it first, and the worker starts on them; taking it back is dropping
it. Where something changes that is there already (a migration, a new column), nothing of it is seen by the version that
serves, or by a worker, before the publish is committed. So the worker proves itself on a trial database, and the change
is a transaction that is open, done but for its commit, while the publish commits.
"""

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import msgspec

from placet.platform.build import Unpacked, wanted_of
from placet.platform.following import Follower
from placet.platform.journals import Journal, Journals
from placet.platform.layout import Layout, remove_tree
from placet.platform.module_databases import ModuleDatabases
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import Changes, Wanted
from placet.platform.steps import StepName, Steps
from placet.platform.supervisor import Supervisor
from placet.platform.versions import Versions
from placet.platform.workers import Worker


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is ready to be committed, inside of ``data``. Without a ``worker`` it has to be started then."""

    changes: Changes
    worker: Worker | None
    data: AbstractContextManager[object]


class Changeover:
    """Prepares versions on one server."""

    def __init__(
        self,
        layout: Layout,
        supervisor: Supervisor,
        follower: Follower,
        *,
        journals: Journals,
        versions: Versions,
        databases: ModuleDatabases,
    ) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._journals = journals
        self._versions = versions
        self._databases = databases
        self._follower = follower

    def check(self, unpacked: Unpacked, steps: Steps, *, first: bool) -> Changes:
        """Answer what a version would change in the data; raises ``ModuleProblem``."""
        manifest = unpacked.package.manifest
        with steps.step(StepName.SCHEMA):
            changes = self._databases.of(manifest.name, manifest.database).check(wanted_of(unpacked), empty=first)
            steps.say(_told(changes))
        return changes

    @contextmanager
    def prepared(self, unpacked: Unpacked, version_id: str, steps: Steps, *, first: bool) -> Iterator[Prepared]:
        """Prepare a version; all of it is taken back where the body raises."""
        changes = self.check(unpacked, steps, first=first)
        name, kind = unpacked.package.manifest.name, unpacked.package.manifest.database
        wanted, database = wanted_of(unpacked), self._databases.of(name, kind)
        created = [] if changes.alters else list(changes.created)
        worker = None
        self._journals.begin(
            Journal(
                version_id=version_id, module=name, created=created, first=first, alters=changes.alters, database=kind
            )
        )
        try:
            if not changes.alters:
                database.apply(wanted)
            self._versions.place(unpacked, name, version_id)
            with steps.step(StepName.START):
                if changes.alters:
                    self._try_out(name, version_id, kind, wanted)
                    steps.say("on a copy of the data")
                else:
                    worker = self._supervisor.start(self._versions.spec(name, version_id))
            data = database.changing(wanted) if changes.alters else nullcontext()
            yield Prepared(changes=changes, worker=worker, data=data)
        except BaseException:
            if worker is not None:
                worker.stop()
            if self._journals.settle(version_id):  # it was committed, and only the database's word of it was lost
                self._follower.switch(name, version_id)
            raise
        self._journals.end(version_id)

    def _try_out(self, name: str, version_id: str, kind: str, wanted: Wanted) -> None:
        """Start a version on a database of its own, and stop it: a snapshot that has been changed, or an empty one."""
        directory = self._layout.runs / secrets.token_hex(16)  # what is there is removed at the next start
        try:
            directory.mkdir(mode=0o700)
            try:
                database, _ = self._databases.copy_for(directory, name, kind, wanted, empty=False)
            except ModuleProblem as problem:
                if problem.code is not ProblemCode.DATABASE_TOO_LARGE:
                    raise
                database, _ = self._databases.copy_for(directory, name, kind, wanted, empty=True)
            spec = self._versions.spec(name, version_id)
            self._supervisor.start(msgspec.structs.replace(spec, database=database.address)).stop()
        finally:
            self._databases.remove_copy(directory.name)
            remove_tree(directory)


def _told(changes: Changes) -> str:
    parts = [f"{len(changes.created):,} new"]
    parts += [f"columns {', '.join(changes.columns)}"] if changes.columns else []
    parts += [f"migrations {', '.join(changes.migrations)}"] if changes.migrations else []
    return "; ".join(parts)[:500]
