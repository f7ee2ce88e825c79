"""Packed rows: the item indices of one list, little endian, 2, 3 or 4 bytes each by catalogue size."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from topshelf.errors import StoreError

ROW_BYTES = 64
"""Longest value that Redis keeps in a listpack (``hash-max-listpack-value``)."""

SEGMENT_WIDTH = 2
"""Bytes of a segment number."""

SCORE_WIDTH = 2
"""Bytes of a score, a float16."""


@dataclass(frozen=True)
class RowShape:
    """What a user's row takes at the most, in the bucket and in the overflow hash."""

    id_width: int
    head_bytes: int
    tail_bytes: int
    score_width: int = 0

    @classmethod
    def of(cls, layout: str, n_items: int, k_store: int, *, scores: bool = False) -> Self:
        """The shape of a generation's rows.

        Raises:
            StoreError: the catalogue is beyond 4-byte indices.
        """
        width = id_width(n_items)
        if layout == "segments":
            return cls(width, SEGMENT_WIDTH, 0)
        row = k_store * width
        score_width = SCORE_WIDTH if scores else 0
        return cls(width, min(row, ROW_BYTES), max(0, row - ROW_BYTES) + k_store * score_width, score_width)


def id_width(n_items: int) -> int:
    """Bytes an item index takes in a catalogue of ``n_items``.

    Raises:
        StoreError: the catalogue is beyond 4-byte indices.
    """
    for width in (2, 3):
        if n_items <= 256**width:
            return width
    if n_items <= 2**31:
        return 4
    raise StoreError(f"{n_items} items are more than a row can name")


def unpack_row(row: bytes, width: int) -> list[int]:
    """Item indices of a packed row, best first."""
    return list(row_reader(width, len(row) // width)(row))


def row_reader(width: int, k: int) -> Callable[[bytes], Sequence[int]]:
    """A function that reads the first ``k`` item indices of a packed row; none of a row that is shorter.

    Made once and used often: it does no more than it must.
    """
    size = k * width
    unpack = struct.Struct("<" + {2: "H", 3: "HB", 4: "I"}[width] * k).unpack_from

    def read(row: bytes) -> Sequence[int]:
        return unpack(row) if len(row) >= size else ()

    def read_halves(row: bytes) -> Sequence[int]:
        halves = read(row)
        return [low | high << 16 for low, high in zip(halves[::2], halves[1::2], strict=True)]

    return read_halves if width == 3 else read


def split_scores(head: bytes, tail: bytes, width: int) -> tuple[bytes, tuple[float, ...]]:
    """The packed indices of a row with scores, and the scores, out of what its two hashes hold."""
    whole = head + tail
    n = len(whole) // (width + SCORE_WIDTH)
    return whole[: n * width], struct.unpack_from(f"<{n}e", whole, n * width)


def unpack_segment(row: bytes) -> int:
    """Segment number of a user's row in the layout ``segments``."""
    return int.from_bytes(row, "little")
