"""Packed rows: the item indices of one list, little endian, 2, 3 or 4 bytes each by catalogue size."""

import struct
from collections.abc import Callable, Sequence

from topshelf.errors import StoreError

ROW_BYTES = 64
"""Longest value that Redis keeps in a listpack (``hash-max-listpack-value``)."""

SEGMENT_WIDTH = 2
"""Bytes of a segment number."""


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


def row_capacity(width: int) -> int:
    """Whole indices that fit into the first hash; the rest of a row goes into the overflow hash."""
    return ROW_BYTES // width


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


def pack_segment(number: int) -> bytes:
    """A user's row in the layout ``segments``: the number of the user's segment."""
    return number.to_bytes(SEGMENT_WIDTH, "little")


def unpack_segment(row: bytes) -> int:
    """Segment number of a user's row in the layout ``segments``."""
    return int.from_bytes(row, "little")
