"""Packing and writing alone, and what it takes in Redis."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import redis

from interactions.synthetic import KION_ITEMS
from store.buckets import bucket_count, buckets_per_chunk, chunk_ranges
from store.byte_strings import ByteStrings
from store.catalog import write_catalog
from store.connection import connect
from store.embedded import EmbeddedRedis
from store.generations import Generations
from store.keys import Keys
from store.packing import PackedRows, pack_rows
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, write_blocks
from topshelf.settings import Settings
from workers.scoring import BLOCK_USERS

MODEL, DATASET = "als", "bench"
DRAWN_LISTS = 50_000
FEW_USERS = 1_000
LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Writing:
    """Rows of ``k`` items for ``users``: seconds of claiming, packing, writing and finishing all chunks;
    bytes a user in Redis with keys, catalogue, record and bitmap.
    """

    users: int
    k: int
    seconds: float
    bytes_per_user: float
    server: str

    @property
    def users_per_second(self) -> float:
        """The rate of one process."""
        return self.users / self.seconds


def measure_writing(users: int, k: int, folder: Path) -> Writing:
    """Write random lists of a catalogue of KION's size into an empty Redis."""
    with (
        EmbeddedRedis(folder, append_only=False) as server,
        connect(server.url, timeout_seconds=30) as client,
    ):
        # The first rows of a server bring buffers and histograms along that are no part of a generation.
        _write(client, "warm-up", FEW_USERS, k)
        before = _used(client)
        seconds = _write(client, MODEL, users, k)
        grown = _used(client) - before
        info = client.info()
        name = f"Redis {info['redis_version']}, {info['mem_allocator']}"
    return Writing(users, k, seconds, grown / users, name)


def _write(client: redis.Redis, model: str, users: int, k: int) -> float:
    keys, generations = Keys(), Generations(client, Keys())
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((min(users, DRAWN_LISTS), 4 * k)), axis=1)[:, :k].astype(np.int32)
    lists *= KION_ITEMS // (4 * k)
    ids = np.sort(rng.choice(int(1.14 * users) + 1, users, replace=False))
    user_keys = ByteStrings.of([b"%d" % number for number in ids.tolist()])
    per_bucket = int(Settings.model_fields["users_per_bucket"].default)
    n_buckets = bucket_count(users, per_bucket)
    buckets = UserBuckets.of(user_keys, n_buckets)
    generation = generations.create(
        model,
        fence=generations.next_fence(model),
        layout="users",
        dataset=f"{DATASET}-{model}",
        artifact=DATASET,
        knn="",
        n_users=users,
        n_items=KION_ITEMS,
        n_buckets=n_buckets,
        buckets_per_chunk=buckets_per_chunk(int(Settings.model_fields["chunk_users"].default), per_bucket),
        k_store=k,
        cut_off="2026-01-01T00:00:00+00:00",
    )
    write_catalog(
        client,
        keys,
        f"{DATASET}-{model}",
        item_ids=list(range(KION_ITEMS)),
        user_id_type="int64",
        item_id_type="int64",
        user_id_max=None,
        categories=[[f"genre {item % 20}", f"genre {item % 7}"] for item in range(KION_ITEMS)],
    )
    began = time.perf_counter()
    for chunk, numbers in enumerate(chunk_ranges(n_buckets, generation.buckets_per_chunk)):
        generations.chunks.claim(model, generation.id, chunk, lease_seconds=LEASE_SECONDS)
        written = write_blocks(
            BucketWriter(client, keys, generation),
            buckets.blocks(numbers, BLOCK_USERS),
            lambda block: PackedRows.of(pack_rows(lists[block % len(lists)], generation.id_width)),
        )
        generations.chunks.finish(model, generation.id, chunk, written)
    seconds = time.perf_counter() - began
    generations.verify(model, generation.id)
    return seconds


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])
