"""The web application of one Platform Server, wired together in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from litestar import Litestar, Router
from litestar.datastructures import MutableScopeHeaders, State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Message, Scope

from placet import __version__
from placet.platform.server import PlatformServer
from placet.web.access import Access, guard_access, requires
from placet.web.api.clean_up import clean_up_modules
from placet.web.api.exports import ExportController
from placet.web.api.features import FeatureController
from placet.web.api.front_ends import FrontEndController, OperationController
from placet.web.api.instances import DebugController, RunController
from placet.web.api.license import LicenseController
from placet.web.api.metering import BlockController, MeterController
from placet.web.api.module_logs import ModuleLogController
from placet.web.api.modules import ModuleController, publishes
from placet.web.api.notifications import ChannelController, NotificationController
from placet.web.api.operations import health, metrics, ready
from placet.web.api.people import TokenController, UserController, audit_events, clean_up
from placet.web.api.queries import QueryController
from placet.web.api.seats import SeatController, SeatRulesController, seat_denials
from placet.web.api.sessions import SessionController
from placet.web.bodies import check_body
from placet.web.console import ROUTES, VIEWS, problem_page, public_problem_page
from placet.web.edge import Edge
from placet.web.plain_consumption import PlainConsumption
from placet.web.problems import answer_problem

API: list[Any] = [
    LicenseController,
    FeatureController,
    ExportController,
    MeterController,
    BlockController,
    SeatController,
    SeatRulesController,
    FrontEndController,
    OperationController,
    ModuleController,
    ModuleLogController,
    publishes,
    clean_up_modules,
    QueryController,
    RunController,
    DebugController,
    UserController,
    clean_up,
    TokenController,
    SessionController,
    ChannelController,
    NotificationController,
    audit_events,
    seat_denials,
    health,
    ready,
    metrics,
]


async def keep_to_caller(message: Message, _: Scope) -> None:
    """Keep an answer out of caches, and of guesses at its type, where it says nothing else itself."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Content-Type-Options", "nosniff")


def create_app(server: PlatformServer) -> Edge:
    """Answer the ASGI application that serves ``server``; its lifespan starts and closes it."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(server.start)
        try:
            yield
        finally:
            await front.aclose()
            await anyio.to_thread.run_sync(server.close)

    def the_server() -> PlatformServer:
        return server

    application = Litestar(
        route_handlers=[*API, *ROUTES],
        guards=[guard_access],
        dependencies={"server": Provide(the_server, sync_to_thread=False)},
        exception_handlers={Exception: answer_problem},
        before_request=check_body,
        before_send=[keep_to_caller],
        lifespan=[lifespan],
        state=State({"server": server, "problem_page": problem_page, "views": VIEWS}),
        openapi_config=OpenAPIConfig(
            title="Placet Platform Server",
            version=__version__,
            path="/schema",
            render_plugins=[JsonRenderPlugin()],
            openapi_router=Router("/schema", route_handlers=[], opt=requires(Access.PUBLIC)),
        ),
        logging_config=None,
    )
    front = PlainConsumption(server, application)
    return Edge(server, application, front, public_problem_page)
