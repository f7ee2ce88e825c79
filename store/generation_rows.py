"""The rows of one generation, as a reader sees them: out of memory, else asked of Redis."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any, cast

from store.bucket_cache import Bucket, BucketCache
from store.generation import Generation
from store.keys import Keys
from store.multiplexed import MultiplexedConnection, packed
from store.rows import ROW_BYTES, split_scores, unpack_row

Answer = asyncio.Future[Any]


class GenerationRows:
    """One generation's rows, over a connection and a cache that all generations share."""

    def __init__(
        self, generation: Generation, keys: Keys, connection: MultiplexedConnection, cache: BucketCache
    ) -> None:
        self._n_buckets = generation.n_buckets
        self._overflows = generation.row_width > ROW_BYTES
        self._scored = generation.score_width > 0
        self._id_width = generation.id_width
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
        return self._whole(await head, await tail)

    async def read_scores(self, user_key: bytes) -> Mapping[int, float] | None:
        """The score of each item index of a row, empty where none are kept; None for who is not stocked.

        Raises:
            StoreUnavailable: as for :meth:`read`.
        """
        if not self._n_buckets:
            return None
        number = zlib.crc32(user_key) % self._n_buckets
        answers = [self._send(b"HGET", name % number, user_key) for name in (self._name, self._overflow_name)]
        head, tail = await asyncio.gather(*answers)
        if not self._scored or not head or tail is None:
            return {} if head else None
        row, scores = split_scores(head, tail, self._id_width)
        return dict(zip(unpack_row(row, self._id_width), scores, strict=True))

    def _whole(self, head: bytes | None, tail: bytes | None) -> bytes | None:
        if head is None or tail is None:
            return head
        return split_scores(head, tail, self._id_width)[0] if self._scored else head + tail

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
            whole = {user: self._whole(row, rest.get(user)) for user, row in rows.items()}
            bucket = Bucket(cast("dict[bytes, bytes]", whole))
        else:
            rows = await heads
            bucket = Bucket(rows)
        # An empty one may be of a server that lost its data; kept, it would stay empty.
        if rows:
            self._cache.put(name, bucket)
        return bucket
