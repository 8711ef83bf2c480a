"""The inside of a test query, in this process, where it can be seen."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from placet.platform.query_child import run


@pytest.fixture
def orders(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "orders.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)")
    limits = {"max_rows": 10, "max_bytes": 1000, "timeout_seconds": 1.0}
    return {"database": str(path), "parameters": [], **limits}


def test_an_answer(orders: dict[str, Any]) -> None:
    answer = run(
        orders | {"sql": "INSERT INTO orders (customer) VALUES (:who) RETURNING *", "parameters": {"who": "Ada"}}
    )
    assert answer["rows"] == [[1, "Ada"]]
    assert answer["changes"] == 1
    assert run(orders | {"sql": "SELECT count(*) FROM orders"})["rows"] == [[0]]


def test_refused_failed_and_too_long(orders: dict[str, Any]) -> None:
    assert run(orders | {"sql": "COMMIT"})["error"] == "refused"
    assert run(orders | {"sql": "SELECT FORM orders FORM"}) == {
        "error": "failed",
        "message": 'near "FORM": syntax error',
        "position": 20,
    }
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    assert run(orders | {"sql": endless, "timeout_seconds": 0.1})["error"] == "timeout"


def test_bytes_are_bounded(orders: dict[str, Any]) -> None:
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT zeroblob(300) FROM c"
    answer = run(orders | {"sql": endless})
    assert (len(answer["rows"]), answer["truncated"]) == (2, True)
