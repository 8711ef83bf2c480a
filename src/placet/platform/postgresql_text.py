"""SQL as text, where PostgreSQL's own interface has no answer: where a statement ends, and which parameters it names.

Nothing here decides whether SQL may run. That is the engine's business: each statement goes to it by the extended
protocol, which takes one and no more, so that what is cut wrongly here is refused there.
"""

import re
from collections.abc import Iterator

import msgspec

from placet.platform.sql_text import Statement

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'?)
      | (?P<quoted>'[^']*(?:''[^']*)*'?|"[^"]*(?:""[^"]*)*"?)
      | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
      | (?P<numbered>\$\d+)
      | (?P<cast>::|:=)
      | (?P<parameter>:[^\W\d]\w*)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<number>\.?\d[\w.]*)
      | (?P<end>;)
      | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"/\*|\*/")
_ROUTINES = frozenset(("FUNCTION", "PROCEDURE"))


class Numbered(msgspec.Struct, frozen=True):
    """A statement whose named parameters are ``$1``, ``$2`` …, in the order of ``names``; no names: it had none.

    ``moves`` are places in the text from which on it is longer than the original, and by how much.
    """

    sql: str
    names: tuple[str, ...]
    moves: tuple[tuple[int, int], ...] = ()

    def original(self, position: int) -> int:
        """Answer where in the original a position of the text, from 1, is."""
        longer = 0
        for start, by in self.moves:
            if position - 1 >= start:
                longer = by
        return max(1, position - longer)


def numbered(sql: str) -> Numbered:
    """Replace ``:name`` by ``$n``, outside of quotes and comments."""
    names: list[str] = []
    parts: list[str] = []
    moves: list[tuple[int, int]] = []
    length = longer = 0
    for kind, start, end in tokens(sql):
        part = sql[start:end]
        if kind == "parameter":
            name = part[1:]
            if name not in names:
                names.append(name)
            new = f"${names.index(name) + 1}"
            longer += len(new) - len(part)
            moves.append((length + len(new), longer))
            part = new
        parts.append(part)
        length += len(part)
    return Numbered("".join(parts), tuple(names), tuple(moves))


def split_statements(script: str) -> Iterator[Statement]:
    """Yield the statements of a script. What a routine does between BEGIN ATOMIC and END is a part of it."""
    start: int | None = None
    words: list[str] = []
    depth = 0
    for kind, begin, end in tokens(script):
        if kind in {"space", "comment"}:
            continue
        if start is None:
            if kind == "end":
                continue
            start, words, depth = begin, [], 0
        if kind == "word":
            word = script[begin:end].upper()
            words = [*words, word] if len(words) < 4 else words
            if words[0] == "CREATE" and _ROUTINES.intersection(words):
                depth += 1 if word == "BEGIN" or (depth and word == "CASE") else -1 if word == "END" and depth else 0
        if kind == "end" and depth == 0:
            yield _statement(script, start, end)
            start = None
    if start is not None:
        yield _statement(script, start, len(script))


def tokens(sql: str) -> Iterator[tuple[str, int, int]]:
    """Yield kind, start and end of each token: comments nest, and a dollar quote ends where it is repeated."""
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        assert match is not None  # noqa: S101 - some alternative takes any character
        kind, end = str(match.lastgroup), match.end()
        if kind == "dollar":
            close = sql.find(match[0], end)
            kind, end = "quoted", len(sql) if close < 0 else close + len(match[0])
        elif kind == "comment":
            end = _end_of_comment(sql, end)
        yield kind, place, end
        place = end


def _end_of_comment(sql: str, place: int) -> int:
    depth = 1
    for match in _COMMENT.finditer(sql, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)


def _statement(script: str, start: int, end: int) -> Statement:
    column = start - script.rfind("\n", 0, start)
    return Statement(sql=script[start:end], line=script.count("\n", 0, start) + 1, column=column)
