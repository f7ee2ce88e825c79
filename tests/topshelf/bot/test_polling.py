"""The bot against a server that does what a test wants of it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from store.embedded import free_port
from topshelf.bot import polling
from topshelf.bot.polling import Bot, Plan
from topshelf.bot.requests import Target
from topshelf.bot.tally import Tally

FINE = b"HTTP/1.1 200 OK\r\nX-Reco-Source: cache\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"
PROFILED = b"HTTP/1.1 200 OK\r\nX-Topshelf-Profile-Id: ab\r\nContent-Length: 0\r\n\r\n"
STRANGE = b"SSH-2.0\r\n\r\n"
BREAK = b""
REQUEST = b"GET /reco/als/1 HTTP/1.1\r\nHost: here\r\n\r\n"

Answer = Callable[[int], Awaitable[bytes]]


@dataclass
class Server:
    """Answers request number n with what ``answer`` gives for n; breaks the connection at nothing."""

    answer: Answer
    asked_at: list[float] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked_at.append(time.perf_counter())
                writer.write(text := await self.answer(len(self.asked_at)))
                if not text or text == LAST:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[Server, Target]]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield server, Target.of(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()


def giving(*answers: bytes) -> Answer:
    async def answer(number: int) -> bytes:
        return answers[(number - 1) % len(answers)]

    return answer


def poll(answer: Answer, plan: Plan) -> tuple[Tally, Server]:
    async def run() -> tuple[Tally, Server]:
        async with serving(answer) as (server, target):
            return await Bot(target, cycle([REQUEST]), plan).run(), server

    return asyncio.run(run())


def test_it_ends_by_itself_after_so_many_requests() -> None:
    tally, server = poll(giving(FINE, CHUNKED), Plan(connections=4, most_requests=200))
    assert (tally.answered, tally.failed, len(server.asked_at), server.connections) == (200, 0, 200, 4)
    assert (tally.statuses, tally.sources, tally.fine) == ({200: 200}, {"cache": 100}, True)


def test_it_ends_by_itself_after_so_long() -> None:
    tally, server = poll(giving(FINE), Plan(connections=2, most_seconds=0.3))
    assert tally.answered == len(server.asked_at) > 0
    assert tally.fine
    assert tally.per_second == pytest.approx(tally.answered / tally.seconds)


def test_statuses_and_profiles_are_counted_and_an_unknown_user_is_no_failure() -> None:
    tally, _ = poll(giving(FINE, NOT_FOUND, PROFILED), Plan(connections=1, most_requests=9))
    assert (tally.statuses, tally.profiled, tally.fine) == ({200: 6, 404: 3}, 3, True)
    tally, _ = poll(giving(NOT_FOUND), Plan(connections=1, most_requests=3))
    assert (tally.failed, tally.fine) == (0, False)


def test_what_the_reader_fails_in_is_a_failure() -> None:
    tally, _ = poll(giving(FINE, FAILED), Plan(connections=1, most_requests=10))
    assert (tally.statuses, tally.failed, tally.fine) == ({200: 5, 503: 5}, 5, False)


def test_a_connection_that_breaks_before_the_answer_is_a_failure_and_opened_anew() -> None:
    tally, server = poll(giving(FINE, BREAK, STRANGE), Plan(connections=1, most_requests=9))
    assert (tally.answered, tally.errors) == (3, {"broken": 3, "not HTTP": 3})
    assert server.connections == 6 + 1 - 1


def test_a_connection_that_is_closed_after_its_answer_is_none() -> None:
    tally, server = poll(giving(LAST), Plan(connections=1, most_requests=3))
    assert (tally.answered, tally.failed, server.connections) == (3, 0, 3)


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def never_second(number: int) -> bytes:
        if number == 2:
            await asyncio.sleep(60)
        return FINE

    tally, _ = poll(never_second, Plan(connections=1, most_requests=4, timeout_seconds=0.2))
    assert (tally.answered, tally.errors) == (3, {"timeout": 1})


def test_what_is_under_way_at_the_end_is_waited_for_and_then_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "GRACE_SECONDS", 0.2)

    async def slow(number: int) -> bytes:
        await asyncio.sleep(0.15 if number == 1 else 60)
        return FINE

    tally, _ = poll(slow, Plan(connections=2, most_seconds=0.1))
    assert (tally.answered, tally.errors) == (1, {"timeout": 1})


def test_nobody_there_is_refused_again_and_again_until_the_reader_counts_as_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "GONE_SECONDS", 0.3)
    nobody = Target.of(f"http://127.0.0.1:{free_port()}")
    tally = asyncio.run(Bot(nobody, cycle([REQUEST]), Plan(connections=2, most_requests=5)).run())
    assert tally.answered == 0
    assert tally.errors["refused"] == tally.failed >= 4
    assert not tally.fine


def test_stopped_it_sends_nothing_more_and_waits_for_what_is_under_way() -> None:
    async def run() -> Tally:
        async with serving(giving(FINE)) as (_, target):
            bot = Bot(target, cycle([REQUEST]), Plan(connections=2))
            asyncio.get_running_loop().call_later(0.1, bot.stop)
            return await bot.run()

    tally = asyncio.run(run())
    assert tally.fine
    assert tally.answered > 0


def test_at_a_rate_requests_are_sent_when_they_are_due() -> None:
    tally, server = poll(giving(FINE), Plan(connections=8, rate=200, most_requests=100))
    assert tally.answered == 100
    assert server.asked_at[-1] - server.asked_at[0] >= 99 / 200 * 0.9


def test_what_had_to_queue_behind_a_slow_answer_has_that_in_its_latency() -> None:
    """Ten requests a tenth of a second apart, the first answered after half a second, one connection."""

    async def slow_first(number: int) -> bytes:
        await asyncio.sleep(0.5 if number == 1 else 0)
        return FINE

    tally, _ = poll(slow_first, Plan(connections=1, rate=20, most_requests=10))
    waited = Counter[bool]()
    for upper_seconds, count in tally.latencies.doublings():
        waited[upper_seconds > 0.064] += count
    assert tally.answered == 10
    assert waited[True] >= 7, "all that were due meanwhile"


def test_what_was_due_for_too_long_and_never_sent_is_a_failure() -> None:
    async def stuck(number: int) -> bytes:
        await asyncio.sleep(0.4)
        return FINE

    plan = Plan(connections=1, rate=50, most_seconds=1.0, timeout_seconds=0.45)
    tally, _ = poll(stuck, plan)
    assert tally.unsent == pytest.approx(50 * 0.55 - 3, abs=3)
    assert tally.failed >= tally.unsent
    assert not tally.fine


def test_everything_is_in_the_json() -> None:
    tally, _ = poll(giving(FINE, FAILED), Plan(connections=1, most_requests=4))
    shown = tally.as_json()
    assert {name: shown[name] for name in ("answered", "failed", "statuses", "sources", "errors")} == {
        "answered": 4,
        "failed": 2,
        "statuses": {"200": 2, "503": 2},
        "sources": {"cache": 2},
        "errors": {},
    }
    assert list(shown["latency_ms"]) == ["p50", "p90", "p99", "p99.9", "max"]
    assert sum(step["answers"] for step in shown["histogram"]) == 4
    assert Tally().as_json()["latency_ms"]["p50"] is None
