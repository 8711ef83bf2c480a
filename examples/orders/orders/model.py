"""The values of the module: what comes in (checked, with caps), what goes out, and how a wish is refused.

Money is in euro cents; moments and days are UTC text (`2026-03-02T09:15:00Z`, `2026-03-02`).
"""

from typing import Annotated, Literal

from litestar.params import Parameter
from msgspec import Meta, Struct

MAX_ID = 2**53 - 1  # what every JSON reader can hold
MAX_QUANTITY = 1000
MAX_LINES = 50

Status = Literal["open", "shipped"]

# In an address. An empty filter filters nothing: that is what a form sends for a field left empty.
OrderNumber = Annotated[int, Parameter(ge=1, le=MAX_ID)]
Search = Annotated[str, Parameter(max_length=80)]
StatusFilter = Literal["", "open", "shipped"]
Day = Annotated[str, Parameter(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", max_length=10)]

# In a body.
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class NewLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of one product."""

    product_id: Id
    quantity: Quantity


class NewOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer orders: 1 to 50 lines, each of another product."""

    customer_id: Id
    lines: Annotated[tuple[NewLine, ...], Meta(min_length=1, max_length=MAX_LINES)]


class Customer(Struct, frozen=True, kw_only=True):
    """Somebody who may order."""

    id: int
    name: str
    city: str


class Product(Struct, frozen=True, kw_only=True):
    """Something that may be ordered; `stock` is what no order has taken yet."""

    id: int
    sku: str
    name: str
    price_cents: int
    stock: int


class OrderTotal(Struct, frozen=True, kw_only=True):
    """One row of the view `order_totals`: an order without its lines."""

    id: int
    customer_id: int
    customer: str
    status: Status
    ordered_at: str
    shipped_at: str | None
    items: int
    total_cents: int


class OrderLine(Struct, frozen=True, kw_only=True):
    """A line of an order, at the price that was agreed."""

    product_id: int
    sku: str
    product: str
    quantity: int
    unit_price_cents: int
    total_cents: int


class Order(OrderTotal, frozen=True, kw_only=True):
    """An order and its lines."""

    lines: tuple[OrderLine, ...]


class Sales(Struct, frozen=True, kw_only=True):
    """Orders, items and revenue of one product, one month, or everything (`name` says which)."""

    name: str
    orders: int
    items: int
    revenue_cents: int


class SalesReport(Struct, frozen=True, kw_only=True):
    """The sales between two days, both included; an empty day is no bound."""

    since: str
    until: str
    total: Sales
    by_product: tuple[Sales, ...]
    by_month: tuple[Sales, ...]


class Refusal(Exception):
    """What was asked for cannot be had; the message tells the user why."""

    status_code = 400


class NotThere(Refusal):
    """It names something that does not exist."""

    status_code = 404


class Conflict(Refusal):
    """It does not fit the state of things: out of stock, shipped already."""

    status_code = 409
