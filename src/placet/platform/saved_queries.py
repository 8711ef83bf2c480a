"""The queries a module brings along: `queries/*.sql`, one statement each, asked by their file's name."""

import re
from pathlib import Path

import msgspec

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.query_process import MAX_SQL_BYTES

QUERIES_DIRECTORY = "queries"
MAX_QUERIES = 100
_SUFFIX = ".sql"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
_COMMENT = re.compile(r"\s*(?:/\*\s*(?P<block>.*?)\s*\*/|--[ \t]*(?P<line>[^\n]*))", re.DOTALL)
_MAX_TITLE = 200


class UnknownQuery(LookupError):
    """The module has no query of that name."""


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its name without the suffix, and its text. ``file`` is relative to the module's directory."""

    name: str
    file: str
    sql: str

    @property
    def title(self) -> str:
        """What the comment says that the query begins with, in one line."""
        comment = _COMMENT.match(self.sql)
        text = (comment["block"] or comment["line"] or "") if comment else ""
        return " ".join(text.split())[:_MAX_TITLE]


def saved_query(module: Path, name: str) -> SavedQuery:
    """Answer a query of an unpacked module; raises :class:`UnknownQuery`, or ``ModuleProblem`` (query_failed)."""
    path = module / QUERIES_DIRECTORY / f"{name}{_SUFFIX}"
    if _NAME.fullmatch(name) is None or not path.is_file():
        names = ", ".join(query_names(module)[:20])
        there = f"There is: {names}." if names else f"It has none: a {QUERIES_DIRECTORY}/NAME.sql would be one."
        raise UnknownQuery(f"The module has no query named {name[:63]!r}. {there}")
    return _read(path)


def query_names(module: Path) -> list[str]:
    """Answer the names of the queries of an unpacked module, the first hundred of them."""
    found = (module / QUERIES_DIRECTORY).glob(f"*{_SUFFIX}")
    return sorted(path.stem for path in found if _NAME.fullmatch(path.stem) and path.is_file())[:MAX_QUERIES]


def _read(path: Path) -> SavedQuery:
    file = f"{QUERIES_DIRECTORY}/{path.name}"
    size = path.stat().st_size
    if size > MAX_SQL_BYTES:
        raise _unreadable(file, f"{file} has {size:,} bytes; {MAX_SQL_BYTES:,} are allowed. Make it shorter.")
    try:
        return SavedQuery(name=path.stem, file=file, sql=path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _unreadable(file, f"{file} is not UTF-8 text. Save it as UTF-8 and publish again.") from None


def _unreadable(file: str, detail: str) -> ModuleProblem:
    return ModuleProblem(ProblemCode.QUERY_FAILED, detail, step="query", file=file)
