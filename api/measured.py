"""Counts and times every request that is not answered by the hot route."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.list_headers import SOURCE
from api.reader import Reader
from api.reporting import report_slow
from api.route_names import method_of

UNKNOWN = "unknown"


class MeasuredRequests:
    """ASGI middleware that counts and times requests by route, and reports slow ones."""

    def __init__(self, app: ASGIApp, reader: Reader) -> None:
        self._app = app
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, source = 500, ""
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status, source
            if message["type"] == "http.response.start":
                status = message["status"]
                source = next((value for name, value in message["headers"] if name == SOURCE), b"").decode()
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - started
            self._reader.metrics.request(
                method_of(scope), route, status, seconds, model=self._model(scope), source=source
            )
            if seconds > self._reader.settings.slow_request_seconds:
                report_slow(scope, seconds)

    def _model(self, scope: Scope) -> str:
        """The model a request is about; anybody may ask for one that there is not."""
        name: str = scope.get("path_params", {}).get("model_name", "")
        return name if not name or name in self._reader.live.snapshot.models else UNKNOWN
