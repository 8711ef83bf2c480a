"""What the module reads. Each function takes a connection and answers values; SQL does the work."""

from sqlite3 import Connection

from msgspec import convert

from orders.model import Customer, NotThere, Order, OrderTotal, Product, Sales, SalesReport

MAX_ORDERS = 100

_ORDERS = """
SELECT * FROM order_totals
 WHERE (:status = '' OR status = :status)
   AND (:search = '' OR instr(lower(customer), lower(:search)) OR CAST(id AS TEXT) = :search)
 ORDER BY id DESC
 LIMIT :most
"""

_LINES = """
SELECT products.id AS product_id, products.sku, products.name AS product, order_lines.quantity,
       order_lines.unit_price_cents, order_lines.quantity * order_lines.unit_price_cents AS total_cents
  FROM order_lines
  JOIN products ON products.id = order_lines.product_id
 WHERE order_lines.order_id = :order_id
 ORDER BY products.sku
"""

_TOTAL = """
SELECT 'all' AS name, count(*) AS orders, coalesce(sum(items), 0) AS items,
       coalesce(sum(total_cents), 0) AS revenue_cents
  FROM order_totals
 WHERE (:since = '' OR date(ordered_at) >= :since) AND (:until = '' OR date(ordered_at) <= :until)
"""

_BY_MONTH = """
SELECT strftime('%Y-%m', ordered_at) AS name, count(*) AS orders, sum(items) AS items,
       sum(total_cents) AS revenue_cents
  FROM order_totals
 WHERE (:since = '' OR date(ordered_at) >= :since) AND (:until = '' OR date(ordered_at) <= :until)
 GROUP BY 1
 ORDER BY 1
"""

# From the left: a product nobody bought is news in a sales report.
_BY_PRODUCT = """
WITH sold AS (
  SELECT order_lines.*
    FROM order_lines
    JOIN orders ON orders.id = order_lines.order_id
   WHERE (:since = '' OR date(ordered_at) >= :since) AND (:until = '' OR date(ordered_at) <= :until)
)
SELECT products.name, count(sold.order_id) AS orders, coalesce(sum(sold.quantity), 0) AS items,
       coalesce(sum(sold.quantity * sold.unit_price_cents), 0) AS revenue_cents
  FROM products
  LEFT JOIN sold ON sold.product_id = products.id
 GROUP BY products.id
 ORDER BY revenue_cents DESC, products.name
"""


def orders(connection: Connection, *, search: str, status: str) -> tuple[OrderTotal, ...]:
    """Find the newest orders, at most 100, whose customer's name contains `search`, or whose number it is."""
    found = connection.execute(_ORDERS, {"search": search, "status": status, "most": MAX_ORDERS})
    return convert(found.fetchall(), tuple[OrderTotal, ...])


def order(connection: Connection, order_id: int) -> Order:
    """Look up one order with its lines, or raise `NotThere`."""
    values = {"order_id": order_id}
    total = connection.execute("SELECT * FROM order_totals WHERE id = :order_id", values).fetchone()
    if total is None:
        raise NotThere(f"There is no order {order_id}.")
    return convert(total | {"lines": connection.execute(_LINES, values).fetchall()}, Order)


def customers(connection: Connection) -> tuple[Customer, ...]:
    """List all customers, by name."""
    return convert(
        connection.execute("SELECT id, name, city FROM customers ORDER BY name").fetchall(), tuple[Customer, ...]
    )


def products(connection: Connection) -> tuple[Product, ...]:
    """List all products, by name."""
    return convert(
        connection.execute("SELECT id, sku, name, price_cents, stock FROM products ORDER BY name").fetchall(),
        tuple[Product, ...],
    )


def sales(connection: Connection, *, since: str, until: str) -> SalesReport:
    """Add up what was ordered from `since` to `until`, both included."""
    days = {"since": since, "until": until}
    return SalesReport(
        since=since,
        until=until,
        total=convert(connection.execute(_TOTAL, days).fetchone(), Sales),
        by_product=convert(connection.execute(_BY_PRODUCT, days).fetchall(), tuple[Sales, ...]),
        by_month=convert(connection.execute(_BY_MONTH, days).fetchall(), tuple[Sales, ...]),
    )
