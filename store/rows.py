"""Packed rows: the item indices of one list, little endian, 2, 3 or 4 bytes each by catalogue size."""

import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

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


def unpack_row(row: bytes, width: int) -> NDArray[np.int32]:
    """Item indices of a packed row, (k,) int32, best first."""
    if width == 2:
        return np.frombuffer(row, dtype="<u2").astype(np.int32)
    if width == 4:
        return np.frombuffer(row, dtype="<i4").astype(np.int32)
    wide = np.zeros((len(row) // width, 4), dtype=np.uint8)
    wide[:, :width] = np.frombuffer(row, dtype=np.uint8).reshape(-1, width)
    return wide.view("<i4").reshape(-1).astype(np.int32)


def row_reader(width: int, k: int) -> Callable[[bytes], Sequence[int]]:
    """A function that reads the first ``k`` item indices of a packed row; none of a row that is shorter.

    The same as ``unpack_row(row, width)[:k].tolist()`` in a tenth of the time.
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
