import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis

from store.connection import connect, server_version
from store.embedded import EmbeddedRedis, free_port
from store.multiplexed import MultiplexedConnection
from topshelf.errors import StoreError, StoreUnavailable

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0


def use(url: str, question: Callable[[MultiplexedConnection], Coroutine[Any, Any, T]], **options: Any) -> T:
    """Ask over a connection of its own, on an event loop of its own."""

    async def asking() -> T:
        connection = MultiplexedConnection(url, **{"timeout_seconds": TIMEOUT_SECONDS} | options)
        try:
            return await question(connection)
        finally:
            await connection.close()

    return asyncio.run(asking())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not true():
            await asyncio.sleep(0.001)


class TestAsking:
    def test_answers_come_in_the_order_asked(self, redis_url: str) -> None:
        async def question(connection: MultiplexedConnection) -> list[Any]:
            return await connection.ask([("SET", "a", "ü"), ("GET", "a"), ("INCR", "n"), ("GET", "none")])

        assert use(redis_url, question) == [b"OK", "ü".encode(), 1, None]

    def test_any_number_of_tasks_share_one_connection(self, redis_url: str, client: redis.Redis) -> None:
        client.mset({f"key {number}": number for number in range(500)})

        async def question(connection: MultiplexedConnection) -> tuple[list[list[Any]], int]:
            asked = [connection.ask([("GET", f"key {number}")]) for number in range(500)]
            answers = await asyncio.gather(*asked)
            return answers, connection.connections

        answers, connections = use(redis_url, question)
        assert answers == [[b"%d" % number] for number in range(500)]
        assert connections == 1

    def test_a_command_that_is_refused_fails_alone(self, redis_url: str) -> None:
        async def question(connection: MultiplexedConnection) -> list[Any]:
            asked = [
                connection.ask([("SET", "a", 1)]),
                connection.ask([("LPOP", "a")]),
                connection.ask([("GET", "a")]),
            ]
            return list(await asyncio.gather(*asked, return_exceptions=True))

        first, refused, last = use(redis_url, question)
        assert (first, last) == ([b"OK"], [b"1"])
        assert isinstance(refused, StoreError)
        assert not isinstance(refused, StoreUnavailable)
        assert "WRONGTYPE" in str(refused)

    def test_large_answers_come_whole(self, redis_url: str) -> None:
        value = bytes(range(256)) * 40_000

        async def question(connection: MultiplexedConnection) -> list[Any]:
            return await connection.ask([("SET", "a", value), ("GET", "a")])

        assert use(redis_url, question) == [b"OK", value]

    def test_somebody_who_gave_up_does_not_disturb_the_others(self, redis_url: str) -> None:
        async def question(connection: MultiplexedConnection) -> Any:
            await connection.ask([("SET", "a", 1), ("SET", "b", 2)])
            first = asyncio.create_task(connection.ask([("GET", "a")]))
            second = asyncio.create_task(connection.ask([("GET", "b")]))
            await asyncio.sleep(0)
            first.cancel()
            return await second

        assert use(redis_url, question) == [b"2"]


class TestConnecting:
    def test_the_database_of_the_url_is_used(self, redis_url: str, client: redis.Redis) -> None:
        async def question(connection: MultiplexedConnection) -> Any:
            return await connection.ask([("SET", "here", 1)])

        use(redis_url, question)
        assert client.get("here") == b"1"

    def test_a_unix_socket_will_do(self, tmp_path: Path, redis_server: EmbeddedRedis) -> None:
        path = tmp_path / "redis.sock"

        async def question(connection: MultiplexedConnection) -> Any:
            done = asyncio.Event()

            async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there, back = await asyncio.open_connection("127.0.0.1", redis_server.port)
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
                done.set()

            async with await asyncio.start_unix_server(pass_on, path):
                answer = await connection.ask([("PING",)])
                await connection.close()
                await done.wait()
                return answer

        assert use(f"unix://{path}", question) == [b"PONG"]

    @pytest.mark.parametrize("account", ["", "reader"])
    def test_the_password_of_the_url_is_used(self, own_redis: EmbeddedRedis, account: str) -> None:
        with connect(own_redis.url) as client:
            client.execute_command(
                "ACL", "SETUSER", account or "default", "on", ">s3cret", "~*", "&*", "+@all"
            )

        async def question(connection: MultiplexedConnection) -> Any:
            return await connection.ask([("ACL", "WHOAMI")])

        url = own_redis.url.replace("//", f"//{account}:s3cret@")
        assert use(url, question) == [(account or "default").encode()]
        wrong = own_redis.url.replace("//", f"//{account}:wrong@")
        with pytest.raises(StoreUnavailable, match="refuses the connection") as refused:
            use(wrong, question)
        assert "wrong@" not in str(refused.value)

    def test_a_port_nobody_listens_on_is_unavailable(self) -> None:
        with pytest.raises(StoreUnavailable):
            use(f"redis://127.0.0.1:{free_port()}/0", lambda connection: connection.ask([("PING",)]))

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:port/0", "http://127.0.0.1"])
    def test_a_url_that_is_none_is_an_error(self, url: str) -> None:
        with pytest.raises(StoreError, match="not a Redis URL"):
            MultiplexedConnection(url, timeout_seconds=1)

    def test_nothing_is_sent_without_a_connection(self, redis_url: str) -> None:
        async def question(connection: MultiplexedConnection) -> None:
            with pytest.raises(StoreUnavailable):
                connection.send(b"PING")

        use(redis_url, question)


