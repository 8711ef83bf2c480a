"""The application: pages and API over one database, and what holds for every request and answer."""

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.logging import LoggingConfig
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.types import Message, Scope

from orders.api import api
from orders.database import Database
from orders.links import link, root_path
from orders.model import Refusal
from orders.pages import pages

MAX_BODY = 64 * 1024  # bytes; the largest order is a tenth of that

PACKAGE = Path(__file__).parent
TEMPLATES = [PACKAGE.parent / "screens", PACKAGE / "templates"]

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app(database: Database) -> Litestar:
    """Put the application together over `database`."""
    return Litestar(
        route_handlers=[pages, api],
        dependencies={"database": Provide(lambda: database, sync_to_thread=False)},
        guards=[refuse_other_sites],
        on_startup=[database.require],
        before_send=[add_security_headers],
        exception_handlers={Exception: explain, HTTPException: explain},
        template_config=TemplateConfig(instance=template_engine()),
        logging_config=LoggingConfig(log_exceptions="always", disable_stack_trace=set(range(400, 500))),
        request_max_body_size=MAX_BODY,
        openapi_config=None,  # its routes would be operations of this module
    )


def template_engine() -> JinjaTemplateEngine:
    """Jinja with everything escaped, and what the screens use: `link`, `euros` and `moment`."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["euros"] = lambda cents: f"€ {cents / 100:,.2f}"
    environment.filters["moment"] = lambda utc: utc[:16].replace("T", " ") + " UTC"
    engine = JinjaTemplateEngine(engine_instance=environment)
    engine.register_template_callable("link", lambda context, name, **to: link(context["request"], name, **to))
    return engine


def explain(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Say why there is no better answer: as JSON below `/api`, as a page elsewhere."""
    status, message, headers = 500, "Something went wrong here. Its cause is in the server's log.", None
    if isinstance(error, Refusal):
        status, message = error.status_code, str(error)
    elif isinstance(error, NotFoundException):
        status, message = 404, "There is nothing at this address."
    elif isinstance(error, HTTPException):
        status, headers = error.status_code, error.headers
        message = _faults(error) or error.detail
    if request.scope["path"].removeprefix(root_path(request)).startswith("/api/"):
        return Response({"status_code": status, "detail": message}, status_code=status, headers=headers)
    return Template("error.html", context={"status": status, "message": message}, status_code=status, headers=headers)


def refuse_other_sites(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a form or script of another web site that writes in a user's name. Browsers tell, programs don't."""
    site = connection.headers.get("sec-fetch-site", "none")
    if connection.scope.get("method", "GET") not in ("GET", "HEAD", "OPTIONS") and site not in ("same-origin", "none"):
        raise PermissionDeniedException("This was sent from another web site. Use the module's own pages.")


async def add_security_headers(message: Message, scope: Scope) -> None:  # noqa: ARG001 -- Litestar passes both
    """Let the browser load and send nothing but what is the module's own."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value


def _faults(error: HTTPException) -> str:
    """Say what is wrong with which value, where Litestar's validation lists that."""
    faults = error.extra if isinstance(error.extra, list) else []
    return "; ".join(f"{fault.get('key', 'body')}: {fault['message']}" for fault in faults)


app = create_app(Database(Path(os.environ.get("PLACET_MODULE_DATABASE", "orders.db"))))
