"""One keep-alive connection of a bot, a request at a time; httptools reads the answers."""

import asyncio
from time import perf_counter
from typing import Protocol, cast

import httptools

BROKEN, NOT_HTTP, TIMEOUT, REFUSED = "broken", "not HTTP", "timeout", "refused"
SOURCE_HEADER, PROFILE_HEADER = b"x-reco-source", b"x-topshelf-profile-id"


class Asker(Protocol):
    """What a connection tells of."""

    def answered(self, due: float, status: int, source: bytes, *, profiled: bool) -> None:
        """An answer came, to the request that was due then."""

    def failed(self, how: str) -> None:
        """A request will have no answer."""

    def idle(self, connection: "Connection") -> None:
        """The connection may be asked."""


class Connection(asyncio.Protocol):
    """Made by :meth:`asyncio.loop.create_connection`; ``closed`` is done once it is over."""

    def __init__(self, asker: Asker) -> None:
        self.asked_at: float | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asker = asker
        self._due = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._source, self._profiled = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._asker.idle(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request; its latency counts from ``due``."""
        if self._transport is None:
            return
        self._due = due
        self.asked_at = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.give_up(NOT_HTTP)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """A connection that ends while an answer is awaited is a failure."""
        self._transport = None
        if self.asked_at is not None:
            self.asked_at = None
            self._asker.failed(BROKEN)
        if not self.closed.done():
            self.closed.set_result(None)

    def give_up(self, how: str) -> None:
        """Wait no longer for the answer, and close."""
        if self.asked_at is not None:
            self.asked_at = None
            self._asker.failed(how)
        self.close()

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header of the answer."""
        lower = name.lower()
        if lower == SOURCE_HEADER:
            self._source = value
        elif lower == PROFILE_HEADER:
            self._profiled = True

    def on_message_complete(self) -> None:
        """httptools: the answer is whole."""
        status, goes_on = self._parser.get_status_code(), self._parser.should_keep_alive()
        if status < 200:
            return  # 100 Continue and the like come before the answer
        if self.asked_at is None:
            self.give_up(NOT_HTTP)  # nobody asked
            return
        self.asked_at = None
        source, profiled = self._source, self._profiled
        self._source, self._profiled = b"", False
        self._asker.answered(self._due, status, source, profiled=profiled)
        if goes_on:
            self._asker.idle(self)
        else:
            self.close()
