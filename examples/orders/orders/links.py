"""Addresses of the module's own pages, wherever it is served: ASGI's `root_path` goes in front."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection


def root_path(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the prefix: `/apps/orders` when published, `/personal/<id>` in a private run, or nothing."""
    return connection.scope.get("root_path", "").rstrip("/")


def link(request: Request[Any, Any, Any], name: str, **parameters: Any) -> str:
    """Return the address of the operation `name`, without scheme and host: the browser knows those."""
    return root_path(request) + request.app.route_reverse(name, **parameters)