class TestLosing:
    def test_who_waits_is_told_and_the_next_who_asks_connects_again(
        self, redis_url: str, client: redis.Redis
    ) -> None:
        lost: list[bool] = []

        async def question(connection: MultiplexedConnection) -> tuple[Any, int]:
            [name] = await connection.ask([("CLIENT", "ID")])
            waiting = asyncio.create_task(connection.ask([("BLPOP", "nothing", 0)]))
            await asyncio.sleep(0)
            await asyncio.to_thread(client.client_kill_filter, _id=str(name))
            with pytest.raises(StoreUnavailable):
                await waiting
            return await connection.ask([("PING",)]), connection.connections

        assert use(redis_url, question, on_lost=lambda: lost.append(True)) == ([b"PONG"], 2)
        assert lost[0]

    def test_a_server_that_hangs_is_given_up(self, own_redis: EmbeddedRedis) -> None:
        async def question(connection: MultiplexedConnection) -> list[Any]:
            await connection.ask([("PING",)])
            os.kill(own_redis.pid, signal.SIGSTOP)
            try:
                asked = [connection.ask([("GET", "a")]) for _ in range(10)]
                return list(await asyncio.gather(*asked, return_exceptions=True))
            finally:
                os.kill(own_redis.pid, signal.SIGCONT)

        answers = use(own_redis.url, question, timeout_seconds=0.1)
        assert {type(answer) for answer in answers} == {StoreUnavailable}

    def test_a_slow_start_does_not_count_against_what_is_asked_later(self, redis_url: str) -> None:
        """Only what was sent a timeout ago is late, however long the connection has been idle."""

        async def question(connection: MultiplexedConnection) -> Any:
            await connection.ask([("PING",)])
            await asyncio.sleep(0.3)
            return await connection.ask([("PING",)]), connection.connections

        assert use(redis_url, question, timeout_seconds=0.1) == ([b"PONG"], 1)


class TestFollowing:
    def test_every_change_under_a_prefix_is_reported(self, redis_url: str, client: redis.Redis) -> None:
        changed: list[bytes | None] = []

        async def question(connection: MultiplexedConnection) -> bool:
            await connection.ask([("PING",)])
            await asyncio.to_thread(client.rpush, "u:1", "x")
            await asyncio.to_thread(client.set, "other", "x")
            await asyncio.to_thread(client.set, "p:2", "x")
            await until(lambda: len(changed) == 2)
            return connection.follows

        assert use(redis_url, question, followed_prefixes=("u:", "p:"), on_change=changed.append)
        assert changed == [b"u:1", b"p:2"]

    def test_a_change_is_known_before_the_next_answer(self, redis_url: str, client: redis.Redis) -> None:
        changed: list[bytes | None] = []

        async def question(connection: MultiplexedConnection) -> list[list[bytes | None]]:
            await connection.ask([("PING",)])
            known = []
            for number in range(100):
                await asyncio.to_thread(client.set, f"u:{number}", "x")
                await connection.ask([("PING",)])
                known.append(list(changed))
            return known

        for number, known in enumerate(
            use(redis_url, question, followed_prefixes=("u:",), on_change=changed.append)
        ):
            assert known[-1] == b"u:%d" % number

    def test_a_flush_is_a_change_of_everything(self, own_redis: EmbeddedRedis) -> None:
        changed: list[bytes | None] = []

        async def question(connection: MultiplexedConnection) -> None:
            await connection.ask([("PING",), ("SET", "u:1", 1)])
            with connect(own_redis.url) as client:
                await asyncio.to_thread(client.flushall)
            await until(lambda: None in changed)

        use(own_redis.url, question, followed_prefixes=("u:",), on_change=changed.append)

    def test_a_server_that_reports_nothing_is_used_all_the_same(
        self, own_redis: EmbeddedRedis, caplog: pytest.LogCaptureFixture
    ) -> None:
        with connect(own_redis.url) as client:
            newer = server_version(str(client.info("server")["redis_version"])) >= (7, 0)
            client.acl_setuser("default", True, commands=["-client|tracking" if newer else "-client"])

        async def question(connection: MultiplexedConnection) -> tuple[Any, bool]:
            return await connection.ask([("PING",)]), connection.follows

        assert use(own_redis.url, question, followed_prefixes=("u:",)) == ([b"PONG"], False)
        assert "does not report changes" in caplog.text


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
    target.close()
    await target.wait_closed()
