"""The arithmetic against ``used_memory`` of a real Redis, filled by the real writer."""

import uuid
from pathlib import Path

import numpy as np
import pytest
import redis

from knn.neighbours import NeighbourIndex
from store.allocation import FieldBytes, Server
from store.blobs import Blobs
from store.buckets import bucket_count, buckets_per_chunk, chunk_ranges
from store.byte_strings import ByteStrings
from store.catalog import write_catalog
from store.compactness import read_limits
from store.connection import allocator_of
from store.generation import Generation
from store.generations import Generations
from store.keys import Keys
from store.packing import PackedRows, pack_rows, pack_scored_rows
from store.rows import RowShape
from store.sizing import NEIGHBOUR_BYTES, bucket_sizes, generation_bytes
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, write_blocks
from tests.waiting import wait_until

KEYS = Keys()
USERS, FIRST_USER = 40_000, 500_000
PER_BUCKET, CHUNK_USERS = 128, 10_000
CATALOG_ITEMS = 15_706


def used(client: redis.Redis) -> int:
    """``used_memory`` without what connections and the append-only file have buffered."""
    client.connection_pool.disconnect()
    wait_until(lambda: len(client.client_list()) == 1)
    memory = client.info("memory")
    return int(memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"])


def user_ids(kind: str) -> list[bytes]:
    if kind == "int":
        return [b"%d" % (FIRST_USER + user) for user in range(USERS)]
    random = np.random.default_rng(0).bytes(16 * USERS)
    return [str(uuid.UUID(bytes=random[16 * user :][:16])).encode() for user in range(USERS)]


def stock(
    client: redis.Redis, dataset: str, users: list[bytes], n_items: int, row: RowShape, k: int
) -> Generation:
    """A verified generation of random lists, with a catalogue."""
    generations = Generations(client, KEYS)
    n_buckets = bucket_count(len(users), PER_BUCKET)
    generation = generations.create(
        "als",
        fence=generations.next_fence("als"),
        layout="users",
        dataset=dataset,
        artifact="a1",
        knn="",
        n_users=len(users),
        n_items=n_items,
        n_buckets=n_buckets,
        buckets_per_chunk=buckets_per_chunk(CHUNK_USERS, PER_BUCKET),
        k_store=k,
        cut_off="",
        score_width=row.score_width,
    )
    write_catalog(
        client,
        KEYS,
        dataset,
        item_ids=range(CATALOG_ITEMS),
        user_id_type="string",
        item_id_type="int64",
        user_id_max=None,
        categories=[["drama"]] * CATALOG_ITEMS,
    )
    lists = np.random.default_rng(1).integers(0, n_items, (len(users), k), dtype=np.int32)

    def rows_of(chosen: np.ndarray) -> PackedRows:
        items = lists[chosen]
        if row.score_width:
            return pack_scored_rows(items, items.astype(np.float32), row.id_width)
        return PackedRows.of(pack_rows(items, row.id_width))

    buckets = UserBuckets.of(ByteStrings.of(users), n_buckets)
    for chunk, numbers in enumerate(chunk_ranges(n_buckets, generation.buckets_per_chunk)):
        generations.chunks.claim("als", generation.id, chunk, lease_seconds=60)
        writer = BucketWriter(client, KEYS, generation)
        written = write_blocks(writer, buckets.blocks(numbers, 4_096), rows_of)
        generations.chunks.finish("als", generation.id, chunk, written)
    return generations.verify("als", generation.id)


@pytest.mark.parametrize(
    ("ids", "n_items", "k", "scores"),
    [
        ("int", 15_706, 10, False),
        ("int", 15_706, 20, False),
        ("int", 1_000_000, 20, False),
        ("int", 20_000_000, 20, False),
        ("int", 15_706, 10, True),
        ("int", 1_000_000, 30, True),
        ("uuid", 15_706, 10, False),
        ("uuid", 1_000_000, 20, True),
    ],
)
def test_a_generation_takes_what_was_worked_out(
    own_client: redis.Redis, ids: str, n_items: int, k: int, scores: bool
) -> None:
    users = user_ids(ids)
    row = RowShape.of("users", n_items, k, scores=scores)
    # The first one also makes the server allocate what it needs once, such as a histogram for each command.
    stock(own_client, "d1", users[:10], n_items, row, k)
    before = used(own_client)
    generation = stock(own_client, "d2", users, n_items, row, k)
    expected = generation_bytes(
        USERS,
        generation.n_buckets,
        generation.n_chunks,
        FieldBytes.of(users),
        row,
        catalog_bytes=own_client.strlen(KEYS.catalog("d2", 1)),
        server=Server(allocator_of(own_client), read_limits(own_client)),
    )
    assert used(own_client) - before == pytest.approx(expected.total, rel=0.05)


@pytest.mark.parametrize(("n_items", "width"), [(2_000, 100), (60_000, 100)])
def test_neighbours_take_what_was_worked_out(
    own_client: redis.Redis, tmp_path: Path, n_items: int, width: int
) -> None:
    shape = (n_items, width)
    NeighbourIndex(np.zeros(shape, np.int32), np.ones(shape, np.float32)).save(tmp_path / "knn")
    files = {path.name: path.read_bytes() for path in (tmp_path / "knn").iterdir()}
    # The first one also makes the server allocate what it needs once, such as a histogram for each command.
    Blobs(own_client).put(lambda part: KEYS.knn("a0", part), dict.fromkeys(files, b""))
    before = used(own_client)
    Blobs(own_client).put(lambda part: KEYS.knn("a1", part), files)
    row = RowShape.of("users", n_items, 10)
    server = Server(allocator_of(own_client), read_limits(own_client))
    length = NEIGHBOUR_BYTES * n_items * width
    expected = generation_bytes(0, 0, 0, FieldBytes.numbers(0), row, neighbour_bytes=length, server=server)
    assert used(own_client) - before == pytest.approx(expected.neighbours, rel=0.05)


def test_all_users_are_in_some_bucket() -> None:
    sizes = list(bucket_sizes(1_000_000, 7_813))
    assert sum(size * count for size, count in sizes) == pytest.approx(1_000_000, rel=1e-3)
    assert sum(count for _, count in sizes) == pytest.approx(7_813, rel=1e-3)


def test_nobody_takes_no_rows() -> None:
    empty = generation_bytes(0, 0, 0, FieldBytes.numbers(0), RowShape.of("users", 10, 10), catalog_bytes=100)
    assert (empty.rows, empty.keys, empty.overflow) == (0, 0, 0)
    assert 0 < empty.catalog < 200
