"""Rows and buckets of many users at once, for whoever writes them."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topshelf.errors import StoreError


def pack_rows(items: NDArray[np.int32], width: int) -> list[bytes]:
    """One packed row per line of ``items`` ((n, k) int32, -1 padded at the end).

    Raises:
        StoreError: an index does not fit into ``width`` bytes, or padding stands before an index.
    """
    n, k = items.shape
    if not n or not k:
        return [b""] * n
    if int(items.max()) >= 256**width:
        raise StoreError(f"item index {int(items.max())} does not fit into {width} bytes")
    present = items >= 0
    if bool((present[:, 1:] & ~present[:, :-1]).any()):
        raise StoreError("a row has padding before an item")
    flat = np.ascontiguousarray(items, dtype="<i4").view(np.uint8).reshape(n, k, 4)[:, :, :width].tobytes()
    ends = (np.arange(n) * k + present.sum(axis=1)) * width
    return [
        flat[start:end] for start, end in zip(range(0, n * k * width, k * width), ends.tolist(), strict=True)
    ]


def buckets_of(user_keys: Sequence[bytes], n_buckets: int) -> NDArray[np.int64]:
    """Bucket of each user, (n,) int64."""
    crcs = np.fromiter(map(zlib.crc32, user_keys), dtype=np.int64, count=len(user_keys))
    return crcs % n_buckets
