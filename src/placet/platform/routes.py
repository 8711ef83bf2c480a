"""Reads the operations of an ASGI application from its route table, whatever framework it is made with.

Runs in the child process that imports module code. Starlette, FastAPI and Litestar are known by the shape of their
route objects, so none of them has to be installed here. An operation is one method of one path:

- HEAD that comes with GET, and OPTIONS that a framework adds by itself, are not counted;
- routes whose handler is the framework's own (documentation, static files) are not counted;
- mounted applications and included routers are walked; one that shows no routes counts as one operation;
- a WebSocket route is one operation; a path and method named twice are one.
"""

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMEWORKS = frozenset(("starlette", "fastapi", "litestar"))
_HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_MAX_DEPTH = 32
_WRAPPERS = ("app", "_app", "application", "asgi_app")


def operations(application: Any) -> list[str]:
    """Return the operations of an application, sorted, as `GET /orders/{id}` or `WEBSOCKET /feed`."""
    found = {f"{method} {path}" for method, path in _walk(application, "", 0)}
    return sorted(found, key=lambda name: name.split(" ", 1)[::-1]) or ["ANY /"]


def _walk(application: Any, prefix: str, depth: int) -> "Iterator[tuple[str, str]]":
    """Yield method and path of everything `application` answers below `prefix`."""
    if depth > _MAX_DEPTH:
        return
    application = _without_middleware(application)
    if _has_routes(application):
        for route in application.routes:
            yield from _route(route, prefix, depth)
    elif not _is_framework_made(application):
        yield "ANY", prefix or "/"


def _without_middleware(application: Any) -> Any:
    """Look through wrapping middleware for the application that has the route table, or the innermost one."""
    for _ in range(_MAX_DEPTH):
        inner = next((getattr(application, name, None) for name in _WRAPPERS if hasattr(application, name)), None)
        if inner is None or _has_routes(application) or _is_static_files(application):
            break
        application = inner
    return application


def _has_routes(application: Any) -> bool:
    return isinstance(getattr(application, "routes", None), list | tuple)


def _route(route: Any, prefix: str, depth: int) -> "Iterator[tuple[str, str]]":
    path = prefix + str(getattr(route, "path", "") or "")
    if hasattr(route, "route_handlers"):
        yield from _litestar_http(route, prefix + str(route.path_format))
    elif hasattr(route, "route_handler"):
        yield from _litestar_other(route, path, depth)
    elif hasattr(route, "original_router"):
        context = getattr(route, "include_context", None)
        yield from _walk(route.original_router, prefix + str(getattr(context, "prefix", "")), depth + 1)
    elif hasattr(route, "endpoint"):
        yield from _endpoint(route, path)
    elif hasattr(route, "app"):
        host = str(getattr(route, "host", ""))
        yield from _walk(getattr(route, "_base_app", route.app), host + path, depth + 1)


def _endpoint(route: Any, path: str) -> "Iterator[tuple[str, str]]":
    if _is_framework_made(route.endpoint):
        return
    if not hasattr(route, "methods"):
        yield "WEBSOCKET", path
        return
    methods = set(route.methods or _class_methods(route.endpoint) or ("ANY",))
    for method in _counted(methods):
        yield method, path


def _class_methods(endpoint: Any) -> set[str]:
    if not inspect.isclass(endpoint):
        return set()
    return {method for method in _HTTP_METHODS if callable(getattr(endpoint, method.lower(), None))}


def _litestar_http(route: Any, path: str) -> "Iterator[tuple[str, str]]":
    handlers = [handler for handler in route.route_handlers if not _is_framework_made(_handler_function(handler))]
    methods = {str(getattr(method, "value", method)) for handler in handlers for method in handler.http_methods}
    for method in _counted(methods):
        yield method, path


def _litestar_other(route: Any, path: str, depth: int) -> "Iterator[tuple[str, str]]":
    if "websocket" in type(route).__name__.lower():
        yield "WEBSOCKET", path
    else:
        yield from _walk(_handler_function(route.route_handler), path.rstrip("/"), depth + 1)


def _handler_function(handler: Any) -> Any:
    """The function as the module wrote it: Litestar wraps those that run in a thread of their own."""
    function = getattr(handler, "fn", handler)
    function = getattr(function, "value", function)
    return function.func if type(function).__name__ == "AsyncCallable" else function


def _counted(methods: set[str]) -> set[str]:
    return methods - {"HEAD"} if "GET" in methods else methods


def _is_framework_made(handler: Any) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    if _is_static_files(handler):
        return True
    module = handler.__module__ if inspect.isroutine(handler) or inspect.isclass(handler) else type(handler).__module__
    return str(module).partition(".")[0] in FRAMEWORKS


def _is_static_files(application: Any) -> bool:
    return any(kind.__name__ == "StaticFiles" for kind in type(application).__mro__)
