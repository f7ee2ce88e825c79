"""A catalogue and generations for readers to serve, written through the store as the workers do it."""

import io
from dataclasses import dataclass

import numpy as np
import redis
from numpy.typing import NDArray

from benchmarks.reading.draws import zipf_lists
from knn.neighbours import IDS_FILE, WEIGHTS_FILE
from store.blobs import Blobs
from store.buckets import bucket_count, chunk_ranges
from store.byte_strings import ByteStrings
from store.catalog import write_catalog
from store.connection import connect
from store.generation import Layout
from store.generations import Generation, Generations
from store.keys import Keys
from store.packing import PackedRows, pack_rows
from store.recents import Recents
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, write_blocks
from topshelf.settings import Settings

N_ITEMS = 15_706
"""Items of KION's catalogue."""
FIRST_ITEM = 100
DATASET, MODEL, KNN = "bench", "als", "item_knn-bench"
GENRES = [f"genre {number}" for number in range(20)]
NEIGHBOURS = 100
RECENT_ITEMS = 10
DRAWN_LISTS = 50_000
FEW_USERS = 1_000
"""Rows of the generation that only brings the neighbour index along."""
LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Stock:
    """What stands in Redis: users 1 to ``n_users`` have a row, ``n_newcomers`` above them recent items."""

    n_users: int
    n_newcomers: int
    n_buckets: int

    @property
    def newcomers(self) -> NDArray[np.int64]:
        """Users without a row."""
        return np.arange(self.n_users + 1, self.n_users + self.n_newcomers + 1)

    def users_of_every_bucket(self, times: int) -> NDArray[np.int64]:
        """One user of every bucket, then another of every bucket, and so on ``times`` times; (n,) int64."""
        buckets = _sorted_by_bucket(self.n_users, self.n_buckets)
        sizes = np.diff(buckets.starts)
        filled = sizes > 0
        starts, sizes = buckets.starts[:-1][filled], sizes[filled]
        rounds = [buckets.users[starts + time % sizes] for time in range(times)]
        return np.concatenate(rounds).astype(np.int64) + 1


class Stocking:
    """Writes everything into one Redis."""

    def __init__(self, client: redis.Redis, rng: np.random.Generator) -> None:
        self._client = client
        self._keys = Keys()
        self._generations = Generations(client, self._keys)
        self._rng = rng
        self._k_store = int(Settings.model_fields["k_store"].default)
        self._users_per_bucket = int(Settings.model_fields["users_per_bucket"].default)
        self._chunk_users = int(Settings.model_fields["chunk_users"].default)

    def write(self, n_users: int, n_newcomers: int) -> Stock:
        """Catalogue, ``popular``, ``item_knn`` with its index, lists of users, recent items of newcomers."""
        self._write_catalog(user_id_max=2 * (n_users + n_newcomers))
        self._publish_popular()
        self._publish_neighbours()
        generation = self._publish_lists(MODEL, n_users)
        self._write_recents(range(n_users + 1, n_users + n_newcomers + 1))
        return Stock(n_users, n_newcomers, generation.n_buckets)

    def _write_catalog(self, user_id_max: int) -> None:
        genres = self._rng.integers(len(GENRES), size=(N_ITEMS, 2)).tolist()
        write_catalog(
            self._client,
            self._keys,
            DATASET,
            item_ids=list(range(FIRST_ITEM, FIRST_ITEM + N_ITEMS)),
            user_id_type="int64",
            item_id_type="int64",
            user_id_max=user_id_max,
            categories=[sorted({GENRES[first], GENRES[second]}) for first, second in genres],
        )

    def _publish_popular(self) -> None:
        generation = self._create("popular", "segments", 0)
        most_popular = np.arange(self._k_store, dtype=np.int32)[np.newaxis]
        rows = pack_rows(most_popular, generation.id_width).tolist()
        self._generations.write_segments(generation.model, generation.id, rows, [""])
        self._publish(generation)

    def _publish_neighbours(self) -> None:
        ids = zipf_lists(N_ITEMS, N_ITEMS, NEIGHBOURS, self._rng)
        nearness = np.linspace(1, 0.1, NEIGHBOURS, dtype=np.float32)
        weights = np.where(ids >= 0, nearness, np.float32(0))
        files = {IDS_FILE: _npy(ids), WEIGHTS_FILE: _npy(weights)}
        Blobs(self._client).put(lambda part: self._keys.knn(KNN, part), files)
        self._publish_lists("item_knn", FEW_USERS, knn=KNN)

    def _publish_lists(self, model: str, n_users: int, *, knn: str = "") -> Generation:
        generation = self._create(model, "users", n_users, knn)
        lists = zipf_lists(N_ITEMS, min(n_users, DRAWN_LISTS), self._k_store, self._rng)
        drawn = pack_rows(lists, generation.id_width)
        choice = self._rng.integers(len(drawn), size=n_users)
        buckets = _sorted_by_bucket(n_users, generation.n_buckets)
        model, name = generation.model, generation.id
        for chunk, numbers in enumerate(chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)):
            self._generations.chunks.claim(model, name, chunk, lease_seconds=LEASE_SECONDS)
            writer = BucketWriter(self._client, self._keys, generation)
            blocks = buckets.blocks(numbers, self._chunk_users)
            written = write_blocks(writer, blocks, lambda users: PackedRows.of(drawn.take(choice[users])))
            self._generations.chunks.finish(model, name, chunk, written)
        self._publish(generation)
        return generation

    def _write_recents(self, users: range) -> None:
        ttl_seconds = int(Settings.model_fields["recent_ttl_seconds"].default)
        recents = Recents(self._client, self._keys, ttl_seconds)
        touched = zipf_lists(N_ITEMS, len(users), RECENT_ITEMS, self._rng)
        for user, items in zip(users, touched.tolist(), strict=True):
            recents.touch(str(user), [str(FIRST_ITEM + item) for item in items if item >= 0])

    def _create(self, model: str, layout: Layout, n_users: int, knn: str = "") -> Generation:
        return self._generations.create(
            model,
            fence=self._generations.next_fence(model),
            layout=layout,
            dataset=DATASET,
            artifact=f"{model}-{DATASET}",
            knn=knn,
            n_users=n_users,
            n_items=N_ITEMS,
            n_buckets=bucket_count(n_users, self._users_per_bucket),
            buckets_per_chunk=self._chunk_users // self._users_per_bucket,
            k_store=self._k_store,
            cut_off="2026-01-01T00:00:00+00:00",
        )

    def _publish(self, generation: Generation) -> None:
        self._generations.verify(generation.model, generation.id)
        self._generations.publish(generation.model, generation.id, generation.fence)


def stock(url: str, n_users: int, n_newcomers: int, seed: int) -> Stock:
    """Fill an empty Redis.

    Raises:
        StoreError: it could not be written.
    """
    with connect(url, timeout_seconds=30) as client:
        return Stocking(client, np.random.default_rng(seed)).write(n_users, n_newcomers)


def _sorted_by_bucket(n_users: int, n_buckets: int) -> UserBuckets:
    return UserBuckets.of(ByteStrings.of([b"%d" % user for user in range(1, n_users + 1)]), n_buckets)


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
