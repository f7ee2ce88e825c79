"""Rows of many users at once, for whoever writes them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.byte_strings import ByteStrings, copy_pieces, ends_of
from store.rows import ROW_BYTES, SCORE_WIDTH, SEGMENT_WIDTH
from topshelf.errors import StoreError

LARGEST_SCORE = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Rows as the two hashes of a bucket take them.

    Attributes:
        heads: the first 64 bytes of each row's indices.
        tails: what is beyond, and the scores where they are kept; None where no row has either.
    """

    heads: ByteStrings
    tails: ByteStrings | None = None

    @classmethod
    def of(cls, rows: ByteStrings, scores: ByteStrings | None = None) -> Self:
        """Cut rows in two, and put the scores at the end."""
        if scores is None and int(rows.lengths.max(initial=0)) <= ROW_BYTES:
            return cls(rows)
        head_lengths = np.minimum(rows.lengths, ROW_BYTES)
        starts = rows.offsets[:-1]
        heads = _pieces(rows.data, starts, head_lengths)
        rests = _pieces(rows.data, starts + head_lengths, rows.lengths - head_lengths)
        return cls(heads, rests if scores is None else _joined(rests, scores))

    def __len__(self) -> int:
        return len(self.heads)


def pack_rows(items: NDArray[np.int32], width: int) -> ByteStrings:
    """One packed row per line of ``items`` ((n, k) int32, -1 padded at the end).

    Raises:
        StoreError: an index does not fit into ``width`` bytes, or padding stands before an index.
    """
    largest = int(items.max(initial=-1))
    if largest >= 256**width:
        raise StoreError(f"item index {largest} does not fit into {width} bytes")
    return _packed(np.ascontiguousarray(items, dtype="<i4"), _present(items), width)


def pack_scored_rows(items: NDArray[np.int32], scores: NDArray[np.floating], width: int) -> PackedRows:
    """Rows with the score of each item, (n, k) as ``items``, little-endian float16.

    Three digits are enough to show or to blend by, at 2 bytes each; what is beyond ±65,504 is kept as that.

    Raises:
        StoreError: as for :func:`pack_rows`.
    """
    halves = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE).astype("<f2")
    packed = _packed(np.ascontiguousarray(halves), _present(items), SCORE_WIDTH)
    return PackedRows.of(pack_rows(items, width), packed)


def pack_segments(numbers: NDArray[np.integer]) -> ByteStrings:
    """Rows of the layout ``segments``: the number of each user's segment, (n,)."""
    return _packed(numbers.astype("<i4")[:, np.newaxis], None, SEGMENT_WIDTH)


def _present(items: NDArray[np.int32]) -> NDArray[np.bool_] | None:
    """Where ``items`` are no padding; None where none is."""
    present: NDArray[np.bool_] = items >= 0
    if present.all():
        return None
    if bool((present[:, 1:] & ~present[:, :-1]).any()):
        raise StoreError("a row has padding before an item")
    return present


def _packed(values: NDArray[np.generic], present: NDArray[np.bool_] | None, width: int) -> ByteStrings:
    """The first ``width`` bytes of each value that is present, line by line."""
    n, k = values.shape
    cut = values.view(np.uint8).reshape(n, k, values.itemsize)[:, :, :width]
    if present is None:
        return ByteStrings.equally_long(cut.reshape(n, k * width))
    return ByteStrings(cut[present].reshape(-1), ends_of(present.sum(axis=1) * width))


def _pieces(data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> ByteStrings:
    offsets = ends_of(lengths)
    pieces = np.empty(offsets[-1], np.uint8)
    copy_pieces(pieces, offsets[:-1], data, starts, lengths)
    return ByteStrings(pieces, offsets)


def _joined(firsts: ByteStrings, seconds: ByteStrings) -> ByteStrings:
    """Each of ``firsts`` with its one of ``seconds`` behind it."""
    offsets = firsts.offsets + seconds.offsets
    data = np.empty(offsets[-1], np.uint8)
    copy_pieces(data, offsets[:-1], firsts.data, firsts.offsets[:-1], firsts.lengths)
    copy_pieces(data, offsets[:-1] + firsts.lengths, seconds.data, seconds.offsets[:-1], seconds.lengths)
    return ByteStrings(data, offsets)
