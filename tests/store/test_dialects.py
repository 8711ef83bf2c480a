import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from placet.store import dialects
from store_support import threads


def test_connections_that_switch_a_new_file_to_wal_at_once_all_get_there(tmp_path: Path) -> None:
    """Thirty new files, because the moment in which two collide is short."""
    for number in range(30):
        path = tmp_path / f"{number}.sqlite3"

        def connected(_: int, path: Path = path) -> str:
            engine = create_engine(f"sqlite:///{path}")
            dialects.prepare(engine)
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS something (a)")
                connection.commit()
            engine.dispose()
            with closing(sqlite3.connect(path)) as raw:
                return str(raw.execute("PRAGMA journal_mode").fetchone()[0])

        assert set(threads.race(8, connected)) == {"wal"}
