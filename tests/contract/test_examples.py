"""Scenario: the examples, published, run, debugged and queried as their developer would."""

import os
import signal
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from contract.archives import EXAMPLES, example
from contract.conftest import MakeServer
from contract.driver import ServerProcess, VendorDirectory, wait_for
from contract.surfaces import as_problem
from platform_support.dap import DapClient

pytestmark = pytest.mark.server

COUNT_ORDERS = "SELECT count(*) AS orders FROM orders"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    for name in ("hello", "orders"):
        done = server.cli("module", "publish", EXAMPLES / name)
        assert done.status == 0, done.err
        assert f"Served at {server.address}/apps/{name}/" in done.out


def query(server: ServerProcess, sql: str | None, **more: Any) -> Any:
    answer = server.api("POST", "/api/v1/modules/orders/queries", json={"sql": sql, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_published_pages_answer_whoever_asks(server: ServerProcess) -> None:
    hello = server.api("GET", "/apps/hello/", token=None)
    assert (hello.status_code, "Hello, world." in hello.text, 'href="/apps/hello/"' in hello.text) == (200, True, True)
    orders = server.api("GET", "/apps/orders/", token=None, follow_redirects=True)
    assert orders.status_code == 200
    assert "Aldgate Bakery" in orders.text
    newest, *_ = server.api("GET", "/apps/orders/api/orders", token=None).json()
    assert newest["id"] == 1006
    moved = server.api("GET", "/apps/hello?a=1", token=None)
    assert (moved.status_code, moved.headers["location"]) == (308, "/apps/hello/?a=1")


def test_the_units_are_explained(server: ServerProcess) -> None:
    orders = server.get("/api/v1/modules/orders")
    kinds = [element["kind"] for element in orders["elements"]]
    assert (kinds.count("screen"), kinds.count("entity")) == (4, 5)
    assert orders["units"] == sum(element["weight"] for element in orders["elements"]) == 24
    assert all(element["why"] for element in orders["elements"])
    assert server.get("/api/v1/modules/hello")["units"] == 1
    assert server.units() == 25


def test_a_query_answers_columns_and_rows(server: ServerProcess) -> None:
    sql = "SELECT id, name, price_cents * :times AS price, NULL AS blank FROM products WHERE id <= :most ORDER BY id"
    answer = query(server, sql, parameters={"times": 2, "most": 2})
    assert [column["name"] for column in answer["columns"]] == ["id", "name", "price", "blank"]
    assert [column["type"] for column in answer["columns"][:2]] == ["integer", "text"]
    assert answer["rows"] == [[1, "Espresso cup", 1300, None], [2, "Cappuccino cup", 1780, None]]
    assert (answer["truncated"], answer["elapsed"] >= 0) == (False, True)
    by_position = query(server, "SELECT ? + ?", parameters=[1, 2])
    assert by_position["rows"] == [[3]]


def test_a_module_without_a_schema_is_queried_all_the_same(server: ServerProcess) -> None:
    done = server.cli("module", "query", "hello", "SELECT 1 AS one")
    assert (done.status, done.out.split()) == (0, ["ONE", "1"])
    assert done.err.startswith("1 row, ")
    published = server.cli("module", "publish", EXAMPLES / "hello", "--dry-run")
    assert " would be published: 1 Software Unit (1 before)." in published.out


def test_a_query_is_taken_back(server: ServerProcess) -> None:
    before = query(server, COUNT_ORDERS)["rows"]
    changed = query(server, "UPDATE products SET stock = 0")
    assert changed["changes"] == 7
    query(server, "DROP VIEW order_totals")
    assert query(server, COUNT_ORDERS)["rows"] == before
    assert query(server, "SELECT sum(stock) FROM products")["rows"] == [[855]]
    assert query(server, "SELECT count(*) FROM order_totals")["rows"] == [[6]]
    for sql in ("COMMIT", "ATTACH 'x.db' AS x", "PRAGMA user_version = 1", "VACUUM"):
        problem = as_problem(server.api("POST", "/api/v1/modules/orders/queries", json={"sql": sql}))
        assert problem["code"] in {"query_refused", "query_failed"}, problem


def test_a_query_has_caps(server: ServerProcess) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n"
    some = query(server, numbers, max_rows=3)
    assert (some["rows"], some["truncated"]) == ([[1], [2], [3]], True)
    most = query(server, numbers, max_rows=10_000)
    assert (len(most["rows"]), most["truncated"]) == (10_000, True)
    exact = query(server, "SELECT 1", max_rows=1)
    assert exact["truncated"] is False
    assert (
        as_problem(server.api("POST", "/api/v1/modules/orders/queries", json={"sql": numbers, "max_rows": 10_001}))[
            "status"
        ]
        == 400
    )
    began = time.monotonic()
    problem = as_problem(server.api("POST", "/api/v1/modules/orders/queries", json={"sql": ENDLESS}))
    assert problem["code"] == "query_timeout"
    assert time.monotonic() - began < 20
    assert server.api("GET", "/apps/orders/api/orders", token=None).status_code == 200


def test_a_wrong_query_says_where(server: ServerProcess) -> None:
    problem = as_problem(server.api("POST", "/api/v1/modules/orders/queries", json={"sql": "SELECT nme FROM products"}))
    assert (problem["code"], "nme" in problem["detail"], problem["position"]) == ("query_failed", True, 8)
    done = server.cli("module", "query", "orders", "SELECT nme FROM products")
    assert (done.status, done.out, done.message) == (3, "", problem["detail"])
    missing = server.cli("module", "query", "nothing", "SELECT 1")
    assert (missing.status, missing.out) == (1, "")


def test_the_queries_a_module_brings_along_are_listed_and_asked_by_name(server: ServerProcess) -> None:
    listed = {entry["name"]: entry for entry in server.get("/api/v1/modules/orders/queries")}
    assert {name: entry["parameters"] for name, entry in listed.items()} == {
        "best_customers": [{"name": "since", "type": None}],
        "low_stock": [{"name": "at_most", "type": None}],
        "waiting_orders": [{"name": "before", "type": None}],
    }
    assert listed["low_stock"]["file"] == "queries/low_stock.sql"
    assert listed["low_stock"]["title"].startswith("What runs out?")
    assert "FROM products" in listed["low_stock"]["sql"]
    assert server.get("/api/v1/modules/hello/queries") == []
    answer = query(server, None, name="low_stock", parameters={"at_most": 3})
    assert [row[0] for row in answer["rows"]] == ["MCH-2G", "FLT-100"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "nothing"}, 404, "unknown_query"),
        ({"name": "../module"}, 404, "unknown_query"),
        ({"name": ""}, 400, "bad_request"),
        ({"name": "x" * 64}, 400, "bad_request"),
        ({"name": "low_stock", "sql": "SELECT 1"}, 400, "bad_request"),
        ({"name": "low_stock"}, 422, "query_failed"),
    ],
)
def test_a_query_that_cannot_be_asked_by_name(
    server: ServerProcess, body: dict[str, Any], status: int, code: str
) -> None:
    problem = as_problem(server.api("POST", "/api/v1/modules/orders/queries", json=body))
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem.get("file") == ("queries/low_stock.sql" if status == 422 else None)


