"""The rows of one generation, as a reader sees them: out of memory, else asked of Redis."""

import asyncio
import zlib
from typing import Any, cast

from store.bucket_cache import Bucket, BucketCache
from store.generation import Generation
from store.keys import Keys
from store.multiplexed import MultiplexedConnection, packed
from store.rows import ROW_BYTES

Answer = asyncio.Future[Any]


class GenerationRows:
    """One generation's rows, over a connection and a cache that all generations share."""

    def __init__(
        self, generation: Generation, keys: Keys, connection: MultiplexedConnection, cache: BucketCache
    ) -> None:
        self._n_buckets = generation.n_buckets
        self._overflows = generation.row_width > ROW_BYTES
        self._connection = connection
        self._cache = cache
        self._fetches: dict[bytes, asyncio.Task[Bucket]] = {}
        self._name = keys.bucket_pattern(generation.model, generation.id)
        self._overflow_name = keys.overflow_pattern(generation.model, generation.id)

    def held(self, user_key: bytes) -> bytes | None:
        """A user's row out of memory: empty for who is not stocked, None where Redis must be asked."""
        if not self._n_buckets:
            return b""
        bucket = self._cache.get(self._name % (zlib.crc32(user_key) % self._n_buckets))
        return None if bucket is None else bucket.row(user_key) or b""

    def asked(self, user_key: bytes) -> Answer | None:
        """A user's row as a future of one read; None where it takes more than that.

        Raises:
            StoreUnavailable: there is no connection.
        """
        if not self._n_buckets or self._overflows:
            return None
        name = self._name % (zlib.crc32(user_key) % self._n_buckets)
        return None if self._cache.worth_keeping(name) else self._send(b"HGET", name, user_key)

    async def read(self, user_key: bytes) -> bytes | None:
        """A user's row in one round trip; None for who is not stocked.

        Raises:
            StoreUnavailable: there is no connection, or no answer in time.
        """
        held = self.held(user_key)
        if held is not None:
            return held or None
        number = zlib.crc32(user_key) % self._n_buckets
        name = self._name % number
        if self._cache.worth_keeping(name):
            return (await self._fetch(name, number)).row(user_key)
        head = self._send(b"HGET", name, user_key)
        if not self._overflows:
            return cast("bytes | None", await head)
        tail = self._send(b"HGET", self._overflow_name % number, user_key)
        return cast("bytes | None", _whole(await head, await tail))

    def _send(self, *command: bytes | int) -> Answer:
        return self._connection.send(packed(*command))

    async def _fetch(self, name: bytes, number: int) -> Bucket:
        """A whole bucket, kept from then on; who wants the same one at the same time waits with us."""
        fetch = self._fetches.get(name)
        if fetch is None:
            fetch = self._fetches[name] = asyncio.ensure_future(self._fetched(name, number))
            fetch.add_done_callback(lambda _: self._fetches.pop(name))
        # Whoever gives up must not take the others along.
        return await asyncio.shield(fetch)

    async def _fetched(self, name: bytes, number: int) -> Bucket:
        heads = self._send(b"HGETALL", name)
        if self._overflows:
            tails = self._send(b"HGETALL", self._overflow_name % number)
            rows, rest = await heads, await tails
            bucket = Bucket({user: _whole(row, rest.get(user)) for user, row in rows.items()})
        else:
            bucket = Bucket(await heads)
        self._cache.put(name, bucket)
        return bucket


def _whole(head: bytes | None, tail: bytes | None) -> Any:
    return head + tail if head is not None and tail is not None else head
