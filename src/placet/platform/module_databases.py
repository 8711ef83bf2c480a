"""Where modules keep their data."""

from placet.platform.layout import Layout
from placet.platform.module_sqlite import SqliteModuleDatabase


class ModuleDatabases:
    """The databases of one server's modules."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def published(self, module: str) -> SqliteModuleDatabase:
        """Answer the database that a published module has."""
        return SqliteModuleDatabase(path=self._layout.module_database(module), deleted=self._layout.deleted)
