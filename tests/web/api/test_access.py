"""Every route says who may call it, and the guard believes nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.handlers import BaseRouteHandler

from builders import TRUST
from placet.platform.server import PlatformServer
from placet.web.access import Access
from placet.web.app import create_app
from placet.web.console import VIEWS

PUBLIC = {
    *("/healthz", "/readyz", "/metrics", "/schema", "/schema/{path:str}", "/schema/openapi.json"),
    "/",  # leads to the Service Center
    *("/problems", "/problems/{code:str}"),
    *("/service-center/sign-in", "/service-center/static/{name:str}"),
    "/service-center/set-password",  # with a link's secret
    *("/service-center/sign-in/openid", "/service-center/sign-in/openid/return"),
    *(f"{view.path}/{change.path}" for view in VIEWS for change in view.changes),  # GET alone: leads back to the view
    "/service-center/license",  # GET alone: leads from the address of an upload's answer to its page
}
ADMINISTRATORS = {
    ("PUT", "/api/v1/license"),
    ("PUT", "/api/v1/license/status-list"),
    ("POST", "/api/v1/license/restore"),
    ("POST", "/service-center/license"),
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/users/clean-up"),
    ("POST", "/api/v1/clean-up/modules"),
    ("POST", "/api/v1/users/{name:str}/activate"),
    ("POST", "/api/v1/users/{name:str}/deactivate"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/{token_id:int}"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/denials"),
    ("GET", "/api/v1/features/{name:str}/reservations"),
    ("PUT", "/api/v1/features/{name:str}/reservations/{kind:str}/{subject:str}"),
    ("DELETE", "/api/v1/features/{name:str}/reservations/{kind:str}/{subject:str}"),
    ("GET", "/api/v1/features/{name:str}/seat-rules"),
    ("PUT", "/api/v1/features/{name:str}/seat-rules"),
    ("DELETE", "/api/v1/features/{name:str}/seat-rules"),
    ("GET", "/api/v1/blocks"),
    ("POST", "/api/v1/blocks/{block_id:int}/settle"),
    ("POST", "/api/v1/users/{name:str}/password-link"),
    *(("GET", f"/api/v1/notifications/{name}") for name in ("channels", "deliveries", "rules")),
    ("POST", "/api/v1/notifications/channels"),
    *((method, "/api/v1/notifications/channels/{channel_id:int}") for method in ("PUT", "DELETE")),
    ("POST", "/api/v1/notifications/channels/{channel_id:int}/test"),
    ("PUT", "/api/v1/notifications/rules"),
    ("GET", "/api/v1/license/history/{license_id:int}"),
    ("POST", "/api/v1/users/{name:str}/unlink"),
    ("GET", "/service-center/settings"),
    *(("POST", f"/service-center/settings/{n}") for n in ("mail", "webhook", "apprise", "test", "remove", "rules")),
    *(("POST", f"/service-center/credentials/{name}") for name in ("password-link", "revoke", "token")),
    *(("POST", f"/service-center/usage/{{name:str}}/{name}-clean-up") for name in ("modules", "users")),
}


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Litestar]:
    server = PlatformServer.open(tmp_path_factory.mktemp("server") / "data", TRUST)
    application = create_app(server)._api
    assert isinstance(application, Litestar)
    yield application
    server.guard.close()


def handlers(application: Litestar) -> Iterator[tuple[str, str, BaseRouteHandler]]:
    """Every method of every path, with what handles it."""
    for route in application.routes:
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:  # type: ignore[union-attr]
            for method in sorted(getattr(handler, "http_methods", {"*"})):
                if method not in {"OPTIONS", "HEAD"}:
                    yield method, route.path, handler


def test_every_route_says_who_may_call_it(application: Litestar) -> None:
    found = list(handlers(application))
    assert len(found) > 40
    for method, path, handler in found:
        assert isinstance(handler.opt.get("access"), Access), (method, path)


def test_the_public_routes_are_these(application: Litestar) -> None:
    public = {path for method, path, handler in handlers(application) if handler.opt["access"] is Access.PUBLIC}
    assert public <= PUBLIC
    assert {path for path in PUBLIC if not path.startswith("/schema")} <= public
    changing = {
        (method, path)
        for method, path, handler in handlers(application)
        if handler.opt["access"] is Access.PUBLIC and method != "GET"
    }
    assert changing == {("POST", "/service-center/sign-in"), ("POST", "/service-center/set-password")}


def test_the_administrators_routes_are_these(application: Litestar) -> None:
    found = {
        (method, path)
        for method, path, handler in handlers(application)
        if handler.opt["access"] is Access.ADMINISTRATOR
    }
    assert found == ADMINISTRATORS


def test_the_contract_has_its_calls(application: Litestar) -> None:
    found = {(method, path) for method, path, _ in handlers(application)}
    api = "/api/v1"
    assert {
        *(("GET", f"{api}/license"), ("PUT", f"{api}/license"), ("GET", f"{api}/license/request")),
        *(("GET", f"{api}/license/history"), ("POST", f"{api}/license/restore"), ("GET", f"{api}/features")),
        *(
            ("GET", f"{api}/features/{{name:str}}/usage"),
            ("GET", f"{api}/features/{{name:str}}/usage/holders/{{holder:str}}"),
            ("GET", f"{api}/features/{{name:str}}/usage/holder"),
        ),
        *(("POST", f"{api}/modules"), ("GET", f"{api}/modules")),
        *(("GET", f"{api}/modules/{{name:str}}"), ("DELETE", f"{api}/modules/{{name:str}}")),
        *(("POST", f"{api}/runs"), ("GET", f"{api}/runs/{{instance_id:str}}")),
        *(("DELETE", f"{api}/runs/{{instance_id:str}}"), ("POST", f"{api}/debug-sessions")),
        *(
            ("GET", f"{api}/debug-sessions/{{instance_id:str}}"),
            ("DELETE", f"{api}/debug-sessions/{{instance_id:str}}"),
        ),
        *(("POST", f"{api}/modules/{{name:str}}/queries"), ("GET", f"{api}/modules/{{name:str}}/queries")),
        *(("GET", f"{api}/users"), ("GET", f"{api}/tokens")),
        *(("GET", f"{api}/audit"), ("GET", "/service-center"), ("GET", "/healthz"), ("GET", "/readyz")),
        *(("GET", "/metrics"), ("GET", "/problems/{code:str}")),
    } <= found


def test_who_calls_as_nobody_gets_no_further(application: Litestar, tmp_path: Path) -> None:
    schema = application.openapi_schema.to_schema()
    assert set(schema["paths"]) >= {"/api/v1/license", "/api/v1/modules", "/api/v1/runs", "/healthz"}
