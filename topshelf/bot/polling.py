"""The bot itself: a few connections that ask without pause, or a schedule of requests that are due.

At a rate the load is open: request number n is due n / rate seconds after the start, whether or not the
answers before it came, and its latency counts from then. A bot that waited for a slow answer before it asked
again would not see how long the others would have waited ("coordinated omission": Gil Tene, wrk2,
https://github.com/giltene/wrk2). What a timer of the event loop is late by is the bot's own, and does not
count where a connection was free. Without a rate the load is closed: each connection asks again as soon as it
was answered, which finds how much a reader can do; latencies are those that so many askers see.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from topshelf.bot.connection import REFUSED, TIMEOUT, Connection
from topshelf.bot.requests import Target
from topshelf.bot.tally import Tally

SWEEP_SECONDS = 0.1
TIMER_SECONDS = 0.002
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
"""Between the loss of a connection, or a refusal, and the next try."""
GONE_SECONDS = 30.0
"""A reader that takes no connection for so long is gone, and the run ends."""
GRACE_SECONDS = 2.0
"""What is under way at the end has so long; what takes longer counts as a timeout."""


@dataclass(frozen=True)
class Plan:
    """How much is asked.

    Attributes:
        rate: requests a second; None for as many as come through.
        most_requests, most_seconds: when to end; None for neither.
        timeout_seconds: how long a request may be without an answer once it is sent.
    """

    connections: int = 16
    rate: float | None = None
    most_requests: int | None = None
    most_seconds: float | None = None
    timeout_seconds: float = 10.0


class Bot:
    """Sends requests by a plan and counts what comes back in ``tally``."""

    def __init__(self, target: Target, requests: Iterator[bytes], plan: Plan) -> None:
        self.tally = Tally()
        self._target = target
        self._requests = requests
        self._plan = plan
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._sent = 0
        self._stopping = False
        self._wake: asyncio.TimerHandle | None = None

    async def run(self) -> Tally:
        """Ask until the plan is done or :meth:`stop` is called."""
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._began = self._seen_at = perf_counter()
        tasks = [self._loop.create_task(self._keep_open()) for _ in range(self._plan.connections)]
        tasks.append(self._loop.create_task(self._sweep()))
        try:
            async with asyncio.timeout(self._plan.most_seconds):
                await self._over.wait()
        except TimeoutError:
            pass
        finally:
            await self._end(tasks)
        return self.tally

    def stop(self) -> None:
        """Send nothing more; what is under way may still be answered."""
        self._stopping = True
        self._over.set()

    @property
    def under_way(self) -> int:
        """Requests sent and not answered."""
        return sum(connection.asked_at is not None for connection in self._open)

    def answered(self, due: float, status: int, source: bytes, *, profiled: bool) -> None:
        """Count an answer."""
        tally, now = self.tally, perf_counter()
        tally.statuses[status] += 1
        tally.latencies.add(now - due)
        tally.profiled += profiled
        tally.seconds = now - self._began
        if source:
            tally.sources[source.decode("latin-1")] += 1

    def failed(self, how: str) -> None:
        """Count a request without an answer."""
        self.tally.errors[how] += 1
        self._see_whether_over()

    def idle(self, connection: Connection) -> None:
        """Give a connection what is due, or let it wait for that."""
        self._idle.append(connection)
        self._feed(timed=self._wake is not None)
        self._see_whether_over()

    def _wake_up(self) -> None:
        self._wake = None
        self._feed(timed=True)

    def _feed(self, *, timed: bool) -> None:
        """Ask for what is due; ``timed`` says that a connection was free before it was, and a timer set."""
        while self._idle and not self._all_sent:
            now = perf_counter()
            due = self._next_due(now)
            if due > now:
                if self._wake is None:
                    self._wake = self._loop.call_later(due - now, self._wake_up)
                return
            connection = self._idle.popleft()
            if connection in self._open:
                self._sent += 1
                in_time = timed and now - due < TIMER_SECONDS
                connection.ask(next(self._requests), now if in_time else due)

    def _next_due(self, now: float) -> float:
        return now if self._plan.rate is None else self._began + self._sent / self._plan.rate

    @property
    def _all_sent(self) -> bool:
        most = self._plan.most_requests
        return self._stopping or (most is not None and self._sent >= most)

    def _see_whether_over(self) -> None:
        if self._all_sent and not self.under_way:
            self._over.set()

    async def _keep_open(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._all_sent:
            try:
                connection = await self._connect()
            except OSError:
                self.tally.errors[REFUSED] += 1
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
                continue
            await connection.closed
            self._open.discard(connection)
            self._see_whether_over()
            pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)

    async def _connect(self) -> Connection:
        target = self._target
        async with asyncio.timeout(self._plan.timeout_seconds):
            _, connection = await self._loop.create_connection(
                self._connection, target.host, target.port, ssl=target.secure or None
            )
        return connection

    def _connection(self) -> Connection:
        connection = Connection(self)
        self._open.add(connection)
        return connection

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = perf_counter()
            if self._open:
                self._seen_at = now
            elif now > self._seen_at + GONE_SECONDS:
                self.stop()
            before = now - self._plan.timeout_seconds
            for connection in list(self._open):
                if connection.asked_at is not None and connection.asked_at < before:
                    connection.give_up(TIMEOUT)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        ended = perf_counter()
        self.tally.seconds = ended - self._began
        if self._plan.rate is not None:
            self.tally.unsent = self._due_by(ended - self._plan.timeout_seconds) - self._sent
        while self.under_way and perf_counter() < ended + GRACE_SECONDS:
            await asyncio.sleep(SWEEP_SECONDS / 10)
        for connection in list(self._open):
            connection.give_up(TIMEOUT)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _due_by(self, moment: float) -> int:
        rate, most = self._plan.rate or 0.0, self._plan.most_requests
        due = int((moment - self._began) * rate)
        return max(self._sent, due if most is None else min(due, most))
