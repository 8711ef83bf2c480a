"""SQL as text, where SQLite's own interface has no answer: where a statement ends, and where an error is.

Nothing here decides whether SQL may run. That is the engine's business, through its authorizer.
"""

import re
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<quoted>'[^']*(?:''[^']*)*'?|"[^"]*(?:""[^"]*)*"?|`[^`]*(?:``[^`]*)*`?|\[[^\]]*\]?)
      | (?P<parameter>\?\d*|[:@$\#][\w$]+(?:::\w+)*)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<number>\.?\d[\w.]*)
      | (?P<end>;)
      | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_NEAR = re.compile(r'near "(.*)": syntax error', re.DOTALL)
_MISSING = re.compile(r"no such (?:column|table|function): (?:\w+\.)*(\w+)|(?:ambiguous column name): (\w+)")
_MAX_PROBES = 200


class Statement(NamedTuple):
    """One statement of a script, without the comments around it, and the line and column, from 1, it begins at."""

    sql: str
    line: int
    column: int


def split_statements(script: str) -> "Iterator[Statement]":
    """Yield the statements of a script. A trigger's body ends where SQLite says it does: at `; END ;`."""
    start: int | None = None
    words: list[str] = []
    recent: list[str] = []
    for match in _TOKEN.finditer(script):
        if match.lastgroup == "space":
            continue
        if start is None:
            if match.lastgroup == "end":
                continue
            start, words, recent = match.start(), [], []
        if match.lastgroup == "word" and len(words) < 3:
            words.append(match[0].upper())
        recent = [*recent[-2:], match[0].upper()]
        if match.lastgroup == "end" and (not _is_trigger(words) or recent == [";", "END", ";"]):
            yield _statement(script, start, match.end())
            start = None
    if start is not None:
        yield _statement(script, start, len(script))


def tokens(sql: str) -> "Iterator[tuple[str, int, int]]":
    """Yield kind, start and end of each token; comments are ``space``, and names in quotes ``quoted`` as texts are."""
    for match in _TOKEN.finditer(sql):
        yield str(match.lastgroup), match.start(), match.end()


def without_parameters(sql: str) -> str:
    """Return the statement with every parameter replaced by NULL."""
    return _TOKEN.sub(lambda match: "NULL" if match.lastgroup == "parameter" else match[0], sql)


def error_offset(connection: sqlite3.Connection, sql: str, message: str) -> int | None:
    """Return the offset in `sql`, from 0, of what SQLite's error `message` complains about, None if not known.

    For a syntax error the beginnings of the statement are compiled, none is run: the first one that ends with the
    named token and fails by it shows the place.
    """
    near = _NEAR.search(message)
    if near is not None:
        return _first_failing(connection, sql, near[1], message)
    missing = _MISSING.search(message)
    name = (missing[1] or missing[2]).casefold() if missing else None
    places = [match.start() for match in _TOKEN.finditer(sql) if match[0].strip('"`[]').casefold() == name]
    return places[0] if len(places) == 1 else None


def _first_failing(connection: sqlite3.Connection, sql: str, token: str, message: str) -> int | None:
    candidates = [match for match in _TOKEN.finditer(sql) if match[0].startswith(token)][:_MAX_PROBES]
    for match in candidates:
        try:
            connection.execute(f"EXPLAIN {sql[: match.start() + len(token)]}")
        except (sqlite3.Error, sqlite3.Warning) as error:
            if str(error) == message:
                return match.start()
    return None


def _is_trigger(words: list[str]) -> bool:
    return words[:1] == ["CREATE"] and "TRIGGER" in words


def _statement(script: str, start: int, end: int) -> Statement:
    column = start - script.rfind("\n", 0, start)
    return Statement(sql=script[start:end], line=script.count("\n", 0, start) + 1, column=column)
