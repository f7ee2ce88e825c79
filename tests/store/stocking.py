"""Generations for tests, stocked through the store as a worker does it."""

from collections.abc import Mapping, Sequence

import numpy as np
import redis

from store.buckets import bucket_count, chunk_ranges
from store.byte_strings import ByteStrings
from store.generation import Generation, Layout
from store.generations import Generations
from store.keys import Keys
from store.packing import PackedRows, pack_rows, pack_scored_rows, pack_segments
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, write_blocks

USERS = [f"user {number}" for number in range(1, 61)] + ["ümläut", "用户", "🦊", "a}b{c", " "]


class Stocking:
    """Opens, fills and publishes generations of one model."""

    def __init__(self, client: redis.Redis, keys: Keys, model: str = "als") -> None:
        self.client = client
        self.keys = keys
        self.model = model
        self.generations = Generations(client, keys)

    def open(
        self,
        users: Sequence[str] = USERS,
        *,
        layout: Layout = "users",
        n_items: int = 1_000,
        k_store: int = 3,
        dataset: str = "d1",
        knn: str = "",
        score_width: int = 0,
        base: str = "",
        newer: str = "",
    ) -> Generation:
        """A generation with buckets of about eight users and chunks of three buckets."""
        return self.generations.create(
            self.model,
            fence=self.generations.next_fence(self.model),
            layout=layout,
            dataset=dataset,
            artifact="a1",
            knn=knn,
            n_users=len(users),
            n_items=n_items,
            n_buckets=bucket_count(len(users), 8),
            buckets_per_chunk=3,
            k_store=k_store,
            cut_off="2026-01-01T00:00:00+00:00",
            score_width=score_width,
            base=base,
            newer=newer,
        )

    def fill(self, generation: Generation, rows: Mapping[str, Sequence[int]]) -> None:
        """Write every chunk of a generation."""
        for chunk in range(generation.n_chunks):
            self.fill_chunk(generation, rows, chunk)

    def fill_chunk(self, generation: Generation, rows: Mapping[str, Sequence[int]], chunk: int) -> int:
        """Write one chunk; returns the chunks that remain."""
        model, name = generation.model, generation.id
        assert self.generations.chunks.claim(model, name, chunk, lease_seconds=60) == "granted"
        users = self.write_chunk(generation, rows, chunk)
        return self.generations.chunks.finish(model, name, chunk, users)

    def write_chunk(self, generation: Generation, rows: Mapping[str, Sequence[int]], chunk: int) -> int:
        """Write the buckets of one chunk; returns the users written."""
        numbers = chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)[chunk]
        return write_lists(self.client, self.keys, generation, rows, numbers)

    def ready(self, item: int = 1, users: Sequence[str] = USERS) -> Generation:
        """A verified generation in which every user has the list ``item, item, item``."""
        generation = self.open(users)
        self.fill(generation, dict.fromkeys(users, (item,) * 3))
        return self.generations.verify(self.model, generation.id)

    def live(self, item: int = 1) -> Generation:
        """The same, published."""
        generation = self.ready(item)
        self.generations.publish(self.model, generation.id, generation.fence)
        return self.generations.get(self.model, generation.id)

    def ready_delta(self, base: Generation, item: int = 2, users: Sequence[str] = USERS[:10]) -> Generation:
        """A verified delta over ``base`` in which ``users`` have the list ``item, item, item``."""
        delta = self.open(users, base=base.id, newer="d2")
        self.fill(delta, dict.fromkeys(users, (item,) * 3))
        return self.generations.verify(self.model, delta.id)

    def live_delta(self, base: Generation, item: int = 2, users: Sequence[str] = USERS[:10]) -> Generation:
        """The same, published."""
        delta = self.ready_delta(base, item, users)
        self.generations.publish(self.model, delta.id, delta.fence)
        return self.generations.get(self.model, delta.id)

    def state(self, generation: Generation) -> str:
        return self.generations.get(generation.model, generation.id).state

    def content_keys(self, generation: Generation) -> int:
        """How many keys hold a generation's rows."""
        names = [
            key(generation.model, generation.id, bucket)
            for bucket in range(generation.n_buckets)
            for key in (self.keys.bucket, self.keys.overflow)
        ]
        return int(self.client.exists(*names)) if names else 0


def pack(items: Sequence[int], width: int) -> bytes:
    """One packed row."""
    [row] = pack_rows(np.array([items], dtype=np.int32), width).tolist()
    return row


def pack_lists(lists: Sequence[Sequence[int]], generation: Generation) -> PackedRows:
    """The rows of lists of item indices, or of a segment number each; scores kept are half an index."""
    if generation.layout == "segments":
        return PackedRows.of(pack_segments(np.array(lists).reshape(-1)))
    longest = max(map(len, lists), default=0)
    items = np.array([[*found, *[-1] * (longest - len(found))] for found in lists], dtype=np.int32)
    items = items.reshape(len(lists), longest)
    if generation.score_width:
        return pack_scored_rows(items, items / 2, generation.id_width)
    return PackedRows.of(pack_rows(items, generation.id_width))


def write_lists(
    client: redis.Redis,
    keys: Keys,
    generation: Generation,
    lists: Mapping[str, Sequence[int]],
    numbers: range | None = None,
) -> int:
    """Write the lists of users, of the buckets ``numbers`` or of all; returns the users written."""
    texts, rows = list(lists), list(lists.values())
    buckets = UserBuckets.of(ByteStrings.of([text.encode() for text in texts]), generation.n_buckets)
    blocks = buckets.blocks(range(generation.n_buckets) if numbers is None else numbers, 50)
    writer = BucketWriter(client, keys, generation)
    return write_blocks(writer, blocks, lambda users: pack_lists([rows[user] for user in users], generation))
