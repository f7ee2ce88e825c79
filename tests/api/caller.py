"""Calls an app in this process, its lifespan included, on an event loop in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from topshelf.errors import StoreUnavailable


class Caller:
    """Sends requests as somebody with one token."""

    def __init__(self, portal: BlockingPortal, app: FastAPI, headers: dict[str, str]) -> None:
        self._portal = portal
        self._app = app
        self._headers = headers

    def as_(self, headers: dict[str, str]) -> "Caller":
        """The same app, called with another token."""
        return Caller(self._portal, self._app, headers)

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> httpx.Response:
        return self.request("PUT", url, **options)

    def delete(self, url: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", url, **options)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self._portal.call(partial(self._request, method, url, **options))

    def app_refresh(self) -> None:
        """Have the reader look at once at what is live."""
        self._portal.call(self._app.state.reader.live.refresh)

    async def _request(self, method: str, url: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://reader", headers=self._headers
        ) as client:
            return await client.request(method, url, **options)


@contextmanager
def calling(app: FastAPI, headers: dict[str, str]) -> Iterator[Caller]:
    """Starts an app and stops it in the end."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):
        with suppress(StoreUnavailable):
            portal.call(app.state.reader.live.refresh)
        yield Caller(portal, app, headers)