def test_the_command_line_asks_by_name_and_shows_plans(server: ServerProcess) -> None:
    listed = server.cli("module", "queries", "orders").out
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["@best_customers", "@low_stock", "@waiting_orders"]
    done = server.cli("module", "query", "orders", "@waiting_orders", "--param", "before:date=2026-03-03")
    assert (done.status, "Noordzee Catering" in done.out) == (0, True)
    planned = server.cli("module", "query", "orders", "SELECT * FROM orders WHERE customer_id = 1", "--plan")
    assert planned.out == "SEARCH orders USING INDEX orders_by_customer (customer_id=?)\n"
    wrong = server.cli("module", "query", "orders", "@waiting_orders", "--param", "before:date=yesterday")
    assert (wrong.status, wrong.message) == (3, "'yesterday' is no date. Write it as 2026-03-01.")
    unknown = server.cli("module", "query", "orders", "@nothing")
    assert (unknown.status, "There is: best_customers, low_stock, waiting_orders." in unknown.message) == (1, True)
    assert server.cli("module", "query", "orders", "SELECT :a", "--param", "a:=1").status == 2


def test_the_command_line_queries_with_parameters(server: ServerProcess) -> None:
    sql = "SELECT name, stock FROM products WHERE stock <= :at_most ORDER BY stock"
    done = server.cli("module", "query", "orders", sql, "--param", "at_most=3")
    assert done.status == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["NAME", "Espresso", "Paper"]
    as_json = server.cli("module", "query", "orders", sql, "--param", "at_most=3", "--max-rows", 1, "--json").json()
    assert (as_json["rows"], as_json["truncated"]) == ([["Espresso machine, two groups", 0]], True)


