"""What a module says of its database: `schema.sql` for an empty one, `migrations/NNNN_name.sql` for one in use."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.sql_text import Statement

SCHEMA_FILE = "schema.sql"
MIGRATIONS = "migrations"
MAX_SCHEMA_BYTES = 1024 * 1024
MOST_MIGRATIONS = 1000
MOST_MIGRATIONS_BYTES = 8 * 1024 * 1024
DEFAULT_TIMEOUT_SECONDS = 10.0
MIGRATION_TIMEOUT_SECONDS = 60.0
RECORD_TABLE = (
    "CREATE TABLE IF NOT EXISTS placet_migrations (name TEXT NOT NULL, digest TEXT NOT NULL, applied_at TEXT NOT NULL)"
)
READ_RECORD = "SELECT name, digest FROM placet_migrations"
_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]{1,80}\.sql")
_HINT = (
    "Publishing adds tables, columns and the like, and changes nothing; write a migration for it (migrations/{}_….sql)."
)


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A table or view that a schema declares; `kind` is `table` or `view`."""

    kind: str
    name: str


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file of `migrations/`: its `name` there, its text, and the SHA-256 of its bytes in hexadecimal."""

    name: str
    sql: str
    digest: str

    @property
    def file(self) -> str:
        """The path in the module, for people."""
        return f"{MIGRATIONS}/{self.name}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a version wants of its database. `migrations` are in their order."""

    schema: str = ""
    migrations: tuple[Migration, ...] = ()

    @property
    def seconds(self) -> float:
        """How long bringing a database to it may take."""
        return MIGRATION_TIMEOUT_SECONDS if self.migrations else DEFAULT_TIMEOUT_SECONDS

    def mend(self, detail: str) -> str:
        """What is missing, and what to do: the next migration has a number of its own."""
        last = int(self.migrations[-1].name[:4]) if self.migrations else 0
        return f"{detail} {_HINT.format(f'{last + 1:04d}')}"


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What bringing a database to a version's schema changes, or would.

    `created`: entities and the like, by name; `columns` that are added, as `table.column`; names of `migrations` that
    are run. `stays`: columns that are there and not in `schema.sql`.
    """

    created: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()

    @property
    def alters(self) -> bool:
        """Whether something changes that is there already, so that dropping what was made would not undo it."""
        return bool(self.columns or self.migrations)


NO_CHANGES = Changes()


def read_wanted(directory: Path) -> Wanted:
    """Read what a module says. Raises `ModuleProblem` (schema_invalid, migration_failed)."""
    schema, migrations = read_schema_file(directory), _read_migrations(directory / MIGRATIONS)
    if migrations and schema is None:
        raise migration_failed(
            f"The module has {MIGRATIONS}/ and no {SCHEMA_FILE}. Add one that makes the tables as they are after all "
            "migrations: a new database begins with it, and migrations are for one that is in use.",
            migrations[0].file,
        )
    return Wanted(schema=schema or "", migrations=migrations)


def read_schema_file(directory: Path) -> str | None:
    """Return the text of a module's `schema.sql`, None if it has none. Raises `ModuleProblem` (schema_invalid)."""
    path = directory / SCHEMA_FILE
    return _text(path, SCHEMA_FILE)[0] if path.is_file() else None


def pending(migrations: Sequence[Migration], applied: Mapping[str, str]) -> tuple[Migration, ...]:
    """Answer the migrations that are not among the `applied`, which are digests by name.

    Raises `ModuleProblem` (migration_failed) for one that was changed since, and for one that comes before the last.
    """
    for migration in migrations:
        if applied.get(migration.name, migration.digest) != migration.digest:
            detail = f"{migration.file} was changed after it had been applied to this database."
            raise migration_failed(f"{detail} Put it back as it was, and write another.", migration.file)
    last, new = max(applied, default=""), tuple(each for each in migrations if each.name not in applied)
    if new and new[0].name < last:
        detail = f"{new[0].file} comes before {last}, which has been applied to this database."
        raise migration_failed(f"{detail} Give it a number after that.", new[0].file)
    return new


def placed(statement: Statement, offset: int | None) -> tuple[int, int | None]:
    """Return line and position in the file of an offset in a statement."""
    if offset is None:
        return statement.line, None
    breaks = statement.sql.count("\n", 0, offset)
    if not breaks:
        return statement.line, statement.column + offset
    return statement.line + breaks, offset - statement.sql.rfind("\n", 0, offset)


def check_size(size: int, file: str = SCHEMA_FILE) -> None:
    """Raise `ModuleProblem` for a script of too many bytes."""
    if size > MAX_SCHEMA_BYTES:
        raise invalid(
            f"{file} is larger than the {MAX_SCHEMA_BYTES:,} bytes allowed. Make it shorter.", None, file=file
        )


def invalid(detail: str, line: int | None, position: int | None = None, *, file: str = SCHEMA_FILE) -> ModuleProblem:
    """Return the problem of a schema, or of a migration."""
    code = ProblemCode.SCHEMA_INVALID if file == SCHEMA_FILE else ProblemCode.MIGRATION_FAILED
    return ModuleProblem(code, detail, step="schema", file=file, line=line, position=position)


def migration_failed(detail: str, file: str) -> ModuleProblem:
    """Return the problem of a migration as a whole."""
    return invalid(detail, None, file=file)


def unmet(detail: str, statement: Statement, offset: int | None = None) -> ModuleProblem:
    """Return the problem of a database that lacks what a statement of `schema.sql` demands."""
    line, position = placed(statement, offset)
    said = f"{SCHEMA_FILE}, line {line}: {detail}"
    return ModuleProblem(ProblemCode.SCHEMA_UNMET, said, step="schema", file=SCHEMA_FILE, line=line, position=position)


def _read_migrations(directory: Path) -> tuple[Migration, ...]:
    paths = sorted(path for path in directory.glob("*.sql") if path.is_file()) if directory.is_dir() else []
    if len(paths) > MOST_MIGRATIONS:
        detail = f"{MIGRATIONS}/ has {len(paths):,} files; {MOST_MIGRATIONS:,} are allowed."
        raise migration_failed(f"{detail} Leave out the oldest, which every database has had.", MIGRATIONS)
    found: list[Migration] = []
    size = 0
    for path in paths:
        file = f"{MIGRATIONS}/{path.name}"
        if _NAME.fullmatch(path.name) is None:
            detail = f"{ascii(file)[1:-1][:200]} is no name of a migration."
            raise migration_failed(f"{detail} Call it {MIGRATIONS}/0001_what_it_does.sql, in lower case.", file)
        if found and found[-1].name[:4] == path.name[:4]:
            raise migration_failed(f"{file} and {found[-1].name} have the same number. Give one of them another.", file)
        text, data = _text(path, file)
        size += len(data)
        if size > MOST_MIGRATIONS_BYTES:
            detail = f"{MIGRATIONS}/ has more than the {MOST_MIGRATIONS_BYTES:,} bytes allowed."
            raise migration_failed(f"{detail} Leave out the oldest, which every database has had.", file)
        found.append(Migration(name=path.name, sql=text, digest=hashlib.sha256(data).hexdigest()))
    return tuple(found)


def _text(path: Path, file: str) -> tuple[str, bytes]:
    data = path.read_bytes() if path.stat().st_size <= MAX_SCHEMA_BYTES else b"\0" * (MAX_SCHEMA_BYTES + 1)
    check_size(len(data), file)
    try:
        return data.decode("utf-8-sig"), data
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid(f"{file} is not UTF-8 text (line {line}). Save it as UTF-8.", line, file=file) from None
