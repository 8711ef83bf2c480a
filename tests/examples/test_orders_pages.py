"""examples/orders: the pages, in a browser's manner of speaking."""

import sqlite3
from html import escape
from html.parser import HTMLParser

import httpx2
import pytest

PREFIX = "/apps/orders"
SCREENS = ["/", "/orders/1005", "/orders/new", "/reports/sales"]
HOSTILE = "<script>alert('1')</script><b title=\"x\" &amp;"


class Page(HTMLParser):
    """What a page links and posts to, and what it should not have."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(values)
        if values.get("href"):
            self.links.append(values["href"] or "")
        if tag == "form":
            self.forms.append((values.get("method") or "get", values["action"] or ""))


def form(customer: str = "1", **quantities: str) -> dict[str, str]:
    return {"customer_id": customer} | {name.replace("_", "-"): value for name, value in quantities.items()}


@pytest.mark.parametrize("path", [*SCREENS, "/orders/4711"])
def test_every_link_and_form_is_under_the_prefix_and_leads_somewhere(orders: httpx2.Client, path: str) -> None:
    page = Page(orders.get(path).text)
    targets = [link for link in page.links if not link.startswith("#")]
    targets += [action for method, action in page.forms if method == "get"]
    assert len(targets) >= 4
    for target in targets:
        assert target.startswith(f"{PREFIX}/")
        assert orders.get(target.removeprefix(PREFIX)).status_code == 200
    assert all(action.startswith(f"{PREFIX}/") for _, action in page.forms)


@pytest.mark.parametrize("path", SCREENS)
def test_pages_are_whole_and_need_nothing_from_elsewhere(orders: httpx2.Client, path: str) -> None:
    answer = orders.get(path)
    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.text.startswith('<!doctype html>\n<html lang="en">')
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("title") == 1
    assert not {"script", "style", "img", "iframe"} & set(page.tags)
    assert not {name for name in page.attributes if name == "style" or name.startswith("on")}
    assert not [link for link in page.links if "//" in link]


def test_the_style_sheet_is_served(orders: httpx2.Client) -> None:
    answer = orders.get("/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in answer.text
    assert "@import" not in answer.text


def test_the_list_searches_and_remembers_what_was_asked(orders: httpx2.Client) -> None:
    html = orders.get("/", params={"search": "aldgate", "status": "open"}).text
    assert "Orders found: 1" in html
    assert f'<a href="{PREFIX}/orders/1005">1005</a>' in html
    assert "1001" not in html
    assert 'value="aldgate"' in html
    assert '<option value="open" selected>' in html
    assert "No order matches." in orders.get("/", params={"search": "nobody"}).text


def test_an_open_order_offers_to_be_shipped_and_is(orders: httpx2.Client) -> None:
    html = orders.get("/orders/1005").text
    assert "Aldgate Bakery" in html
    assert "€ 236.80" in html
    assert ("post", f"{PREFIX}/orders/1005/ship") in Page(html).forms
    answer = orders.post("/orders/1005/ship")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/orders/1005")
    after = orders.get("/orders/1005").text
    assert "shipped" in after
    assert Page(after).forms == []
    again = orders.post("/orders/1005/ship")
    assert again.status_code == 409
    assert "Order 1005 was shipped at" in again.text


def test_an_order_is_placed_with_the_form(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    answer = orders.post("/orders", data=form("4", quantity_3="2", quantity_5="", quantity_1="0"))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/orders/1007")
    html = orders.get("/orders/1007").text
    assert "Mercado do Bolhão" in html
    assert "€ 378.00" in html
    assert database.execute("SELECT stock FROM products WHERE id = 3").fetchone() == (10,)


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"note": "x"}, 400, "Choose a customer."),
        (form(""), 400, "Choose a customer."),
        (form("1"), 400, "Enter a quantity for at least one product, and for 50 at most."),
        (form("1", **{f"quantity_{n}": "1" for n in range(1, 52)}), 400, "and for 50 at most."),
        (form("1", quantity_3="two"), 400, "A quantity is a whole number from 1 to 1000."),
        (form("1", quantity_3="-1"), 400, "A quantity is a whole number from 1 to 1000."),
        (form("1", quantity_3="1001"), 400, "A quantity is a whole number from 1 to 1000."),
        (form("1", quantity_x="1"), 400, "A quantity is a whole number from 1 to 1000."),
        (form("1", quantity_3="13"), 409, "Burr grinder: 13 ordered, but only 12 in stock."),
        (form("77", quantity_3="1"), 404, "There is no customer 77."),
    ],
)
def test_a_refused_form_comes_back_with_the_reason(
    orders: httpx2.Client, database: sqlite3.Connection, fields: dict[str, str], status: int, message: str
) -> None:
    before = list(database.iterdump())
    answer = orders.post("/orders", data=fields)
    assert answer.status_code == status
    assert message in answer.text
    assert "<h1>New order</h1>" in answer.text
    assert list(database.iterdump()) == before


def test_a_refused_form_keeps_what_was_entered(orders: httpx2.Client) -> None:
    html = orders.post("/orders", data=form("2", quantity_3="13", quantity_5="7")).text
    assert '<option value="2" selected>' in html
    assert 'name="quantity-3" value="13"' in html
    assert 'name="quantity-5" value="7"' in html


def test_fields_sent_twice_and_other_bodies_are_refused(orders: httpx2.Client) -> None:
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    for body in ("customer_id=1&quantity-3=1&quantity-3=2", "customer_id=1&customer_id=2&quantity-3=1", "%ff=%00", ""):
        assert orders.post("/orders", content=body, headers=urlencoded).status_code == 400


def test_the_sales_report_shows_its_days(orders: httpx2.Client) -> None:
    html = orders.get("/reports/sales", params={"since": "2026-02-01", "until": "2026-02-28"}).text
    assert "2 orders, 35 items, <strong>€ 903.20</strong>" in html
    assert 'name="since" value="2026-02-01"' in html
    assert "Nothing was ordered" in orders.get("/reports/sales", params={"since": "2030-01-01"}).text


def test_hostile_names_are_shown_as_text(orders: httpx2.Client, database: sqlite3.Connection) -> None:
    database.execute("UPDATE customers SET name = ?, city = ? WHERE id = 1", [HOSTILE, HOSTILE])
    database.execute("UPDATE products SET name = ?", [HOSTILE])
    for path in SCREENS:
        html = orders.get(path).text
        assert "<script" not in html
        assert "<b title" not in html
        assert escape(HOSTILE) in html.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/", {"search": HOSTILE}),
        ("GET", "/", {"status": HOSTILE}),
        ("GET", "/reports/sales", {"since": HOSTILE}),
        ("POST", "/orders", {"customer_id": HOSTILE, "quantity-3": HOSTILE}),
    ],
)
def test_hostile_input_comes_back_as_text(
    orders: httpx2.Client, method: str, path: str, fields: dict[str, str]
) -> None:
    answer = orders.get(path, params=fields) if method == "GET" else orders.post(path, data=fields)
    assert answer.status_code in (200, 400)
    assert "<script" not in answer.text
    assert "<b title" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing", 404), ("/orders/4711", 404), ("/orders/0", 400), ("/?status=lost", 400)]
)
def test_errors_are_pages_with_a_way_back(orders: httpx2.Client, path: str, status: int) -> None:
    answer = orders.get(path)
    assert answer.status_code == status
    assert ("There is nothing at this address." in answer.text) == (path == "/nothing")
    assert "<h1>That did not work</h1>" in answer.text
    assert f'<a href="{PREFIX}/">Back to all orders</a>' in answer.text
