"""What the module changes. Call these inside `Database.writing()`: a refusal then leaves everything as it was.

The rules: an order takes its products from the stock at once, or is refused whole. An open order may be
shipped, or cancelled, which gives its products back. A shipped order stays.
"""

from sqlite3 import Connection

from orders import queries
from orders.model import Conflict, NewLine, NewOrder, NotThere, Order, Refusal

_NEW_ORDER = """
INSERT INTO orders (customer_id, ordered_at)
SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', 'now') FROM customers WHERE id = :customer_id
RETURNING id
"""

# The condition is part of the statement: stock that is not there cannot be taken.
_TAKE = """
UPDATE products SET stock = stock - :quantity
 WHERE id = :product_id AND stock >= :quantity
RETURNING price_cents
"""

_NEW_LINE = "INSERT INTO order_lines VALUES (:order_id, :product_id, :quantity, :unit_price_cents)"

_SHIP = """
UPDATE orders SET shipped_at = max(ordered_at, strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) WHERE id = :order_id
"""

_GIVE_BACK = """
UPDATE products SET stock = stock + order_lines.quantity
  FROM order_lines
 WHERE order_lines.product_id = products.id AND order_lines.order_id = :order_id
"""


def place(connection: Connection, new: NewOrder) -> Order:
    """Enter an order and take its products from the stock. Refused: unknown names, too little stock."""
    if len({line.product_id for line in new.lines}) < len(new.lines):
        raise Refusal("A product is in the order twice. Put it into one line, with the sum of the quantities.")
    row = connection.execute(_NEW_ORDER, {"customer_id": new.customer_id}).fetchone()
    if row is None:
        raise NotThere(f"There is no customer {new.customer_id}.")
    for line in new.lines:
        price_cents = _take(connection, line)
        connection.execute(
            _NEW_LINE,
            {
                "order_id": row["id"],
                "product_id": line.product_id,
                "quantity": line.quantity,
                "unit_price_cents": price_cents,
            },
        )
    return queries.order(connection, row["id"])


def ship(connection: Connection, order_id: int) -> Order:
    """Mark an open order as shipped, now."""
    _require_open(connection, order_id, "cannot be shipped again")
    connection.execute(_SHIP, {"order_id": order_id})
    return queries.order(connection, order_id)


def cancel(connection: Connection, order_id: int) -> None:
    """Delete an open order and give its products back to the stock."""
    _require_open(connection, order_id, "cannot be cancelled")
    connection.execute(_GIVE_BACK, {"order_id": order_id})
    connection.execute("DELETE FROM orders WHERE id = :order_id", {"order_id": order_id})


def _take(connection: Connection, line: NewLine) -> int:
    """Take a line's quantity from the stock and answer the price of one, in cents."""
    values = {"product_id": line.product_id, "quantity": line.quantity}
    taken = connection.execute(_TAKE, values).fetchone()
    if taken is not None:
        return int(taken["price_cents"])
    product = connection.execute("SELECT name, stock FROM products WHERE id = :product_id", values).fetchone()
    if product is None:
        raise NotThere(f"There is no product {line.product_id}.")
    raise Conflict(f"{product['name']}: {line.quantity} ordered, but only {product['stock']} in stock.")


def _require_open(connection: Connection, order_id: int, otherwise: str) -> None:
    order = queries.order(connection, order_id)
    if order.status != "open":
        raise Conflict(f"Order {order_id} was shipped at {order.shipped_at} and {otherwise}.")
