"""Bytes for bytes: no HTTP parsed, one answer made beforehand. It shows what a load generator can do."""

import asyncio
from typing import cast

import uvloop

from benchmarks.reading.apps.serving import arguments


class Canned(asyncio.Protocol):
    """Whatever is received is one request."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 -- it is not looked at
        """Answer."""
        if self._transport:
            self._transport.write(self._answer)


async def serve_canned(body: bytes, port: int) -> None:
    """Serve until the process is ended."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    server = await asyncio.get_running_loop().create_server(lambda: Canned(head + body), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    given = arguments("body")
    uvloop.run(serve_canned(given.body.encode(), given.port))
