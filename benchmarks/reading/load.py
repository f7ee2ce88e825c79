"""The bundled load generator: keep-alive connections, on each one request at a time.

    python -m benchmarks.reading.load --port 8000 --paths FILE --connections 32 --seconds 4 --token TOKEN

FILE holds a path a line. Prints one object of JSON. It is Python and so slower than wrk: what it can do at
most is measured by the benchmark and said.
"""

import argparse
import asyncio
import json
import re
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.reading.measures import Load, percentiles_ms

HOST = "127.0.0.1"
ANSWER_SECONDS = 2.0
"""An answer that takes longer than this when the run ends counts as failed, as with wrk."""
AGAIN_SECONDS = 0.05
"""Pause before a broken connection is opened anew."""
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Tally:
    """What is to be sent and what came back."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.latencies_seconds = array("d")
        self.failed = 0
        self.all_sent = False
        self._requests = requests

    def next_request(self) -> bytes | None:
        """The next request; None when there is none left."""
        request = next(self._requests, None)
        self.all_sent = request is None
        return request


class Connection(asyncio.Protocol):
    """One keep-alive connection; ``done`` is set when it broke or has nothing more to send."""

    def __init__(self, tally: Tally, done: asyncio.Future[None]) -> None:
        self._tally = tally
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._asked_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count an answer that is whole and send the next request."""
        received = self._received + data if self._received else data
        try:
            whole = is_whole(received)
        except ValueError:
            self._break_off()
            return
        if not whole:
            self._received = received
        elif self._asked_at is None:
            self._break_off()
        else:
            self._received = b""
            self._tally.latencies_seconds.append(time.perf_counter() - self._asked_at)
            self._tally.failed += received[9:10] != b"2"
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """A connection that breaks while an answer is awaited is a failure."""
        self._tally.failed += self._asked_at is not None
        self._asked_at = None
        self._finish()

    def end(self) -> None:
        """Close; an answer that was awaited for too long counts as failed."""
        if self._asked_at is not None:
            self._tally.failed += time.perf_counter() - self._asked_at > ANSWER_SECONDS
            self._asked_at = None
        if self._transport:
            self._transport.abort()

    def _ask(self) -> None:
        request = self._tally.next_request()
        if request is None or self._transport is None:
            self._asked_at = None
            self._finish()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(request)

    def _break_off(self) -> None:
        self._tally.failed += 1
        self._asked_at = None
        if self._transport:
            self._transport.abort()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def is_whole(received: bytes) -> bool:
    """Whether an answer has come to its end.

    Raises:
        ValueError: it is no HTTP/1.1, says nothing of its length, or goes on past its end.
    """
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    if not received.startswith(b"HTTP/1.1 "):
        raise ValueError("not HTTP/1.1")
    length = LENGTH.search(received, 0, head_end + 2)
    if length is None:
        raise ValueError("an answer without a length")
    missing = head_end + 4 + int(length[1]) - len(received)
    if missing < 0:
        raise ValueError("more than was asked for")
    return missing == 0


def request_bytes(path: str, token: str) -> bytes:
    """One request as it is sent."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def load(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    start: int = 0,
    once: bool = False,
) -> Load:
    """Send requests for ``seconds``, from number ``start`` on and around; ``once`` ends after the last."""
    queue = iter(requests) if once else islice(cycle(requests), start % len(requests), None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, queue, connections, seconds))


async def _load(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    tally = Tally(requests)
    began, cpu_began = time.perf_counter(), time.process_time()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_keep_open(port, tally) for _ in range(connections)))
    return Load(
        len(tally.latencies_seconds),
        time.perf_counter() - began,
        tally.failed,
        *percentiles_ms(tally.latencies_seconds),
        time.process_time() - cpu_began,
    )


async def _keep_open(port: int, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    while not tally.all_sent:
        done: asyncio.Future[None] = loop.create_future()
        connection = Connection(tally, done)
        try:
            await loop.create_connection(partial(_same, connection), HOST, port)
            await done
        except OSError:
            tally.failed += 1
        finally:
            connection.end()
        if not tally.all_sent:
            await asyncio.sleep(AGAIN_SECONDS)


def _same(connection: Connection) -> Connection:
    return connection


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading.load", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--paths", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--start", type=int, default=0, help="number of the first path")
    parser.add_argument("--once", action="store_true", help="end after the last path")
    parser.add_argument("--token", default="")
    given = parser.parse_args()
    requests = [request_bytes(path, given.token) for path in given.paths.read_text().split()]
    measured = load(
        given.port,
        requests,
        connections=given.connections,
        seconds=given.seconds,
        start=given.start,
        once=given.once,
    )
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
