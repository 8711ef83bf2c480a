from typing import Any

import pytest
from litestar import Controller, Litestar, WebSocket, asgi, get, post, route, websocket
from litestar.params import FromPath
from litestar.static_files import create_static_files_router
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from placet.platform.routes import operations


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


async def bare(scope: Any, receive: Any, send: Any) -> None: ...


class Thing(HTTPEndpoint):
    async def get(self, request: Any) -> None: ...
    async def delete(self, request: Any) -> None: ...


def test_methods_of_paths_are_counted_and_the_added_head_is_not() -> None:
    app = Starlette(
        routes=[
            Route("/", answer),
            Route("/orders/{id:int}", answer, methods=["GET", "PUT", "DELETE"]),
            Route("/probe", answer, methods=["HEAD"]),
            Route("/cors", answer, methods=["OPTIONS"]),
            Route("/thing", Thing),
            Route("/raw", bare),
        ]
    )
    assert operations(app) == [
        "GET /",
        "OPTIONS /cors",
        "DELETE /orders/{id:int}",
        "GET /orders/{id:int}",
        "PUT /orders/{id:int}",
        "HEAD /probe",
        "GET /raw",
        "DELETE /thing",
        "GET /thing",
    ]


def test_one_path_and_method_named_twice_is_one() -> None:
    assert operations(Starlette(routes=[Route("/", answer), Route("/", answer, methods=["GET", "POST"])])) == [
        "GET /",
        "POST /",
    ]


def test_mounts_hosts_and_routers_are_walked(tmp_path: Any) -> None:
    inner = Starlette(routes=[Route("/x", answer), Mount("/deep", routes=[Route("/y", answer)])])
    app = Starlette(
        routes=[
            Mount("/api", inner),
            Mount("/router", Router([Route("/z", answer)])),
            Mount("/static", StaticFiles(directory=tmp_path)),
            Mount("/plain", bare),
            Mount("/wrapped", CORSMiddleware(GZipMiddleware(inner))),
            Host("api.example.org", inner),
            WebSocketRoute("/feed", answer),
        ]
    )
    assert operations(app) == [
        "GET /api/deep/y",
        "GET /api/x",
        "WEBSOCKET /feed",
        "ANY /plain",
        "GET /router/z",
        "GET /wrapped/deep/y",
        "GET /wrapped/x",
        "GET api.example.org/deep/y",
        "GET api.example.org/x",
    ]


@pytest.mark.parametrize(
    "app",
    [bare, Starlette(), Starlette(routes=[Mount("/s", StaticFiles(directory="/"))]), object(), CORSMiddleware(bare)],
)
def test_an_application_that_shows_no_routes_counts_one(app: Any) -> None:
    assert operations(app) == ["ANY /"]


def test_middleware_does_not_hide_the_routes() -> None:
    app = CORSMiddleware(GZipMiddleware(Starlette(routes=[Route("/a", answer), Route("/b", answer)])))
    assert operations(app) == ["GET /a", "GET /b"]


def test_litestar_counts_handlers_and_not_what_the_framework_adds(tmp_path: Any) -> None:
    class Items(Controller):
        path = "/items"

        @get()
        async def index(self) -> str:
            return ""

        @post()
        async def create(self) -> str:
            return ""

        @route("/{item_id:int}", http_method=["GET", "DELETE"], status_code=200)
        async def one(self, item_id: FromPath[int]) -> str:
            return str(item_id)

    @websocket("/feed")
    async def feed(socket: WebSocket[Any, Any, Any]) -> None: ...

    mounted = asgi("/mounted", is_mount=True, copy_scope=True)(Starlette(routes=[Route("/x", answer)]))
    plain = asgi("/plain", is_mount=True, copy_scope=True)(bare)
    static = create_static_files_router("/static", [tmp_path])
    app = Litestar([Items, feed, mounted, plain, static])
    assert operations(app) == [
        "WEBSOCKET /feed",
        "GET /items",
        "POST /items",
        "DELETE /items/{item_id}",
        "GET /items/{item_id}",
        "GET /mounted/x",
        "ANY /plain",
    ]


def test_litestar_with_documentation_alone_shows_no_routes() -> None:
    assert operations(Litestar([])) == ["ANY /"]


def test_fastapi_counts_included_routers_and_not_its_documentation() -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()
    outer, inner = fastapi.APIRouter(prefix="/outer"), fastapi.APIRouter(prefix="/inner")
    inner.get("/a")(lambda: None)
    inner.post("/a")(lambda: None)
    outer.include_router(inner, prefix="/v1")
    app.include_router(outer)
    app.get("/")(lambda: None)
    app.websocket("/feed")(answer)
    assert operations(app) == ["GET /", "WEBSOCKET /feed", "GET /outer/v1/inner/a", "POST /outer/v1/inner/a"]


def test_an_application_that_contains_itself_ends() -> None:
    app = Starlette()
    app.routes.append(Mount("/again", app))
    app.routes.append(Route("/x", answer))
    assert "GET /x" in operations(app)

    class Looped:
        async def __call__(self, *_: Any) -> None: ...

    looped: Any = Looped()
    looped.app = looped
    assert operations(looped) == ["ANY /"]


def test_litestar_handlers_that_run_in_threads_are_counted() -> None:
    @get("/slow", sync_to_thread=True)
    def slow() -> str:
        return ""

    @post("/quick", sync_to_thread=False)
    def quick() -> str:
        return ""

    app = Litestar([slow, quick], openapi_config=None)
    assert operations(app) == ["POST /quick", "GET /slow"]
