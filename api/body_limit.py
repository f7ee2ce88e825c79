"""Refuses bodies that are too large before anything reads them."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import error_answer
from topshelf.errors import BodyTooLarge

BODILESS = {"GET", "HEAD", "OPTIONS"}
DRAINED_BODIES = 32
"""How many times the limit is read and thrown away, so that a client still sending hears the answer."""


class BodyLimit:
    """ASGI middleware: 413 for a body of more than ``max_bytes``, with or without a declared length.

    Args:
        refused: told of each request that is refused: its scope, status, error key and message.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, refused: Callable[[Scope, int, str, str], None]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = _declared_length(scope)
        if length is not None and length > self._max_bytes:
            await self._refuse(scope, receive, send)
        elif length is None and scope["method"] not in BODILESS:
            await self._buffered(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _buffered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body of unknown length up to the limit, then hand it on."""
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                await self._refuse(scope, receive, send)
                return
            more = message["type"] == "http.request" and message.get("more_body", False)
        kept = iter(messages)

        async def replay() -> Message:
            return next(kept, None) or await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        drained, more = 0, True
        while more and drained <= self._max_bytes * DRAINED_BODIES:
            message = await receive()
            drained += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        text = f"the body is larger than the {self._max_bytes:,} bytes taken here"
        self._refused(scope, 413, BodyTooLarge.key, text)
        answer = error_answer(413, BodyTooLarge.key, text, headers={"Connection": "close"})
        await answer(scope, receive, send)


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