def test_numbers_on_the_command_line_are_numbers(server: ServerProcess) -> None:
    sql = "SELECT typeof(:a), typeof(:b), typeof(:c), typeof(:d), typeof(:e)"
    options = ("a=5", "b=0.5", "c=2026-01-01", 'd="5"', "e=null")
    typed = server.cli("module", "query", "orders", sql, *(f"--param={option}" for option in options), "--json")
    assert typed.json()["rows"] == [["integer", "real", "text", "text", "null"]]
    grouped = "SELECT customer_id, count(*) AS c FROM orders GROUP BY 1 HAVING c > :n"
    assert server.cli("module", "query", "orders", grouped, "--param", "n=0", "--json").json()["rows"]
    twice = server.cli("module", "query", "orders", "SELECT :a", "--param", "a=1", "--param", "a=2")
    assert (twice.status, "given twice" in twice.err) == (2, True)


def test_a_request_waits_while_its_module_starts_again(server: ServerProcess) -> None:
    pid = server.get("/api/v1/modules/orders")["worker"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server.get("/api/v1/modules/orders")["worker"]["pid"] != pid)
    assert server.api("GET", "/apps/orders/api/orders", token=None).status_code == 200
    server.restart()
    wait_for(lambda: server.api("GET", "/readyz", token=None).status_code == 200)
    assert server.api("GET", "/apps/orders/api/orders", token=None).status_code == 200
    assert server.api("GET", "/apps/hello/", token=None).status_code == 200


def test_a_run_is_private(server: ServerProcess) -> None:
    started = server.api("POST", "/api/v1/runs", content=example("orders"))
    assert started.status_code == 201
    run = started.json()
    assert run["url"] == f"/personal/{run['id']}/"
    order = {"customer_id": 1, "lines": [{"product_id": 1, "quantity": 2}]}
    assert server.api("POST", f"{run['url']}api/orders", json=order).status_code == 201
    assert query(server, COUNT_ORDERS)["rows"] == [[6]]
    assert server.get(f"/api/v1/runs/{run['id']}")["alive"] is True
    assert server.cli("module", "stop", run["id"]).status == 0
    assert as_problem(server.api("GET", run["url"]))["code"] == "unknown_instance"
    assert as_problem(server.api("GET", f"/api/v1/runs/{run['id']}"))["code"] == "unknown_instance"


def test_a_debug_session_speaks_the_debug_adapter_protocol(server: ServerProcess) -> None:
    done = server.cli("module", "debug", EXAMPLES / "hello", "--json")
    assert done.status == 0, done.err
    session = done.json()
    with DapClient(session["host"], session["port"]) as client:
        client.attach()
        client.configured()
        assert server.api("GET", session["url"]).status_code == 200
        client.request("disconnect", terminateDebuggee=False)
    assert server.api("DELETE", f"/api/v1/debug-sessions/{session['id']}").status_code == 200
    assert server.get("/api/v1/debug-sessions") == []
    with pytest.raises(ConnectionRefusedError):
        DapClient(session["host"], session["port"])


def test_a_private_instance_is_stopped_when_its_time_is_up(new_server: MakeServer, vendor: VendorDirectory) -> None:
    server = new_server("--instances-last", "2s")
    server.installed(vendor.issue(serial=server.serial))
    for kind in ("runs", "debug-sessions"):
        started = server.api("POST", f"/api/v1/{kind}", content=example("hello")).json()
        begun, ended = (datetime.fromisoformat(started[name]) for name in ("started_at", "expires_at"))
        assert ended - begun == timedelta(seconds=2)
        wait_for(lambda url=started["url"]: server.api("GET", url).status_code == 404)  # type: ignore[misc]
        assert as_problem(server.api("GET", f"/api/v1/{kind}/{started['id']}"))["code"] == "unknown_instance"
    stopped = {("run.stopped", "this server"), ("debug.stopped", "this server")}
    wait_for(lambda: stopped <= {(event["event"], event["actor"]) for event in server.get("/api/v1/audit")})
    assert list((server.data / "runs").iterdir()) == []


def test_private_instances_show_what_they_print(server: ServerProcess) -> None:
    run = server.api("POST", "/api/v1/runs", content=example("hello")).json()
    wait_for(lambda: server.api("GET", run["url"]).status_code == 200)
    assert isinstance(server.get(f"/api/v1/runs/{run['id']}")["output"], str)
    server.api("DELETE", f"/api/v1/runs/{run['id']}")


def test_deleting_keeps_the_database_aside(server: ServerProcess) -> None:
    done = server.cli("module", "delete", "orders", "--json")
    assert (done.status, done.json()["deleted"]) == (0, True)
    assert (server.data / "deleted" / done.json()["database_kept_as"]).is_file()
    assert as_problem(server.api("GET", "/apps/orders/"))["code"] == "unknown_module"
    again = server.cli("module", "delete", "orders")
    assert (again.status, again.message) == (1, "No module named 'orders' is published on this server.")
    assert server.publish(example("orders")).status_code == 201
    assert query(server, COUNT_ORDERS)["rows"] == [[6]]
