import zlib

import redis

from store.buckets import (
    bucket_count,
    bucket_of,
    chunk_count,
    chunk_ranges,
    count_users,
)
from store.keys import Keys


def test_a_user_is_in_the_bucket_of_the_crc32_of_the_id() -> None:
    assert bucket_of("用户".encode(), 97) == zlib.crc32("用户".encode()) % 97


def test_there_are_enough_buckets_and_none_for_nobody() -> None:
    assert [bucket_count(n, 100) for n in (0, 1, 100, 101)] == [0, 1, 1, 2]


def test_chunks_cover_every_bucket_once() -> None:
    ranges = chunk_ranges(10, 4)
    assert [list(chunk) for chunk in ranges] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(ranges) == chunk_count(10, 4)
    assert chunk_ranges(0, 4) == []


def test_users_are_counted_over_all_buckets(client: redis.Redis, keys: Keys) -> None:
    with client.pipeline(transaction=False) as pipe:
        for bucket in range(2_500):
            pipe.hset(keys.bucket("als", "7", bucket), mapping={"1": "a", "2": "b"})
        pipe.execute()
    assert count_users(client, keys, "als", "7", range(2_500)) == 5_000
    assert count_users(client, keys, "als", "7", range(2_600)) == 5_000
    assert count_users(client, keys, "als", "7", range(0)) == 0
