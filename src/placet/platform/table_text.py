"""A table as its author wrote it: the text of each column, so that the engine itself may be asked to add one."""

from collections.abc import Iterable

_NO_COLUMN = frozenset(("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"))
_QUOTES = {'"': '"', "`": "`", "[": "]"}


def column_texts(sql: str, tokens: Iterable[tuple[str, int, int]]) -> dict[str, tuple[str, int]]:
    """Answer definition and offset in ``sql`` of each column of a CREATE TABLE, by its name in lower case.

    ``tokens`` are kind, start and end, in order; comments and white space are of the kinds ``space`` and ``comment``.
    """
    found: dict[str, tuple[str, int]] = {}
    depth, first, last = 0, None, 0
    for kind, start, end in tokens:
        if kind in {"space", "comment"}:
            continue
        text = sql[start:end]
        if depth == 1 and text in {",", ")"} and first is not None:
            _note(found, sql, first, last)
            first = None
        depth += (text == "(") - (text == ")")
        if depth == 0 and text == ")":
            break
        if depth == 1 and first is None and text not in {"(", ",", ")"}:
            first = (start, end)
        last = end
    return found


def unquoted(name: str) -> str:
    """Return an identifier without its quotes."""
    close = _QUOTES.get(name[:1])
    return name[1:-1].replace(close * 2, close) if close and name.endswith(close) and len(name) > 1 else name


def _note(found: dict[str, tuple[str, int]], sql: str, first: tuple[int, int], end: int) -> None:
    start, name = first[0], sql[first[0] : first[1]]
    if name.upper() not in _NO_COLUMN:
        found.setdefault(unquoted(name).casefold(), (sql[start:end], start))
