"""Builds the reader."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from api import errors
from api.auth import Tokens
from api.body_limit import BodyLimit
from api.hot_route import HotRoute, Response
from api.measured import MeasuredRequests
from api.profiling import ProfiledRequests, Profiles
from api.reader import Reader
from api.routes import events, health, items, jobs, models, reco, session, users
from api.routes import profiles as profile_routes
from topshelf.settings import Settings

DESCRIPTION = """
Recommendation lists, stocked overnight and handed out in a millisecond.

All but health, metrics and this page takes `Authorization: Bearer <token>`. Every error has one shape:
`{"errors": [{"error_key": …, "error_message": …, "error_loc": …}]}`.
"""


class Application(FastAPI):
    """FastAPI, with what stands in front of it: profiles, then the hot route."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        tokens, reader, profiles = Tokens(settings), Reader(settings), Profiles()
        self._hot_route = HotRoute(super().__call__, reader, tokens)
        self._profiled = ProfiledRequests(self._hot_route, profiles, tokens, settings.profile_every)
        self.state.reader = reader
        self.state.tokens = tokens
        self.state.profiles = profiles
        self.state.profiled = self._profiled

    def begin(self, scope: Scope, respond: Callable[[Response], None], leave: Callable[[], None]) -> bool:
        """Answer without a task where that can be done; see :meth:`HotRoute.begin`."""
        return not self._profiled.armed_by(scope) and self._hot_route.begin(scope, respond, leave)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the schemas of errors."""
        document = super().openapi()
        document["components"]["schemas"].update(errors.error_schemas())
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._profiled(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The reader as an ASGI app; nothing is connected before its lifespan begins.

    Raises:
        SettingsError: there are no tokens, so that nobody could use it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        reader: Reader = app.state.reader
        await reader.start()
        # What is loaded by now stays: the collector need not go through it again and again.
        gc.freeze()
        gc.enable()
        try:
            yield
        finally:
            await reader.stop()

    app = Application(
        settings,
        title="Topshelf",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(MeasuredRequests, reader=app.state.reader)
    errors.install(app)
    for routes in (session, reco, items, users, events, models, jobs, profile_routes, health):
        app.include_router(routes.router)
    return app


def _version() -> str:
    try:
        return version("topshelf")
    except PackageNotFoundError:
        return "0"
