"""The ASGI app: routes behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from daggr._version import __version__
from daggr.engine.engine import Engine
from daggr.engine.program import Program
from daggr.server.files import file_route
from daggr.server.guard import Guard
from daggr.server.problems import respond
from daggr.server.routes.call import call_routes
from daggr.server.routes.events import event_route
from daggr.server.routes.page import page_routes
from daggr.server.routes.runs import run_routes
from daggr.server.routes.sheets import sheet_routes
from daggr.server.routes.uploads import upload_route
from daggr.server.served import Served

MAX_BODY = 10 << 20
"""Of JSON requests; files go to `/api/uploads`."""


def make_app(engine: Engine, program: Program, user: str, theme_css: str = "") -> ASGIApp:
    """The app that serves a program to the local user."""
    served = Served(engine, program, user)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        served.open()
        yield
        served.close()

    app = Litestar(
        route_handlers=[
            *call_routes(served),
            *sheet_routes(served),
            *run_routes(served),
            event_route(served),
            upload_route(served),
            file_route(served),
            *page_routes(theme_css),
        ],
        lifespan=[lifespan],
        exception_handlers={Exception: respond},
        request_max_body_size=MAX_BODY,
        openapi_config=OpenAPIConfig(
            title=program.drawing.name, version=__version__, path="/api/docs", render_plugins=[JsonRenderPlugin()]
        ),
        logging_config=None,
    )
    return Guard(app)
