import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.platform.sql_text import split_statements, without_parameters


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("a; b;c", ["a;", "b;", "c"]),
        ("-- x;\na /* ; */ b; -- y", ["a /* ; */ b;"]),
        ("'a;''b'; \"c;\"\"d\"; [e;]; `f;`", ["'a;''b';", '"c;""d";', "[e;];", "`f;`"]),
        ("create trigger t begin a; b; end; c", ["create trigger t begin a; b; end;", "c"]),
        (
            "CREATE TEMP TRIGGER t BEGIN SELECT CASE WHEN 1 THEN 2 END; x; END; c",
            ["CREATE TEMP TRIGGER t BEGIN SELECT CASE WHEN 1 THEN 2 END; x; END;", "c"],
        ),
        ("create table trigger_end (a); end;", ["create table trigger_end (a);", "end;"]),
        ("'never closed; a", ["'never closed; a"]),
    ],
)
def test_statements(script: str, statements: list[str]) -> None:
    assert [statement.sql for statement in split_statements(script)] == statements


def test_lines() -> None:
    assert [statement.line for statement in split_statements("a;\n\n-- x\nb;\n'\n';c")] == [1, 4, 5, 6]


@given(
    st.lists(
        st.sampled_from([";", "'", '"', "--", "/*", "*/", "\n", " ", "a", "END", "CREATE", "TRIGGER", "[", "]", "?1"])
    )
)
def test_nothing_but_space_and_semicolons_is_lost(parts: list[str]) -> None:
    script = "".join(parts)
    statements = list(split_statements(script))
    position = 0
    for statement in statements:
        lines = script.splitlines(keepends=True)
        found = sum(map(len, lines[: statement.line - 1])) + statement.column - 1
        assert script[found:].startswith(statement.sql)
        assert not _matters(script[position:found])
        position = found + len(statement.sql)
    assert not _matters(script[position:])


def _matters(text: str) -> bool:
    return next(split_statements(text), None) is not None


@given(
    st.lists(
        st.sampled_from(["SELECT 1;", "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT ';'; END;", "-- ;\n", "'';"])
    )
)
def test_each_statement_is_one_in_sqlites_eyes(parts: list[str]) -> None:
    for statement in split_statements("".join(parts)):
        assert sqlite3.complete_statement(statement.sql)


def test_parameters_become_null_outside_of_text() -> None:
    sql = "SELECT ?, ?1, :a, @b, $c::d(x), ':e', \"?\", [?], a -- :f"
    assert without_parameters(sql) == "SELECT NULL, NULL, NULL, NULL, NULL(x), ':e', \"?\", [?], a -- :f"
