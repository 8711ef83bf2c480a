import re
import sqlite3
from pathlib import Path

import placet
from placet.store import sqlite
from store_support import threads

KNOWS_THE_KIND = re.compile(r"sqlalchemy\.dialects|dialect\.name|get_backend_name|drivername|PRAGMA|pg_\w+\(")


def test_nothing_else_asks_which_database_it_is() -> None:
    """Beside it, modules' own SQLite files have code of theirs, in ``platform``."""
    source = Path(placet.__file__).parent
    stores = [path for path in source.rglob("*.py") if "platform" not in path.relative_to(source).parts]
    found = {path.relative_to(source).as_posix() for path in stores if KNOWS_THE_KIND.search(path.read_text())}
    assert found == {"store/dialects.py", "store/sqlite.py"}


def test_connections_that_switch_a_new_file_to_wal_at_once_all_get_there(tmp_path: Path) -> None:
    """Sixty new files, because the moment in which two collide is short."""
    for number in range(60):
        path = tmp_path / f"{number}.sqlite3"
        connections = [sqlite3.connect(path, check_same_thread=False) for _ in range(8)]

        def configure(index: int, connections: list[sqlite3.Connection] = connections) -> str:
            sqlite.configure(connections[index], None)
            connections[index].execute("CREATE TABLE IF NOT EXISTS something (a)")
            return str(connections[index].execute("PRAGMA journal_mode").fetchone()[0])

        assert set(threads.race(8, configure)) == {"wal"}
        for connection in connections:
            connection.close()
