"""The pages: each renders one of the screens, or does something and sends the browser on to one."""

from pathlib import Path
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Template
from msgspec import ValidationError, convert

from orders import changes, queries
from orders.database import Database
from orders.links import link
from orders.model import MAX_LINES, MAX_QUANTITY, Day, NewOrder, OrderNumber, Refusal, Search, StatusFilter

STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")

Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/", name="orders", sync_to_thread=True)
def list_orders(database: Database, search: Search = "", status: StatusFilter = "") -> Template:
    """List the newest orders, with a search."""
    with database.reading() as connection:
        found = queries.orders(connection, search=search, status=status)
    return Template(
        "orders.html",
        context={"orders": found, "most": queries.MAX_ORDERS, "search": search, "status": status},
    )


@get("/orders/new", name="new_order", sync_to_thread=True)
def new_order(database: Database) -> Template:
    """Show the form for an order."""
    return _order_form(database, entered={})


@post("/orders", name="place_order", sync_to_thread=True)
def place_order(request: Request[Any, Any, Any], database: Database, data: Form) -> Response[Any]:
    """Enter the order and show it; or show the form again, as it was filled in, with what is wrong."""
    try:
        new = _read_order(data)
        with database.writing() as connection:
            order = changes.place(connection, new)
    except Refusal as refusal:
        return _order_form(database, entered=data, refusal=refusal)
    return Redirect(link(request, "order", order_id=order.id), status_code=303)


@get("/orders/{order_id:int}", name="order", sync_to_thread=True)
def show_order(database: Database, order_id: OrderNumber) -> Template:
    """Show one order with its lines."""
    with database.reading() as connection:
        return Template("order.html", context={"order": queries.order(connection, order_id)})


@post("/orders/{order_id:int}/ship", name="ship_order", sync_to_thread=True)
def ship_order(request: Request[Any, Any, Any], database: Database, order_id: OrderNumber) -> Redirect:
    """Ship the order and show it."""
    with database.writing() as connection:
        changes.ship(connection, order_id)
    return Redirect(link(request, "order", order_id=order_id), status_code=303)


@get("/reports/sales", name="sales", sync_to_thread=True)
def report_sales(database: Database, since: Day = "", until: Day = "") -> Template:
    """Show the sales between two days."""
    with database.reading() as connection:
        return Template("sales.html", context={"report": queries.sales(connection, since=since, until=until)})


@get("/style.css", name="style", media_type="text/css", sync_to_thread=False)
def style() -> Response[str]:
    """Serve the style sheet: a file of its own, so that the pages need no inline styles."""
    return Response(STYLE, headers={"Cache-Control": "max-age=300"})


def _read_order(form: dict[str, Any]) -> NewOrder:
    """Read the fields `customer_id` and `quantity-<product>`; a quantity left empty or 0 orders nothing."""
    lines = [
        {"product_id": name.removeprefix("quantity-"), "quantity": quantity}
        for name, quantity in form.items()
        if name.startswith("quantity-") and quantity not in ("", "0")
    ]
    if not form.get("customer_id"):
        raise Refusal("Choose a customer.")
    if not 1 <= len(lines) <= MAX_LINES:
        raise Refusal(f"Enter a quantity for at least one product, and for {MAX_LINES} at most.")
    try:
        return convert({"customer_id": form["customer_id"], "lines": lines}, NewOrder, strict=False)
    except ValidationError as error:
        raise Refusal(f"A quantity is a whole number from 1 to {MAX_QUANTITY}.") from error


def _order_form(database: Database, *, entered: dict[str, Any], refusal: Refusal | None = None) -> Template:
    with database.reading() as connection:
        context = {
            "customers": queries.customers(connection),
            "products": queries.products(connection),
            "max_quantity": MAX_QUANTITY,
            "entered": entered,
            "refusal": refusal,
        }
    return Template("new_order.html", context=context, status_code=refusal.status_code if refusal else 200)


pages = Router(
    "/",
    route_handlers=[list_orders, new_order, place_order, show_order, ship_order, report_sales, style],
)
