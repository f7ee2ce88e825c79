"""Ties a request to what comes of it: one id in its response, in the logs, and in the job it asks for."""

import re
import secrets
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from topshelf.logs import log_context

REQUEST_ID = b"x-request-id"
_USABLE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")

Headers = Iterable[tuple[bytes, bytes]]


def given_id(headers: Headers) -> bytes | None:
    """The ``X-Request-ID`` a request came with; None where there is none, or one not fit for a log."""
    for name, value in headers:
        if name == REQUEST_ID:
            return value if _USABLE.fullmatch(value) else None
    return None


class TracedRequests:
    """ASGI: answers each request with its ``X-Request-ID``, one made up where none was given."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = given_id(scope["headers"]) or secrets.token_hex(8).encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (REQUEST_ID, request_id)]
                message = {**message, "headers": headers}
            await send(message)

        with log_context(trace=request_id.decode()):
            await self._app(scope, receive, send_with_id)
