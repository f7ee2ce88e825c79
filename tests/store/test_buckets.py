import zlib

import redis

from store.buckets import (
    bucket_count,
    bucket_of,
    check_encoding,
    chunk_count,
    chunk_ranges,
    count_users,
    write_buckets,
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


def test_buckets_hold_what_was_written(client: redis.Redis, keys: Keys) -> None:
    written = write_buckets(
        client, keys, "als", "7", {0: [(b"1", b"ab"), ("用户".encode(), b"cd")], 4: [(b"2", b"")]}
    )
    assert written == 3
    assert client.hgetall(keys.bucket("als", "7", 0)) == {b"1": b"ab", "用户".encode(): b"cd"}
    assert client.hgetall(keys.bucket("als", "7", 4)) == {b"2": b""}


def test_a_bucket_is_replaced_whole(client: redis.Redis, keys: Keys) -> None:
    long = bytes(range(80))
    write_buckets(client, keys, "als", "7", {0: [(b"1", long), (b"2", b"ab")]})
    write_buckets(client, keys, "als", "7", {0: [(b"3", b"cd")]})
    assert client.hgetall(keys.bucket("als", "7", 0)) == {b"3": b"cd"}
    assert not client.exists(keys.overflow("als", "7", 0))


def test_the_same_call_again_leaves_the_same_content(client: redis.Redis, keys: Keys) -> None:
    content = {0: [(b"1", bytes(80)), (b"2", b"ab")], 1: [(b"3", b"cd")]}
    names = [keys.bucket("als", "7", 0), keys.overflow("als", "7", 0), keys.bucket("als", "7", 1)]
    write_buckets(client, keys, "als", "7", content)
    before = [client.hgetall(name) for name in names]
    write_buckets(client, keys, "als", "7", content)
    assert [client.hgetall(name) for name in names] == before
    assert all(before)


def test_what_goes_beyond_64_bytes_stands_in_the_overflow(client: redis.Redis, keys: Keys) -> None:
    row = bytes(range(80))
    write_buckets(client, keys, "als", "7", {0: [(b"1", row), (b"2", row[:64]), (b"3", row[:65])]})
    assert client.hgetall(keys.bucket("als", "7", 0)) == dict.fromkeys((b"1", b"2", b"3"), row[:64])
    assert client.hgetall(keys.overflow("als", "7", 0)) == {b"1": row[64:], b"3": row[64:65]}


def test_a_bucket_may_be_large(client: redis.Redis, keys: Keys) -> None:
    rows = [(str(number).encode(), b"ab") for number in range(9_999)]
    assert write_buckets(client, keys, "als", "7", {0: rows}) == 9_999
    assert client.hlen(keys.bucket("als", "7", 0)) == 9_999


def test_users_are_counted_over_all_buckets(client: redis.Redis, keys: Keys) -> None:
    write_buckets(client, keys, "als", "7", {number: [(b"1", b"a"), (b"2", b"b")] for number in range(2_500)})
    assert count_users(client, keys, "als", "7", range(2_500)) == 5_000
    assert count_users(client, keys, "als", "7", range(0)) == 0


def test_buckets_of_the_right_size_are_compact(client: redis.Redis, keys: Keys) -> None:
    write_buckets(client, keys, "als", "7", {0: [(str(n).encode(), bytes(80)) for n in range(200)]})
    assert check_encoding(client, keys, "als", "7", [0, 1]) == ""


def test_a_bucket_that_is_a_hash_table_is_warned_of(client: redis.Redis, keys: Keys) -> None:
    crowded = [(str(n).encode(), b"ab") for n in range(2_000)]
    write_buckets(client, keys, "als", "7", {0: crowded, 1: crowded[:100]})
    assert check_encoding(client, keys, "als", "7", [0, 1]).startswith("1 of 2 sampled buckets")
