"""What a publish changes outside the staging area before its transaction, written down first.

A journal is there from before the first such change until the publish has ended. Settling one takes the changes
back, unless the transaction was committed, and then does what is left of them: by whoever published, where it failed;
at the next start, after a crash; and before the next publish of the same module, where neither could. Settling twice
does no more than settling once.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from placet.platform.build import MODULE
from placet.platform.layout import Layout, remove_empty, remove_tree, write_durably
from placet.platform.manifest import DATABASES
from placet.platform.module_databases import ModuleDatabase, ModuleDatabases
from placet.platform.problems import ModuleProblem
from placet.platform.product import SOFTWARE_UNITS
from placet.platform.schema_files import read_wanted
from placet.store import modules, usage
from placet.store.database import Database

log = structlog.get_logger()


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish is about to change.

    ``created`` are the entities its schema adds, in a ``database`` of that kind. Where it
    is the ``first``, the module's database is all its own. Where it ``alters`` what is there, it does so in a
    transaction that is committed right after the publish's own: a crash between the two leaves it to be done again.
    """

    version_id: str
    module: str
    created: list[str]
    first: bool
    alters: bool = False
    database: str = DATABASES[0]


class Journals:
    """The journals of one server."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    def begin(self, journal: Journal) -> None:
        """Write a journal; it is on disk when this returns."""
        write_durably(self._path(journal.version_id), msgspec.to_builtins(journal))

    def end(self, version_id: str) -> None:
        """Remove the journal of a publish that has ended. One that cannot be removed is settled later."""
        with suppress(OSError):
            self._path(version_id).unlink()

    def settle(self, version_id: str) -> bool:
        """Take back what a journal tells of, unless it was committed, which is answered.

        Where that cannot be told or done, the journal stays and the error of the database is raised. The lock is the
        publish's own: a database server may still be at a commit whose client has been killed or cut off.
        """
        path = self._path(version_id)
        journal = _read(path)
        with self._database.write() as connection:
            usage.lock(connection, [SOFTWARE_UNITS])
            committed = version_id in modules.known_versions(connection)
        if not committed:
            self._take_back(journal)
        elif journal.alters:
            directory = self._layout.version(journal.module, version_id) / MODULE
            self._data_of(journal).apply(read_wanted(directory))
        path.unlink()
        return committed

    def settle_module(self, module: str) -> None:
        """Settle what earlier publishes of a module have left. Nobody else may be publishing it."""
        for journal in self._of(module):
            self.settle(journal.version_id)

    def forget(self, module: str) -> None:
        """Remove the journals of a module that has been deleted, with all that they tell of."""
        for journal in self._of(module):
            self.end(journal.version_id)

    def recover(self) -> None:
        """After a start: settle what is left. What cannot be settled now stays, and the server starts all the same."""
        for path in sorted(self._layout.journals.glob("*.json")):
            try:
                self.settle(path.stem)
            except (sqlite3.Error, ModuleProblem) as error:
                log.warning("publish_not_taken_back", journal=path.name, error=str(error))
        for torn in self._layout.journals.glob("*.tmp"):
            torn.unlink()

    def _take_back(self, journal: Journal) -> None:
        self._data_of(journal).undo(journal.created, existed=not journal.first)
        directory = self._layout.version(journal.module, journal.version_id)
        remove_tree(directory)
        remove_empty(directory.parent)
        if journal.first:
            self._layout.remove_logs(journal.module)

    def _data_of(self, journal: Journal) -> ModuleDatabase:
        return ModuleDatabases(self._database, self._layout).of_kind(journal.module, journal.database)

    def _of(self, module: str) -> Iterator[Journal]:
        for path in sorted(self._layout.journals.glob("*.json")):
            with suppress(FileNotFoundError):  # another module's, which has just ended
                journal = _read(path)
                if journal.module == module:
                    yield journal

    def _path(self, version_id: str) -> Path:
        return self._layout.journals / f"{version_id}.json"


def _read(path: Path) -> Journal:
    return msgspec.convert(json.loads(path.read_text()), Journal)
