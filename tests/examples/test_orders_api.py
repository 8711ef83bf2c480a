"""examples/orders: the JSON API and the rules behind it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest


def stock(database: sqlite3.Connection, product: int) -> int:
    return int(database.execute("SELECT stock FROM products WHERE id = ?", [product]).fetchone()[0])


def order_of(*lines: tuple[int, int], customer: int = 1) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "lines": [{"product_id": product, "quantity": quantity} for product, quantity in lines],
    }


def test_orders_are_listed_newest_first(orders: httpx2.Client) -> None:
    found = orders.get("/api/orders").json()
    assert [order["id"] for order in found] == [1006, 1005, 1004, 1003, 1002, 1001]
    assert found[-1] == {
        "id": 1001,
        "customer_id": 1,
        "customer": "Aldgate Bakery",
        "status": "shipped",
        "ordered_at": "2026-01-12T08:40:00Z",
        "shipped_at": "2026-01-13T14:05:00Z",
        "items": 58,
        "total_cents": 51560,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "ALDGATE"}, [1005, 1001]),
        ({"search": "1003"}, [1003]),
        ({"search": "100"}, []),
        ({"search": "%"}, []),
        ({"search": "' OR 1=1 --"}, []),
        ({"search": "Lumière"}, [1003]),
        ({"status": "open"}, [1006, 1005, 1004]),
        ({"status": "shipped", "search": "aldgate"}, [1001]),
        ({"status": "", "search": ""}, [1006, 1005, 1004, 1003, 1002, 1001]),
    ],
)
def test_orders_are_searched(orders: httpx2.Client, query: dict[str, str], expected: list[int]) -> None:
    assert [order["id"] for order in orders.get("/api/orders", params=query).json()] == expected


def test_a_list_of_orders_ends_at_a_hundred(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    for number in range(2000, 2150):
        database.execute("INSERT INTO orders VALUES (?, 1, '2026-04-01T00:00:00Z', NULL)", [number])
        database.execute("INSERT INTO order_lines VALUES (?, 1, 1, 650)", [number])
    database.execute("COMMIT")
    assert [order["id"] for order in orders.get("/api/orders").json()] == list(range(2149, 2049, -1))


def test_one_order_has_its_lines_at_the_prices_agreed(orders: httpx2.Client) -> None:
    order = orders.get("/api/orders/1001").json()
    assert order["lines"] == [
        {
            "product_id": 5,
            "sku": "BNS-1K",
            "product": "House blend, 1 kg",
            "quantity": 10,
            "unit_price_cents": 2180,
            "total_cents": 21800,
        },
        {
            "product_id": 1,
            "sku": "CUP-S",
            "product": "Espresso cup",
            "quantity": 48,
            "unit_price_cents": 620,
            "total_cents": 29760,
        },
    ]


def test_customers_and_products_are_listed_by_name(orders: httpx2.Client) -> None:
    customers = orders.get("/api/customers").json()
    assert len(customers) == 5
    assert customers[0] == {"id": 1, "name": "Aldgate Bakery", "city": "London"}
    products = orders.get("/api/products").json()
    assert len(products) == 7
    assert products[0] == {
        "id": 3,
        "sku": "GRD-01",
        "name": "Burr grinder",
        "price_cents": 18900,
        "stock": 12,
    }


def test_an_order_is_placed_and_takes_from_the_stock(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    answer = orders.post("/api/orders", json=order_of((3, 2), (5, 10), customer=2))
    assert answer.status_code == 201
    assert answer.headers["location"] == "/apps/orders/api/orders/1007"
    order = answer.json()
    assert (order["id"], order["customer"], order["status"]) == (1007, "Café Lumière", "open")
    assert (order["items"], order["total_cents"]) == (12, 2 * 18900 + 10 * 2180)
    assert orders.get("/api/orders/1007").json() == order
    assert (stock(database, 3), stock(database, 5)) == (10, 390)


def test_a_later_price_leaves_an_order_alone(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    before = orders.post("/api/orders", json=order_of((3, 1))).json()
    database.execute("UPDATE products SET price_cents = 1 WHERE id = 3")
    assert orders.get(f"/api/orders/{before['id']}").json() == before


@pytest.mark.parametrize(
    ("order", "status", "message"),
    [
        (order_of((3, 13)), 409, "Burr grinder: 13 ordered, but only 12 in stock."),
        (order_of((5, 1), (7, 1)), 409, "Espresso machine, two groups: 1 ordered, but only 0 in stock."),
        (order_of((5, 1), customer=77), 404, "There is no customer 77."),
        (order_of((5, 1), (99, 1)), 404, "There is no product 99."),
        (
            order_of((5, 1), (5, 2)),
            400,
            "A product is in the order twice. Put it into one line, with the sum of the quantities.",
        ),
    ],
    ids=["too-little-stock", "out-of-stock", "unknown-customer", "unknown-product", "product-twice"],
)
def test_a_refused_order_changes_nothing(
    orders: httpx2.Client, database: sqlite3.Connection, order: dict[str, Any], status: int, message: str
) -> None:
    before = list(database.iterdump())
    answer = orders.post("/api/orders", json=order)
    assert answer.status_code == status
    assert answer.json() == {"status_code": status, "detail": message}
    assert list(database.iterdump()) == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "data"),
        (b"[]", "data: Expected `object`, got `array`"),
        (b'{"customer_id": 1, "lines": [', "truncated"),
        (b'{"customer_id": 1, "lines": []}', "lines: Expected `array` of length >= 1"),
        (b'{"customer_id": "one", "lines": [{"product_id": 5, "quantity": 1}]}', "customer_id: Expected `int`"),
        (b'{"customer_id": 1e30, "lines": [{"product_id": 5, "quantity": 1}]}', "customer_id: Expected `int`"),
        (b'{"customer_id": 1, "lines": [{"product_id": 5, "quantity": 0}]}', "lines[0].quantity: Expected `int` >= 1"),
        (b'{"customer_id": 1, "lines": [{"product_id": 5, "quantity": 1001}]}', "Expected `int` <= 1000"),
        (b'{"customer_id": 1, "lines": [{"product_id": 5, "quantity": true}]}', "Expected `int`, got `bool`"),
        (b'{"customer_id": 1, "lines": [{"product_id": 5, "quantity": 1}], "discount": 99}', "unknown field"),
        (
            b'{"customer_id": 1, "lines": [' + b",".join([b'{"product_id": 5, "quantity": 1}'] * 51) + b"]}",
            "length <= 50",
        ),
    ],
    ids=[
        "empty",
        "array",
        "truncated",
        "no-lines",
        "text-for-number",
        "float-for-number",
        "quantity-zero",
        "quantity-too-large",
        "quantity-true",
        "unknown-field",
        "51-lines",
    ],
)
def test_a_faulty_body_is_answered_with_its_fault(orders: httpx2.Client, body: bytes, message: str) -> None:
    answer = orders.post("/api/orders", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert message in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/orders", "/orders"])
def test_a_body_past_64_kib_is_refused(orders: httpx2.Client, path: str) -> None:
    kind = {"/orders": "application/x-www-form-urlencoded"}.get(path, "application/json")
    answer = orders.post(path, content=b" " * (64 * 1024 + 1), headers={"content-type": kind})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/orders/4711", 404),
        ("/api/orders/one", 404),
        ("/api/orders/0", 400),
        ("/api/orders/-1", 400),
        ("/api/orders/99999999999999999999999", 400),
        ("/api/orders/" + "9" * 5000, 404),
        ("/api/orders?status=lost", 400),
        ("/api/orders?search=" + "x" * 81, 400),
        ("/api/orders?search=%ff%00%ed%a0%80", 200),
        ("/api/reports/sales?since=yesterday", 400),
        ("/api/reports/sales?until=2026-01-01T00:00:00Z", 400),
        ("/api/reports/sales?since=" + "1" * 5000, 400),
        ("/api/nothing", 404),
    ],
)
def test_hostile_addresses_are_refused_in_json(orders: httpx2.Client, path: str, status: int) -> None:
    answer = orders.get(path)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["status_code"] == status
        assert len(answer.json()["detail"]) < 300


def test_two_buyers_cannot_both_get_the_last_one(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(10) as buyers:
        answers = list(buyers.map(lambda _: orders.post("/api/orders", json=order_of((3, 1))).status_code, range(30)))
    assert sorted(answers) == [201] * 12 + [409] * 18
    assert stock(database, 3) == 0


def test_an_open_order_is_shipped_once(orders: httpx2.Client) -> None:
    answer = orders.post("/api/orders/1005/ship")
    assert answer.status_code == 200
    assert answer.json()["status"] == "shipped"
    shipped_at = answer.json()["shipped_at"]
    again = orders.post("/api/orders/1005/ship")
    assert again.status_code == 409
    assert again.json()["detail"] == f"Order 1005 was shipped at {shipped_at} and cannot be shipped again."
    assert orders.post("/api/orders/4711/ship").json()["detail"] == "There is no order 4711."


def test_an_order_dated_ahead_of_the_clock_can_be_shipped(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    database.execute("UPDATE orders SET ordered_at = '2999-01-01T00:00:00Z' WHERE id = 1005")
    assert orders.post("/api/orders/1005/ship").json()["shipped_at"] == "2999-01-01T00:00:00Z"


def test_a_cancelled_order_gives_its_products_back(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    before = [stock(database, product) for product in range(1, 8)]
    number = orders.post("/api/orders", json=order_of((3, 12), (6, 3))).json()["id"]
    assert stock(database, 3) == 0
    answer = orders.delete(f"/api/orders/{number}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [stock(database, product) for product in range(1, 8)] == before
    assert orders.get(f"/api/orders/{number}").status_code == 404
    assert orders.delete(f"/api/orders/{number}").status_code == 404
    assert database.execute("SELECT count(*) FROM order_lines WHERE order_id = ?", [number]).fetchone() == (0,)


def test_the_number_of_a_cancelled_order_is_not_given_again(orders: httpx2.Client) -> None:
    number = orders.post("/api/orders", json=order_of((5, 1))).json()["id"]
    orders.delete(f"/api/orders/{number}")
    assert orders.post("/api/orders", json=order_of((5, 1))).json()["id"] == number + 1


def test_a_shipped_order_cannot_be_cancelled(orders: httpx2.Client) -> None:
    answer = orders.delete("/api/orders/1001")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Order 1001 was shipped at 2026-01-13T14:05:00Z and cannot be cancelled."
    assert orders.get("/api/orders/1001").status_code == 200


def test_the_sales_report_adds_up(orders: httpx2.Client) -> None:
    report = orders.get("/api/reports/sales").json()
    assert report["total"] == {"name": "all", "orders": 6, "items": 237, "revenue_cents": 766760}
    for part in ("by_product", "by_month"):
        assert sum(row["items"] for row in report[part]) == 237
        assert sum(row["revenue_cents"] for row in report[part]) == 766760
    assert [row["name"] for row in report["by_month"]] == ["2026-01", "2026-02", "2026-03"]
    assert report["by_product"][0]["name"] == "Espresso machine, two groups"


def test_the_sales_report_includes_both_days(orders: httpx2.Client) -> None:
    days = {"since": "2026-01-20", "until": "2026-02-03"}
    report = orders.get("/api/reports/sales", params=days).json()
    assert (report["since"], report["until"], report["total"]["orders"]) == ("2026-01-20", "2026-02-03", 2)
    kettle = next(row for row in report["by_product"] if row["name"] == "Gooseneck kettle")
    assert kettle == {"name": "Gooseneck kettle", "orders": 0, "items": 0, "revenue_cents": 0}


def test_no_sales_are_a_report_too(orders: httpx2.Client) -> None:
    report = orders.get("/api/reports/sales?since=2030-01-01").json()
    assert report["total"] == {"name": "all", "orders": 0, "items": 0, "revenue_cents": 0}
    assert report["by_month"] == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_web_sites_cannot_write(orders: httpx2.Client, site: str) -> None:
    for method, path in (("POST", "/orders/1005/ship"), ("DELETE", "/api/orders/1005"), ("POST", "/api/orders")):
        answer = orders.request(method, path, headers={"sec-fetch-site": site})
        assert answer.status_code == 403
        assert "another web site" in answer.text
    assert orders.get("/api/orders/1005", headers={"sec-fetch-site": site}).json()["status"] == "open"
    assert orders.post("/api/orders/1005/ship", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_a_fault_of_the_server_shows_no_insides_but_logs_them(
    orders: httpx2.Client, database: sqlite3.Connection, orders_directory: Path
) -> None:
    database.execute("DROP VIEW order_totals")
    for path in ("/", "/api/orders"):
        answer = orders.get(path)
        assert answer.status_code == 500
        assert "Something went wrong here" in answer.text
        assert "order_totals" not in answer.text
    log = (orders_directory / "log").read_text("utf-8")
    assert "no such table: order_totals" in log
