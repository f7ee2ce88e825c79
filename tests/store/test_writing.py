import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import redis

from store import writing
from store.buckets import bucket_of, count_users
from store.byte_strings import ByteStrings
from store.compactness import check_encoding
from store.generation import Generation
from store.keys import Keys
from store.packing import PackedRows, pack_rows
from store.stocked import read_rows
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, write_blocks
from tests.store.stocking import Stocking, pack, write_lists
from topshelf.errors import StoreError

UUID = "c0ffee00-0000-4000-8000-{:012d}"
IDS = [
    *map(str, range(1, 400)),
    *map(UUID.format, range(50)),
    "ümläut",
    "用户",
    "🦊",
    "a}b{c",
    " ",
    "\r\n",
    "x" * 200,
]


@pytest.fixture
def generation(stocking: Stocking) -> Generation:
    return stocking.open(IDS, n_items=2**20, k_store=30)


def lists_of(users: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Lists of 0 to 30 items."""
    return {user: tuple(range(place, place + place % 31)) for place, user in enumerate(users)}


def rows_in(
    client: redis.Redis, keys: Keys, generation: Generation, users: Sequence[str]
) -> list[bytes | None]:
    return read_rows(client, keys, generation, [user.encode() for user in users])


@pytest.mark.parametrize("part_bytes", [1, 5_000, 10**6])
def test_rows_of_any_length_are_written_for_ids_of_any_kind(
    client: redis.Redis, keys: Keys, generation: Generation, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PART_BYTES", part_bytes)
    lists = lists_of(IDS)
    assert write_lists(client, keys, generation, lists) == len(IDS)
    assert rows_in(client, keys, generation, IDS) == [pack(lists[user], 3) for user in IDS]
    assert count_users(client, keys, "als", generation.id, range(generation.n_buckets)) == len(IDS)


def test_rows_stand_in_the_bucket_of_their_user_and_no_other(
    client: redis.Redis, keys: Keys, generation: Generation
) -> None:
    lists = lists_of(IDS)
    write_lists(client, keys, generation, lists)
    for bucket in range(generation.n_buckets):
        members = [user for user in IDS if bucket_of(user.encode(), generation.n_buckets) == bucket]
        rows = {user.encode(): pack(lists[user], 3) for user in members}
        assert client.hgetall(keys.bucket("als", generation.id, bucket)) == {
            user: row[:64] for user, row in rows.items()
        }
        assert client.hgetall(keys.overflow("als", generation.id, bucket)) == {
            user: row[64:] for user, row in rows.items() if len(row) > 64
        }


def test_only_the_buckets_asked_for_are_written(
    client: redis.Redis, keys: Keys, generation: Generation
) -> None:
    write_lists(client, keys, generation, lists_of(IDS), range(3, 5))
    found = {
        user for user, row in zip(IDS, rows_in(client, keys, generation, IDS), strict=True) if row is not None
    }
    assert found == {user for user in IDS if bucket_of(user.encode(), generation.n_buckets) in (3, 4)}


def test_a_chunk_written_again_never_lacks_a_row(
    client: redis.Redis, keys: Keys, generation: Generation
) -> None:
    lists = lists_of(IDS)
    write_lists(client, keys, generation, lists)
    before = rows_in(client, keys, generation, IDS)
    over = threading.Event()
    holes: list[bytes | None] = []

    def read_on() -> None:
        while not over.is_set():
            holes.extend(row for row in rows_in(client, keys, generation, IDS) if row is None)

    reading = threading.Thread(target=read_on)
    reading.start()
    for _ in range(5):
        write_lists(client, keys, generation, lists)
    over.set()
    reading.join()
    assert holes == []
    assert rows_in(client, keys, generation, IDS) == before


def test_a_generation_of_usual_buckets_is_compact(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    users = list(map(str, range(20_000)))
    generation = replace(stocking.open(users, k_store=20), n_buckets=156)
    write_lists(client, keys, generation, dict.fromkeys(users, range(20)))
    assert check_encoding(client, keys, "als", generation.id, range(156)) == ""


def test_a_bucket_may_be_large(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    users = list(map(str, range(9_999)))
    generation = replace(stocking.open(users), n_buckets=1)
    assert write_lists(client, keys, generation, dict.fromkeys(users, (1,))) == 9_999
    assert client.hlen(keys.bucket("als", generation.id, 0)) == 9_999


class TestBlocks:
    BUCKETS = UserBuckets.of(ByteStrings.of([user.encode() for user in IDS]), 60)

    def rows(self, users: np.ndarray) -> PackedRows:
        return PackedRows.of(pack_rows(np.zeros((users.size, 3), np.int32), 2))

    def test_the_next_is_worked_out_while_one_is_written(
        self, client: redis.Redis, keys: Keys, generation: Generation
    ) -> None:
        second_begun = threading.Event()

        class Waiting(BucketWriter):
            def write(self, *block: object) -> int:
                assert second_begun.wait(10)
                return super().write(*block)  # type: ignore[arg-type]

        asked: list[int] = []

        def rows_of(users: np.ndarray) -> PackedRows:
            asked.append(users.size)
            if len(asked) == 2:
                second_begun.set()
            return self.rows(users)

        blocks = self.BUCKETS.blocks(range(60), 100)
        assert write_blocks(Waiting(client, keys, generation), blocks, rows_of) == len(IDS) == sum(asked)

    def test_whoever_stops_it_stops_it_before_the_next_block(
        self, client: redis.Redis, keys: Keys, generation: Generation
    ) -> None:
        turns: list[int] = []

        def stop() -> None:
            turns.append(1)
            if len(turns) == 3:
                raise KeyboardInterrupt

        blocks = list(self.BUCKETS.blocks(range(60), 100))
        with pytest.raises(KeyboardInterrupt):
            write_blocks(BucketWriter(client, keys, generation), blocks, self.rows, stop)
        written = count_users(client, keys, "als", generation.id, range(60))
        assert written <= sum(block.users.size for block in blocks[:2]) < len(IDS)

    def test_an_error_while_writing_comes_out(
        self, client: redis.Redis, keys: Keys, generation: Generation
    ) -> None:
        client.set(keys.bucket("als", generation.id, 30), "no hash")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            write_blocks(
                BucketWriter(client, keys, generation), self.BUCKETS.blocks(range(60), 20), self.rows
            )
