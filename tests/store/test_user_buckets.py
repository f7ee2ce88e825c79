import logging
import zlib

import numpy as np
import pytest

from store.byte_strings import ByteStrings
from store.compactness import CompactLimits
from store.user_buckets import UserBuckets, choose_bucket_count
from topshelf.errors import UnsuitableServer

USERS = [f"user {number}".encode() for number in range(1_000)]
KEYS = ByteStrings.of(USERS)


def test_users_are_sorted_by_the_crc32_of_their_ids() -> None:
    buckets = UserBuckets.of(KEYS, 13)
    assert sorted(buckets.users.tolist()) == list(range(1_000))
    for bucket in range(13):
        members = buckets.users[buckets.starts[bucket] : buckets.starts[bucket + 1]]
        assert {zlib.crc32(USERS[user]) % 13 for user in members} == {bucket}
    assert buckets.keys.tolist() == [USERS[user] for user in buckets.users]


def test_nobody_is_in_no_bucket() -> None:
    buckets = UserBuckets.of(ByteStrings.of([]), 0)
    assert list(buckets.blocks(range(0), 10)) == []


@pytest.mark.parametrize(("chunk", "block_users"), [(range(13), 100), (range(4, 9), 1), (range(13), 10_000)])
def test_blocks_are_whole_buckets_in_a_row(chunk: range, block_users: int) -> None:
    buckets = UserBuckets.of(KEYS, 13)
    blocks = list(buckets.blocks(chunk, block_users))
    assert [block.first for block in blocks] == [
        chunk.start + sum(block.sizes.size for block in blocks[:place]) for place in range(len(blocks))
    ]
    assert sum(block.sizes.size for block in blocks) == len(chunk)
    expected = buckets.users[buckets.starts[chunk.start] : buckets.starts[chunk.stop]]
    assert np.concatenate([block.users for block in blocks]).tolist() == expected.tolist()
    for block in blocks:
        assert len(block.keys) == block.users.size == block.sizes.sum()
        assert block.keys.tolist() == [USERS[user] for user in block.users]
        assert block.sizes[:-1].sum() < block_users


def test_buckets_without_users_are_no_harm() -> None:
    buckets = UserBuckets.of(ByteStrings.of([b"1"]), 50)
    blocks = list(buckets.blocks(range(50), 10))
    assert sum(block.sizes.size for block in blocks) == 50
    assert [user for block in blocks for user in block.users.tolist()] == [0]


def test_there_are_as_many_buckets_as_wished_for() -> None:
    assert choose_bucket_count(KEYS, 100, CompactLimits(), head_bytes=20) == 10
    assert choose_bucket_count(ByteStrings.of([]), 100, CompactLimits(), head_bytes=20) == 0
    assert choose_bucket_count(ByteStrings.of([b"1"]), 100, CompactLimits(), head_bytes=20) == 1


@pytest.mark.parametrize("entries", [8, 32, 100])
def test_no_bucket_is_larger_than_the_server_keeps_compactly(entries: int) -> None:
    n_buckets = choose_bucket_count(KEYS, 100, CompactLimits(entries), head_bytes=20)
    assert n_buckets > 10
    assert np.diff(UserBuckets.of(KEYS, n_buckets).starts).max() <= entries


def test_users_that_no_number_of_buckets_parts_are_refused() -> None:
    twice = ByteStrings.of([b"plumless", b"buckeroo"])
    assert zlib.crc32(twice[0]) == zlib.crc32(twice[1])
    with pytest.raises(UnsuitableServer, match="set hash-max-listpack-entries to 512"):
        choose_bucket_count(twice, 100, CompactLimits(entries=1), head_bytes=20)


def test_rows_longer_than_the_server_keeps_compactly_are_refused() -> None:
    limits = CompactLimits(value_bytes=32, name="ziplist")
    assert choose_bucket_count(KEYS, 100, limits, head_bytes=32)
    with pytest.raises(UnsuitableServer, match="set hash-max-ziplist-value to 64"):
        choose_bucket_count(KEYS, 100, limits, head_bytes=33)


@pytest.mark.parametrize(("user", "tail_bytes"), [(b"u" * 65, 0), (b"u", 65)])
def test_ids_and_tails_too_long_are_warned_of(
    user: bytes, tail_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "store.user_buckets")
    keys = ByteStrings.of([user])
    assert choose_bucket_count(keys, 100, CompactLimits(), head_bytes=64, tail_bytes=tail_bytes) == 1
    assert "65 bytes" in caplog.text
    assert "hash-max-listpack-value" in caplog.text
