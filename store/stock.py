"""The rows of one live generation, as a reader sees them: out of memory, else in one round trip."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from store.bucket_cache import Bucket, BucketCache
from store.generation import Generation
from store.keys import Keys
from store.marks import UserMarks
from store.multiplexed import MultiplexedConnection, packed
from store.recents import decode_profile
from store.rows import ROW_BYTES, split_scores, unpack_row
from topshelf.errors import StoreUnavailable

Answer = asyncio.Future[Any]


class UserRow(NamedTuple):
    """All that Redis has about one user."""

    row: bytes | None
    """The packed row; None or empty for who is not stocked."""
    recents: Sequence[str] = ()
    """Items touched of late, newest first."""
    profile: Mapping[str, Any] | None = None


class Stock:
    """One generation's rows, over a connection, marks and a cache that all generations share."""

    def __init__(
        self,
        generation: Generation,
        keys: Keys,
        connection: MultiplexedConnection,
        marks: UserMarks,
        cache: BucketCache,
    ) -> None:
        self._n_buckets = generation.n_buckets
        self._overflows = generation.row_width > ROW_BYTES
        self._scored = generation.score_width > 0
        self._id_width = generation.id_width
        self._keys = keys
        self._connection = connection
        self._marks = marks
        self._cache = cache
        self._fetches: dict[bytes, asyncio.Task[Bucket]] = {}
        self._name = keys.bucket_pattern(generation.model, generation.id)
        self._overflow_name = keys.overflow_pattern(generation.model, generation.id)

    def held_row(self, user_key: bytes) -> bytes | None:
        """The row of a user who has no more than that, out of memory.

        Empty for who is not stocked; None where Redis must be asked.
        """
        return None if self._marks.may_have_more(user_key) else self.remembered_row(user_key)

    def remembered_row(self, user_key: bytes) -> bytes | None:
        """The same, whatever the user may have touched since."""
        if not self._n_buckets:
            return b""
        bucket = self._cache.get(self._name % (zlib.crc32(user_key) % self._n_buckets))
        return None if bucket is None else bucket.row(user_key) or b""

    async def read(self, user_key: bytes) -> UserRow:
        """Everything about one user in one round trip.

        Raises:
            StoreUnavailable: there is no connection, or no answer in time.
        """
        more = self._send_more(user_key) if self._marks.may_have_more(user_key) else []
        if not self._n_buckets:
            return await _joined(None, more)
        number = zlib.crc32(user_key) % self._n_buckets
        name = self._name % number
        bucket = self._cache.get(name)
        if bucket is None and self._cache.worth_keeping(name):
            bucket = await self._fetch(name, number)
        if bucket is not None:
            return await _joined(bucket.row(user_key), more)
        head = self._send(b"HGET", name, user_key)
        if not self._overflows:
            return await _joined(await head, more)
        tail = self._send(b"HGET", self._overflow_name % number, user_key)
        return await _joined(self._row(await head, await tail), more)

    def read_row(self, user_key: bytes) -> Answer | None:
        """The row of a user who has no more than that, as a future of one read.

        None where it takes more than that, and where there is no connection.
        """
        if not self._n_buckets or self._overflows or self._marks.may_have_more(user_key):
            return None
        name = self._name % (zlib.crc32(user_key) % self._n_buckets)
        if self._cache.worth_keeping(name):
            return None
        try:
            return self._send(b"HGET", name, user_key)
        except StoreUnavailable:
            return None

    async def read_many(self, user_keys: Sequence[bytes]) -> list[UserRow]:
        """Everything about many users, in the order asked for; one round trip for all not in memory.

        Raises:
            StoreUnavailable: as for :meth:`read`.
        """
        held = [self.held_row(user_key) for user_key in user_keys]
        unknown = [self.read(key) for key, row in zip(user_keys, held, strict=True) if row is None]
        read = iter(await asyncio.gather(*unknown))
        return [next(read) if row is None else UserRow(row) for row in held]

    async def read_scores(self, user_key: bytes) -> Mapping[int, float]:
        """The score of each item index of a user's row; empty for who is not stocked, or where none are kept.

        Raises:
            StoreUnavailable: as for :meth:`read`.
        """
        if not self._n_buckets or not self._scored:
            return {}
        number = zlib.crc32(user_key) % self._n_buckets
        answers = [self._send(b"HGET", name % number, user_key) for name in (self._name, self._overflow_name)]
        head, tail = await asyncio.gather(*answers)
        if head is None or tail is None:
            return {}
        row, scores = split_scores(head, tail, self._id_width)
        return dict(zip(unpack_row(row, self._id_width), scores, strict=True))

    def _row(self, head: bytes | None, tail: bytes | None) -> Any:
        if head is None or tail is None:
            return head
        return split_scores(head, tail, self._id_width)[0] if self._scored else head + tail

    def _send(self, *command: bytes | int) -> Answer:
        return self._connection.send(packed(*command))

    def _send_more(self, user_key: bytes) -> list[Answer]:
        recents, profile = self._keys.recent(user_key).encode(), self._keys.profile(user_key).encode()
        return [self._send(b"LRANGE", recents, 0, -1), self._send(b"GET", profile)]

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
            bucket = Bucket({user: self._row(row, rest.get(user)) for user, row in rows.items()})
        else:
            bucket = Bucket(await heads)
        self._cache.put(name, bucket)
        return bucket


async def _joined(row: bytes | None, more: Sequence[Answer]) -> UserRow:
    if not more:
        return UserRow(row)
    recents, profile = more
    return UserRow(row, [item.decode() for item in await recents], decode_profile(await profile))
