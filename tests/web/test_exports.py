"""Tables to take along: CSV without formulas, JSON, both written while they are read."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import EVERYTHING, limit
from console_server import ConsoleServer, running
from placet.license import Grant
from placet.store.credentials import Role
from placet.web.exports import FORMULAS, Form, cell, exported

EXPORTS = "/api/v1/exports"
HOSTILE = "=cmd|' /C calc'!A0\u202e,\"\n<script>"


def written(form: Form, columns: list[str], rows: list[list[Any]]) -> list[bytes]:
    return list(exported("x", form, columns, rows).iterator)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", FORMULAS)
def test_text_is_never_a_formula(first: str) -> None:
    assert cell(f"{first}1+1") == f"'{first}1+1"
    assert cell(first) == f"'{first}"
    assert (cell(-5), cell(None), cell("a=1"), cell("")) == (-5, None, "a=1", "")


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(text, st.integers(), st.none() | text), max_size=20))
def test_a_csv_file_has_every_cell_and_no_formula(rows: list[tuple[str, int, str | None]]) -> None:
    whole = b"".join(written(Form.CSV, ["a", "b", "c"], [list(row) for row in rows])).decode()
    found = list(csv.reader(io.StringIO(whole, newline="")))
    assert found[0] == ["a", "b", "c"]
    assert len(found) == len(rows) + 1
    for row, told in zip(rows, found[1:], strict=True):
        for value, said in zip(row, told, strict=True):
            assert said.removeprefix("'") == str("" if value is None else value).removeprefix("'")
            assert isinstance(value, int) or not said.startswith(FORMULAS)


@given(st.lists(st.tuples(text, st.integers(-(2**53), 2**53)), max_size=5))
def test_a_json_file_has_the_values_as_they_are(rows: list[tuple[str, int]]) -> None:
    whole = b"".join(written(Form.JSON, ["a", "b"], [list(row) for row in rows]))
    assert json.loads(whole) == [{"a": name, "b": number} for name, number in rows]


@pytest.mark.parametrize("form", Form)
def test_many_rows_come_in_parts(form: Form) -> None:
    parts = written(form, ["a"], [[number] for number in range(1200)])
    assert len(parts) == 3
    assert b"".join(parts).count(b"1199") == 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("exports") / "data") as server:
        seats, meter = Grant(kind="seats", limit=5), Grant(kind="metered", limit=1000)
        features = EVERYTHING | {"software_units": limit(5000), "private_instances": seats, "test_queries": meter}
        server.install(features=features)
        for number in range(1200):
            with server.guard.allocation("publish", f"m{number:04}", software_units=1):
                pass
        server.platform.people.add(HOSTILE, Role.DEVELOPER, actor="test")
        server.guard.take_block("test_queries", 7, holder="w")
        yield server


@pytest.fixture(scope="module")
def client(server: ConsoleServer) -> Iterator[httpx2.Client]:
    with server.caller("dora") as client:
        yield client


def test_holders_are_all_in_it(client: httpx2.Client) -> None:
    answer = client.get(f"{EXPORTS}/features/software_units/holders")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="software_units-holders.csv"'
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["holder", "amount", "since"]
    assert [row[0] for row in rows[1:]] == [f"m{number:04}" for number in range(1200)]
    assert client.get(f"{EXPORTS}/features/test_queries/holders?format=json").json() == [
        {"holder": "w", "amount": 7, "since": "2026-06-01T12:00:00Z"}
    ]
    assert client.get(f"{EXPORTS}/features/private_instances/holders?format=json").json() == []


def test_a_hostile_name_is_no_formula_and_json_has_it_as_it_is(client: httpx2.Client) -> None:
    path = f"{EXPORTS}/features/users/holders"
    rows = list(csv.reader(io.StringIO(client.get(path).text, newline="")))
    assert rows[1][0] == f"'{HOSTILE}"
    assert client.get(f"{path}?format=json").json()[0]["holder"] == HOSTILE


def test_usage_and_history(server: ConsoleServer, client: httpx2.Client) -> None:
    server.guard.tick()
    rows = {row["feature"]: row for row in client.get(f"{EXPORTS}/usage?format=json").json()}
    assert set(rows) == {"software_units", "users", "front_end_servers", "private_instances", "test_queries"}
    units = rows["software_units"]
    assert (units["limit"], units["used"], units["kind"], units["reached_at"]) == (5000, 1200, "limit", None)
    assert units["trend"] == "No trend yet: usage is known of 1 day, and it takes 7."
    points = client.get(f"{EXPORTS}/features/software_units/history?format=json").json()
    assert points[-1]["peak"] == 1200
    told = client.get(f"{EXPORTS}/features/software_units/history?since=2026-06-01&until=2026-06-01").text.splitlines()
    assert (told[0], len(told)) == ("at,peak,average,limit", 2)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("usage?format=xlsx", 400, "bad_request"),
        ("features/nothing/history", 404, "unknown_feature"),
        ("features/nothing/holders", 404, "unknown_feature"),
        ("features/users/history?since=soon", 400, "bad_request"),
        ("features/users/history?since=2001-01-01", 400, "bad_request"),
    ],
)
def test_what_cannot_be_exported_is_a_problem(client: httpx2.Client, path: str, status: int, code: str) -> None:
    answer = client.get(f"{EXPORTS}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
