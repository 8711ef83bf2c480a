"""The database of a private instance: a snapshot of the published module's, brought to the instance's ``schema.sql``.

The snapshot is SQLite's own backup in one read transaction: whole and of one moment, however much is written meanwhile.
Nothing leads back: what the instance writes stays in its own file.
"""

import contextlib
import sqlite3
from enum import StrEnum
from pathlib import Path

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema import apply_schema
from placet.platform.schema_files import Wanted

MOST_COPIED_BYTES = 512 * 1024 * 1024
_WAIT_SECONDS = 10.0


class StartsFrom(StrEnum):
    """What the database of an instance began with."""

    PUBLISHED = "published"
    SCHEMA = "schema"


def make_database(
    database: Path, wanted: Wanted, published: Path | None, *, most_bytes: int = MOST_COPIED_BYTES
) -> StartsFrom:
    """Make ``database`` from the ``published`` one, where there is one, and apply migrations and schema.

    Raises ``ModuleProblem`` (database_too_large, database_not_copied, schema_invalid, schema_unmet, migration_failed).
    """
    starts_from = StartsFrom.SCHEMA
    if published is not None and published.exists():
        _copy(published, database, most_bytes)
        starts_from = StartsFrom.PUBLISHED
    apply_schema(database, wanted)
    return starts_from


def _copy(published: Path, database: Path, most_bytes: int) -> None:
    try:
        with (
            contextlib.closing(_opened(published)) as source,
            contextlib.closing(sqlite3.connect(database)) as target,
        ):
            source.execute("BEGIN")  # the size that is looked at is of the moment that is copied
            (size,) = source.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
            if size > most_bytes:
                raise _too_large(size, most_bytes)
            source.backup(target)
    except sqlite3.Error as error:
        raise ModuleProblem(
            ProblemCode.DATABASE_NOT_COPIED,
            f"The published module's database could not be copied: {error}. Try again, or start with an empty "
            "database (--empty).",
            step="database",
        ) from error


def _opened(published: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{published.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS, isolation_level=None
    )


def _too_large(size: int, most_bytes: int) -> ModuleProblem:
    return ModuleProblem(
        ProblemCode.DATABASE_TOO_LARGE,
        f"The published module's database has {size:,} bytes, and at most {most_bytes:,} are copied for a private "
        "instance. Start with an empty database (--empty).",
        step="database",
    )
