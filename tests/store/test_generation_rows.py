import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from store.bucket_cache import BucketCache
from store.generation import Generation
from store.generation_rows import GenerationRows
from store.keys import Keys
from store.multiplexed import MultiplexedConnection
from tests.store.stocking import Stocking, pack
from topshelf.errors import StoreUnavailable

Ask = Callable[..., Any]
ROW = pack((1, 1, 1), 2)


@pytest.fixture
def ask(redis_url: str, keys: Keys) -> Ask:
    """Ask the rows of a generation, over a connection that is there."""

    def asked(generation: Generation, question: Callable[[GenerationRows], Awaitable[Any]]) -> Any:
        async def answer() -> Any:
            connection = MultiplexedConnection(redis_url, timeout_seconds=5)
            await connection.ask([("PING",)])
            try:
                return await question(GenerationRows(generation, keys, connection, BucketCache(1_000_000)))
            finally:
                await connection.close()

        return asyncio.run(answer())

    return asked


def test_a_row_is_read_once_then_with_its_bucket_then_held(ask: Ask, stocking: Stocking) -> None:
    async def question(rows: GenerationRows) -> None:
        assert rows.held(b"user 1") is None
        reading = rows.asked(b"user 1")
        assert reading is not None
        assert await reading == ROW
        assert rows.asked(b"user 1") is None
        assert await rows.read(b"user 1") == ROW
        assert rows.held(b"user 1") == ROW

    ask(stocking.live(), question)


def test_a_bucket_that_is_gone_is_not_taken_for_an_empty_one(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    generation = stocking.live()
    name = stocking.keys.bucket_pattern(generation.model, generation.id)
    buckets = {name % number for number in range(generation.n_buckets)}
    kept = {bucket: client.dump(bucket) for bucket in buckets}

    async def question(rows: GenerationRows) -> None:
        client.delete(*buckets)
        for _ in range(3):
            assert await rows.read(b"user 1") is None
            assert rows.held(b"user 1") is None
        for bucket, dump in kept.items():
            client.restore(bucket, 0, dump or b"")
        assert await rows.read(b"user 1") == ROW

    ask(generation, question)


def test_a_generation_without_user_rows_needs_no_reading(ask: Ask, stocking: Stocking) -> None:
    async def question(rows: GenerationRows) -> None:
        assert (rows.held(b"1"), rows.asked(b"1"), await rows.read(b"1")) == (b"", None, None)

    ask(stocking.open((), layout="segments"), question)


def test_without_a_connection_nothing_is_asked(stocking: Stocking, keys: Keys, redis_url: str) -> None:
    generation = stocking.live()

    async def question() -> None:
        connection = MultiplexedConnection(redis_url, timeout_seconds=5)
        rows = GenerationRows(generation, keys, connection, BucketCache(0))
        with pytest.raises(StoreUnavailable):
            rows.asked(b"user 1")
        with pytest.raises(StoreUnavailable):
            await rows.read(b"user 1")

    asyncio.run(question())
