"""Builds the reader."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from api import errors
from api.auth import Tokens
from api.body_limit import BodyLimit
from api.hot_route import HotRoute
from api.metrics import MeasuredRequests
from api.reader import Reader
from api.routes import events, health, items, jobs, models, reco, session, users
from topshelf.settings import Settings

DESCRIPTION = """
Recommendation lists, stocked overnight and handed out in a millisecond.

All but health, metrics and this page takes `Authorization: Bearer <token>`. Every error has one shape:
`{"errors": [{"error_key": …, "error_message": …, "error_loc": …}]}`.
"""


class Application(FastAPI):
    """FastAPI with the hot route in front of it."""

    def __init__(self, reader: Reader, tokens: Tokens, **options: Any) -> None:
        super().__init__(**options)
        self.state.reader = reader
        self.state.tokens = tokens
        self.hot_route = HotRoute(super().__call__, reader, tokens)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the schemas of errors."""
        document = super().openapi()
        document["components"]["schemas"].update(errors.error_schemas())
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self.hot_route(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The reader as an ASGI app; nothing is connected before its lifespan begins.

    Raises:
        SettingsError: there are no tokens, so that nobody could use it.
    """
    tokens = Tokens(settings)
    reader = Reader(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await reader.start()
        # What is loaded by now stays: the collector need not go through it again and again.
        gc.freeze()
        gc.enable()
        try:
            yield
        finally:
            await reader.stop()

    app = Application(
        reader,
        tokens,
        title="Topshelf",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(MeasuredRequests, metrics=reader.metrics)
    errors.install(app)
    for routes in (session, reco, items, users, events, models, jobs, health):
        app.include_router(routes.router)
    return app


def _version() -> str:
    try:
        return version("topshelf")
    except PackageNotFoundError:
        return "0"
