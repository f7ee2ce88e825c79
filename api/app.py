"""Builds the reader."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from api.auth import Tokens
from api.body_limit import BodyLimit
from api.faults import warn_of_faults
from api.hot_route import HotRoute, HotRouteWithFaults
from api.measured import MeasuredRequests
from api.profiling import ProfiledRequests, Profiles, ShortCut, check_profiling
from api.reader import Reader
from api.reporting import report_refusal
from api.routes import events, health, items, jobs, models, profiles, reco, session, users
from api.tracing import TracedRequests
from topshelf.release import release
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
        check_profiling(settings)
        tokens, reader, kept = Tokens(settings), Reader(settings), Profiles()
        self.state.reader = reader
        self.state.tokens = tokens
        self.state.profiles = kept
        hot = HotRouteWithFaults if settings.fault_users else HotRoute
        hot_route = hot(TracedRequests(super().__call__), reader, tokens)
        profiled = ProfiledRequests(hot_route, hot_route.begin, tokens, kept, settings.profile_every)
        # Where there is no profiler, nobody stands in the way.
        self._front: ASGIApp = profiled if kept.installed else hot_route
        self.short_cut: ShortCut = profiled.begin if kept.installed else hot_route.begin
        """What may answer a request without a task; see :mod:`api.protocol`."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the schemas of errors."""
        document = super().openapi()
        document["components"]["schemas"].update(errors.error_schemas())
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._front(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The reader as an ASGI app; nothing is connected before its lifespan begins.

    Raises:
        SettingsError: there are no tokens, so that nobody could use it, or something is asked for that is
            not installed.
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

    warn_of_faults(settings)
    app = Application(
        settings,
        title="Topshelf",
        version=release(),
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, refused=report_refusal)
    app.add_middleware(MeasuredRequests, reader=app.state.reader)
    errors.install(app)
    for routes in (session, reco, items, users, events, models, jobs, profiles, health):
        app.include_router(routes.router)
    return app
