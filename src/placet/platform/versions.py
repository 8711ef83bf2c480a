"""The files of published versions on this server, made from the archives that the database keeps."""

import uuid
from contextlib import suppress

import structlog

from placet.guard import Guard
from placet.platform.build import MODULE, Unpacked, compile_module, install_only, open_archive, site_of, wanted_of
from placet.platform.layout import Layout, remove_empty, remove_tree, sync, sync_tree
from placet.platform.manifest import read_manifest
from placet.platform.module_databases import ModuleDatabases
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import Wanted, read_wanted
from placet.platform.workers import WorkerSpec
from placet.store import modules
from placet.store.modules import ModuleVersion

log = structlog.get_logger()


class Versions:
    """Puts the files of versions in place and takes them away."""

    def __init__(self, guard: Guard, layout: Layout) -> None:
        self._guard = guard
        self._layout = layout
        self._databases = ModuleDatabases(guard.database, layout)

    def spec(self, name: str, version_id: str) -> WorkerSpec:
        """What to run for a version whose files are here."""
        directory = self._layout.version(name, version_id)
        manifest = read_manifest(directory / MODULE)
        return WorkerSpec(
            name=name,
            version=manifest.version,
            directory=directory / MODULE,
            entrypoint=manifest.entrypoint,
            timers=manifest.timers,
            asked_limits=manifest.limits,
            database=self._databases.of_kind(name, manifest.database).address,
            root_path=f"/apps/{name}",
            log_path=self._layout.log(name),
            site=site_of(directory),
        )

    def has_files(self, name: str, version_id: str) -> bool:
        """Whether the files of a version are here, whole: they are put in place by one rename."""
        return (self._layout.version(name, version_id) / MODULE / "module.toml").is_file()

    def place(self, unpacked: Unpacked, name: str, version_id: str) -> None:
        """Move what was built in the staging area to where it is served from; on disk when this returns."""
        directory = self._layout.version(name, version_id)
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        unpacked.directory.rename(directory)
        sync_tree(directory)
        sync(self._layout.versions)
        sync(self._layout.databases)

    def fetch(self, version: ModuleVersion, *, with_data: bool = True) -> None:
        """Make the files of a version from its archive, unless they are here; ``with_data``: bring its database to it.

        Raises ``ModuleProblem``, ``OSError``.
        """
        if self.has_files(version.module, version.id):
            return
        with self._guard.database.read() as connection:
            archive = modules.archive_of(connection, version.id)
        if archive is None:
            raise _no_archive(version)
        staging = self._layout.staging / str(uuid.uuid4())
        try:
            unpacked = open_archive(archive, staging)
            if unpacked.package.digest != version.digest:
                raise _no_archive(version)
            install_only(unpacked, self._layout.cache)
            compile_module(unpacked)
            if with_data:
                self._databases.of(version.module, unpacked.package.manifest.database).apply(wanted_of(unpacked))
            self._remove_broken(version)
            self.place(unpacked, version.module, version.id)
        finally:
            remove_tree(staging)

    def check_data(self, version: ModuleVersion) -> None:
        """See that a version whose files are here can work with the data as they are.

        Raises ``ModuleProblem`` (schema_unmet): migrations are not undone.
        """
        directory = self._layout.version(version.module, version.id) / MODULE
        database = self._databases.of(version.module, read_manifest(directory).database)
        why = ""
        try:
            changes = database.check(Wanted(schema=read_wanted(directory).schema))
            missing = [*changes.columns, *changes.created]
            if missing:
                why = f"the database has no {', '.join(missing[:10])} any more."
        except ModuleProblem as problem:
            if problem.code is not ProblemCode.SCHEMA_UNMET:
                raise
            why = problem.detail
        if why:
            detail = (
                f"{version.module} {version.version} cannot serve again: {why} Migrations that later versions brought"
            )
            raise ModuleProblem(
                ProblemCode.SCHEMA_UNMET,
                f"{detail} are not undone by rolling back. Publish a version that fits the data as they are.",
                step="schema",
            )

    def remove_forgotten(self, name: str) -> None:
        """Remove the files of a module's versions that are recorded no more. What is being published stays."""
        directory = self._layout.versions / name
        with suppress(FileNotFoundError):
            found = [path for path in directory.iterdir() if not self._is_journalled(path.name)]
            with self._guard.database.read() as connection:
                known = modules.known_versions(connection)
            for path in found:
                if path.name not in known:
                    remove_tree(path)
        remove_empty(directory)

    def remove_all(self, name: str) -> str | None:
        """Remove everything of a module that is published no more; answers where its database was put aside."""
        remove_tree(self._layout.versions / name)
        aside = self.put_database_aside(name)
        self._layout.remove_logs(name)
        return aside

    def recover(self) -> None:
        """After a start: remove the files nothing refers to, and put aside the databases of modules there are not."""
        with self._guard.database.read() as connection:
            active = modules.active_ids(connection)
        for directory in self._layout.versions.iterdir():
            self.remove_forgotten(directory.name)
        for database in self._layout.databases.glob("*.sqlite3"):
            if database.stem not in active:
                self.put_database_aside(database.stem)
        for leftover in self._layout.staging.iterdir():
            remove_tree(leftover)

    def put_database_aside(self, name: str) -> str | None:
        """Keep a module's database where no module finds it; answers what it is called there, if there was one."""
        return self._databases.put_aside(name, self._guard.now())

    def _is_journalled(self, version_id: str) -> bool:
        return (self._layout.journals / f"{version_id}.json").exists()

    def _remove_broken(self, version: ModuleVersion) -> None:
        """What is where the files belong, and is not they: somebody has been at it by hand."""
        directory = self._layout.version(version.module, version.id)
        if directory.exists():
            log.warning("module_files_made_anew", module=version.module, version=version.version)
            remove_tree(directory)


def _no_archive(version: ModuleVersion) -> ModuleProblem:
    return ModuleProblem(
        ProblemCode.PACKAGE_UNREADABLE,
        f"The archive of {version.module} {version.version} is missing from the database or was changed there, and its "
        "files are not on this server. Publish the module again.",
        step="unpack",
    )
