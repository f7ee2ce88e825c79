"""One connection to Redis that any number of tasks share.

What is asked in one turn of the event loop leaves in one write, and answers come back in order, so that a
reader needs one socket and waits for one round trip, however many requests it serves.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.connection import SSLConnection, parse_url

from topshelf.errors import StoreError, StoreUnavailable

Command = Sequence[str | bytes | int]

MOST_WAITING = 100_000
"""Answers waited for at once; more would only wait in vain."""
CHECKS_A_TIMEOUT = 4
"""How often within a timeout the oldest question is looked at."""
UNAVAILABLE = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "UNBLOCKED", "READONLY")

logger = logging.getLogger(__name__)


def packed(*command: str | bytes | int) -> bytes:
    """A command as it goes over the wire."""
    # The stub knows commands of one word only.
    return cast("bytes", hiredis.pack_command(command))  # type: ignore[arg-type]


class MultiplexedConnection:
    """A connection that is made anew when somebody asks after it was lost.

    Args:
        url: redis://, rediss:// or unix://.
        timeout_seconds: how long an answer, or a connection, may take; then everybody who waits is told.
        followed_prefixes: keys whose every change the server shall report.
        on_change: called with each changed key that starts with one of those; with None for all of them.
        on_lost: called when the connection is lost, and changes may be missed from then on.

    Raises:
        StoreError: the URL cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        followed_prefixes: Sequence[str] = (),
        on_change: Callable[[bytes | None], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        try:
            self._address = dict(parse_url(url))  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise StoreError(f"not a Redis URL: {error}") from error
        self._timeout_seconds = timeout_seconds
        self._followed_prefixes = tuple(followed_prefixes)
        self._on_change = on_change
        self._on_lost = on_lost
        self._wire: _Wire | None = None
        self._turn = asyncio.Lock()
        self.connections = 0
        """Connections made so far; another one than before means that changes may have been missed."""
        self.follows = False
        """Whether the server reports changes."""

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together; their answers in order. Connects where there is no connection.

        Raises:
            StoreUnavailable: Redis cannot be reached or did not answer in time.
            StoreError: it refused one of them.
        """
        if self._wire is None:
            await self._connect()
        waiting = [self.send(packed(*command)) for command in commands]
        return await asyncio.gather(*waiting)

    def send(self, request: bytes) -> "asyncio.Future[Any]":
        """Send one packed command over the connection there is; its answer, or error, is the future's.

        Raises:
            StoreUnavailable: there is no connection, or too much waits on it.
        """
        if self._wire is None:
            raise StoreUnavailable("there is no connection to Redis")
        return self._wire.send(request)

    async def close(self) -> None:
        """Let go of the connection; who still waits is told that Redis is unavailable."""
        if self._wire is not None:
            self._wire.give_up("the connection was closed")
            # The socket itself is closed in the next turn.
            await asyncio.sleep(0)

    async def _connect(self) -> None:
        async with self._turn:
            if self._wire is not None:
                return
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    wire = await self._dial()
                    follows = await self._greet(wire)
            except (OSError, TimeoutError) as error:
                raise StoreUnavailable(f"Redis does not answer: {error or 'in time'}") from error
            self.connections += 1
            self.follows = follows
            self._wire = wire

    async def _dial(self) -> "_Wire":
        loop, address = asyncio.get_running_loop(), self._address

        def made() -> _Wire:
            return _Wire(loop, self._timeout_seconds, self._on_change, self._lost)

        if "path" in address:
            _, wire = await loop.create_unix_connection(made, address["path"])
        else:
            secure = _tls(address) if address.get("connection_class") is SSLConnection else None
            host, port = address.get("host", "localhost"), address.get("port", 6379)
            _, wire = await loop.create_connection(made, host, port, ssl=secure)
        return wire

    async def _greet(self, wire: "_Wire") -> bool:
        """Log in, choose the database, have changes reported; whether they will be."""
        hello: list[str | int] = ["HELLO", 3]
        if password := self._address.get("password"):
            hello += ["AUTH", self._address.get("username") or "default", password]
        follow = ["CLIENT", "TRACKING", "ON", "BCAST"]
        for prefix in self._followed_prefixes:
            follow += ["PREFIX", prefix]
        try:
            greeted = [wire.send(packed(*hello)), wire.send(packed("SELECT", self._address.get("db", 0)))]
            following = wire.send(packed(*follow)) if self._followed_prefixes else None
            await asyncio.gather(*greeted)
        except StoreError as error:
            wire.give_up("it refused the connection")
            raise StoreUnavailable(f"Redis refuses the connection: {error}") from error
        except asyncio.CancelledError:
            wire.give_up("it did not answer in time")
            raise
        if following is None:
            return False
        try:
            await following
        except StoreError as error:
            logger.warning("this Redis does not report changes, so every list costs a read: %s", error)
            return False
        return True

    def _lost(self, wire: "_Wire") -> None:
        if wire is self._wire:
            self._wire = None
            self.follows = False
            self._on_lost()


class _Wire(asyncio.Protocol):
    """One socket, with the futures of those who wait for an answer on it, oldest first."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout_seconds: float,
        on_change: Callable[[bytes | None], None],
        on_lost: Callable[["_Wire"], None],
    ) -> None:
        self._loop = loop
        self._timeout_seconds = timeout_seconds
        self._on_change = on_change
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._unsent: list[bytes] = []
        self._sent = self._answered = 0
        self._flushes: deque[tuple[float, int]] = deque()
        """When what was sent, and how many commands had been sent by then."""
        self._transport: asyncio.WriteTransport | None = None
        self._check: asyncio.TimerHandle | None = None

    def send(self, request: bytes) -> "asyncio.Future[Any]":
        if self._transport is None or len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable("Redis is gone" if self._transport is None else "too much waits for Redis")
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(request)
        answer = self._loop.create_future()
        self._waiting.append(answer)
        return answer

    def give_up(self, reason: str) -> None:
        """Close the socket and tell everybody who waits."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        if self._check:
            self._check.cancel()
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(StoreUnavailable(f"Redis does not answer: {reason}"))
                answer.exception()  # looked at: who waited may be gone
        self._on_lost(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._check = self._loop.call_later(self._timeout_seconds / CHECKS_A_TIMEOUT, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self.give_up(str(exc or "the connection was closed at the other end"))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if type(reply) is hiredis.PushNotification:
                    self._changed(reply)
                else:
                    self._answered += 1
                    _fulfil(self._waiting.popleft(), reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.give_up(f"its answer cannot be read ({error})")

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._transport is not None:
            self._sent += len(unsent)
            self._flushes.append((self._loop.time(), self._sent))
            self._transport.write(b"".join(unsent))

    def _look(self) -> None:
        """Give up where what was sent a timeout ago is not answered yet."""
        flushes = self._flushes
        while flushes and flushes[0][1] <= self._answered:
            flushes.popleft()
        if flushes and flushes[0][0] + self._timeout_seconds < self._loop.time():
            self.give_up("not in time")
        else:
            self._check = self._loop.call_later(self._timeout_seconds / CHECKS_A_TIMEOUT, self._look)

    def _changed(self, push: Sequence[Any]) -> None:
        kind, names = push[0], push[1]
        if kind == b"invalidate":
            for name in names or (None,):
                self._on_change(name)


def _fulfil(answer: "asyncio.Future[Any]", reply: Any) -> None:
    if answer.done():
        return
    if isinstance(reply, hiredis.ReplyError):
        text = str(reply)
        kind = StoreUnavailable if text.startswith(UNAVAILABLE) else StoreError
        answer.set_exception(kind(f"Redis refused: {text}"))
    else:
        answer.set_result(reply)


def _tls(address: dict[str, Any]) -> ssl.SSLContext:
    """What redis-py makes of the same ``ssl_…`` parameters of a URL."""
    context = ssl.create_default_context(
        cafile=address.get("ssl_ca_certs"), capath=address.get("ssl_ca_path")
    )
    if certificate := address.get("ssl_certfile"):
        context.load_cert_chain(certificate, address.get("ssl_keyfile"), address.get("ssl_password"))
    if address.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif str(address.get("ssl_check_hostname", "true")).lower() in {"false", "no", "0"}:
        context.check_hostname = False
    return context
