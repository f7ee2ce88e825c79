"""Bare ASGI: one answer made beforehand, of the size of the reader's. What the server itself can do."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.reading.apps.serving import arguments, serve

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Hello:
    """Answers everything with ``body``."""

    def __init__(self, body: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        self._start = {"type": "http.response.start", "status": 200, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI
        """One answer; nothing to set up or take down."""
        if scope["type"] == "http":
            await send(self._start)
            await send(self._body)


if __name__ == "__main__":
    given = arguments("body")
    serve(Hello(given.body.encode()), given.port)
