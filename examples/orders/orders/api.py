"""The JSON API under `/api`: the same rules as the pages, for programs."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post

from orders import changes, queries
from orders.database import Database
from orders.links import link
from orders.model import (
    Customer,
    Day,
    NewOrder,
    Order,
    OrderNumber,
    OrderTotal,
    Product,
    SalesReport,
    Search,
    StatusFilter,
)


@get("/orders", sync_to_thread=True)
def list_orders(database: Database, search: Search = "", status: StatusFilter = "") -> tuple[OrderTotal, ...]:
    """Find the newest orders, at most 100."""
    with database.reading() as connection:
        return queries.orders(connection, search=search, status=status)


@post("/orders", sync_to_thread=True)
def place_order(request: Request[Any, Any, Any], database: Database, data: NewOrder) -> Response[Order]:
    """Enter an order. 404: no such customer or product; 409: not enough in stock."""
    with database.writing() as connection:
        order = changes.place(connection, data)
    return Response(order, headers={"Location": link(request, "api_order", order_id=order.id)})


@get("/orders/{order_id:int}", name="api_order", sync_to_thread=True)
def show_order(database: Database, order_id: OrderNumber) -> Order:
    """One order with its lines."""
    with database.reading() as connection:
        return queries.order(connection, order_id)


@delete("/orders/{order_id:int}", sync_to_thread=True)
def cancel_order(database: Database, order_id: OrderNumber) -> None:
    """Cancel an open order; its products go back to the stock. 409: it was shipped."""
    with database.writing() as connection:
        changes.cancel(connection, order_id)


@post("/orders/{order_id:int}/ship", status_code=200, sync_to_thread=True)
def ship_order(database: Database, order_id: OrderNumber) -> Order:
    """Ship an open order. 409: it was shipped before."""
    with database.writing() as connection:
        return changes.ship(connection, order_id)


@get("/customers", sync_to_thread=True)
def list_customers(database: Database) -> tuple[Customer, ...]:
    """All customers."""
    with database.reading() as connection:
        return queries.customers(connection)


@get("/products", sync_to_thread=True)
def list_products(database: Database) -> tuple[Product, ...]:
    """All products, with what is in stock."""
    with database.reading() as connection:
        return queries.products(connection)


@get("/reports/sales", sync_to_thread=True)
def report_sales(database: Database, since: Day = "", until: Day = "") -> SalesReport:
    """Sales between two days, both included."""
    with database.reading() as connection:
        return queries.sales(connection, since=since, until=until)


api = Router(
    "/api",
    route_handlers=[
        list_orders,
        place_order,
        show_order,
        cancel_order,
        ship_order,
        list_customers,
        list_products,
        report_sales,
    ],
)
