"""The users of a generation sorted by bucket, and how many buckets there should be."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.buckets import bucket_count
from store.byte_strings import ByteStrings
from store.compactness import CompactLimits
from topshelf.errors import UnsuitableServer

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BucketBlock:
    """The users of some buckets in a row.

    Attributes:
        first: number of the first bucket.
        sizes: (n_buckets,) int64, users of each bucket.
        users: (n,) int32, dense indices of the users, bucket by bucket.
        keys: UTF-8 of their external ids.
    """

    first: int
    sizes: NDArray[np.int64]
    users: NDArray[np.int32]
    keys: ByteStrings


@dataclass(frozen=True, eq=False)
class UserBuckets:
    """Every user, sorted by bucket.

    Attributes:
        keys: UTF-8 of each user's external id.
        users: (n_users,) int32, dense index of each user.
        starts: (n_buckets + 1,) int64, where each bucket begins in both.
    """

    keys: ByteStrings
    users: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, keys: ByteStrings, n_buckets: int) -> Self:
        """Sort users by bucket; ``keys`` are those of the dense indices 0, 1, …"""
        if not len(keys):
            return cls(keys, np.empty(0, np.int32), np.zeros(n_buckets + 1, np.int64))
        buckets = keys.crc32() % np.uint32(n_buckets)
        users = np.argsort(buckets, kind="stable").astype(np.int32)
        starts = np.zeros(n_buckets + 1, np.int64)
        np.cumsum(np.bincount(buckets, minlength=n_buckets), out=starts[1:])
        return cls(keys.take(users), users, starts)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Users of each bucket, (n_buckets,)."""
        return np.diff(self.starts)

    def blocks(self, buckets: range, block_users: int) -> Iterator[BucketBlock]:
        """The users of ``buckets``, whole buckets of together ``block_users`` or a few more at a time."""
        first = buckets.start
        while first < buckets.stop:
            enough = int(np.searchsorted(self.starts, self.starts[first] + block_users))
            last = min(max(enough, first + 1), buckets.stop)
            begin, end = int(self.starts[first]), int(self.starts[last])
            yield BucketBlock(
                first,
                np.diff(self.starts[first : last + 1]),
                self.users[begin:end],
                self.keys.part(begin, end),
            )
            first = last


def choose_bucket_count(
    keys: ByteStrings, users_per_bucket: int, limits: CompactLimits, *, head_bytes: int, tail_bytes: int = 0
) -> int:
    """Buckets to spread users over: as many as wished for, more where one would be too large to stay compact.

    Args:
        keys: of all users.
        users_per_bucket: wished for, on average.
        head_bytes: longest value in a bucket.
        tail_bytes: longest value in an overflow hash.

    Raises:
        UnsuitableServer: the server keeps no such row compactly; says which of its settings to raise.
    """
    if head_bytes > limits.value_bytes:
        raise UnsuitableServer(
            f"rows take up to {head_bytes} bytes, and this Redis keeps values above {limits.value_bytes} in "
            f"hash tables of five times the size; set {limits.value_setting} to 64 on it"
        )
    if (longest := max(tail_bytes, int(keys.lengths.max(initial=0)))) > limits.value_bytes:
        log.warning(
            "ids or the ends of rows take up to %d bytes: buckets with more than %d in one become hash "
            "tables of several times the size; raise %s on this Redis, or lower k_store",
            longest,
            limits.value_bytes,
            limits.value_setting,
        )
    n_buckets = bucket_count(len(keys), min(users_per_bucket, max(1, limits.entries)))
    crcs = keys.crc32()
    while n_buckets and (largest := _largest(crcs, n_buckets)) > limits.entries:
        if n_buckets >= len(keys):
            raise UnsuitableServer(
                f"{largest} users share a bucket however many there are, and this Redis keeps hashes of more "
                f"than {limits.entries} fields as hash tables; set {limits.entries_setting} to 512 on it"
            )
        n_buckets = min(len(keys), -(-n_buckets * largest // limits.entries) if limits.entries else len(keys))
    return n_buckets


def _largest(crcs: NDArray[np.uint32], n_buckets: int) -> int:
    return int(np.bincount(crcs % np.uint32(n_buckets)).max())
