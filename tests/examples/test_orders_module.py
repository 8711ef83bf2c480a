"""examples/orders as a module: its units, its schema, its queries, and how it starts."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

ORDERS = Path(__file__).parents[2] / "examples/orders"
SCHEMA = (ORDERS / "schema.sql").read_text("utf-8")
SHOW_ROUTES = """
import json
from orders.app import app
print(json.dumps([[method, route.path_format] for route in app.routes for method in sorted(route.methods)]))
"""


@pytest.fixture
def fresh() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(SCHEMA)
        yield connection


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the module is, with the given PLACET_ variables and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")} | variables
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=ORDERS,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_its_description_names_the_application() -> None:
    description = tomllib.loads((ORDERS / "module.toml").read_text("utf-8"))
    assert description == {"module": {"name": "orders", "version": "1.2.0", "entrypoint": "orders.app:app"}}


def test_the_readme_states_every_software_unit(fresh: sqlite3.Connection) -> None:
    shown = python("-c", SHOW_ROUTES)
    assert shown.returncode == 0, shown.stderr
    counted = {("operation", f"`{method} {path}`") for method, path in json.loads(shown.stdout) if method != "OPTIONS"}
    counted |= {("screen", f"`screens/{path.name}`") for path in (ORDERS / "screens").glob("*.html")}
    counted |= {
        ("entity", f"{kind} `{name}`")
        for kind, name in fresh.execute(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'"
        )
    }
    readme = (ORDERS / "README.md").read_text("utf-8")
    stated = re.findall(r"^\| (screen|entity|operation|timer) \| (.+) \| 1 \|$", readme, re.MULTILINE)
    assert sorted(stated) == sorted(counted)
    assert f"**{len(counted)} Software Units**: 4 screens, 5 entities, 15 operations, no timers." in readme
    assert len(counted) <= 24


def test_the_seed_rows_are_consistent(fresh: sqlite3.Connection) -> None:
    assert fresh.execute("PRAGMA foreign_key_check").fetchall() == []
    assert fresh.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert fresh.execute("SELECT count(*) FROM order_totals").fetchone() == (6,)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customers (name, city) VALUES ('', 'Porto')",
        "INSERT INTO customers (name, city) VALUES ('Aldgate Bakery', 'Porto')",
        "INSERT INTO customers (name, city) VALUES (printf('%.121c', 'x'), 'Porto')",
        "UPDATE products SET stock = -1 WHERE id = 3",
        "UPDATE products SET stock = 'many' WHERE id = 3",
        "INSERT INTO orders (customer_id, ordered_at) VALUES (99, '2026-01-01T00:00:00Z')",
        "INSERT INTO orders (customer_id, ordered_at) VALUES (1, 'yesterday')",
        "INSERT INTO orders (customer_id, ordered_at) VALUES (1, '2026-01-01')",
        "UPDATE orders SET shipped_at = '2020-01-01T00:00:00Z' WHERE id = 1004",
        "INSERT INTO order_lines VALUES (1004, 1, 0, 650)",
        "INSERT INTO order_lines VALUES (1004, 1, 1001, 650)",
        "INSERT INTO order_lines VALUES (1004, 5, 1, 2180)",
        "DELETE FROM products WHERE id = 5",
        "DELETE FROM customers WHERE id = 1",
    ],
)
def test_the_schema_refuses_what_cannot_be(fresh: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        fresh.execute(statement)


@pytest.mark.parametrize(
    ("name", "parameters", "columns", "rows"),
    [
        (
            "best_customers",
            {"since": "2026-02-01"},
            ["customer", "orders", "items", "euros"],
            [
                ("Noordzee Catering", 1, 30, 627.0),
                ("Mercado do Bolhão", 1, 3, 338.0),
                ("Café Lumière", 1, 5, 276.2),
                ("Aldgate Bakery", 1, 20, 236.8),
            ],
        ),
        (
            "low_stock",
            {"at_most": 5},
            ["sku", "name", "stock", "ordered_ever"],
            [("MCH-2G", "Espresso machine, two groups", 0, 1), ("FLT-100", "Paper filters, 100", 3, 12)],
        ),
        (
            "waiting_orders",
            {"before": "2026-03-03"},
            ["number", "customer", "ordered_on", "items", "euros"],
            [(1004, "Noordzee Catering", "2026-02-17", 30, 627.0), (1005, "Aldgate Bakery", "2026-03-02", 20, 236.8)],
        ),
    ],
)
def test_the_queries_answer(
    fresh: sqlite3.Connection, name: str, parameters: dict[str, object], columns: list[str], rows: list[object]
) -> None:
    fresh.execute("PRAGMA query_only = ON")
    sql = (ORDERS / f"queries/{name}.sql").read_text("utf-8")
    as_text = {key: str(value) for key, value in parameters.items()}  # what a command line passes
    for values in (parameters, as_text):
        answer = fresh.execute(sql, values)
        assert [column[0] for column in answer.description] == columns
        assert answer.fetchall() == rows


def test_every_query_file_is_tested() -> None:
    assert {path.stem for path in (ORDERS / "queries").iterdir()} == {"best_customers", "low_stock", "waiting_orders"}


def test_without_a_database_it_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "not made.db"
    answer = python("-m", "uvicorn", "orders.app:app", "--port", "0", PLACET_MODULE_DATABASE=str(path))
    assert answer.returncode != 0
    assert f"No database at {path}. Make it: sqlite3 {path} < schema.sql" in answer.stderr
    assert not path.exists()
