"""Many byte strings in one buffer: no Python object each, however many there are."""

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 100_000
"""Strings worked on at a time, so that what is needed in between stays small."""


@dataclass(frozen=True, eq=False)
class ByteStrings:
    """An immutable sequence of byte strings.

    Attributes:
        data: (n_bytes,) uint8, the strings end to end.
        offsets: (n + 1,) int64; string ``i`` is ``data[offsets[i] : offsets[i + 1]]``, ``offsets[0]`` is 0.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, strings: Sequence[bytes]) -> Self:
        """The given strings."""
        lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        return cls(np.frombuffer(b"".join(strings), np.uint8), ends_of(lengths))

    @classmethod
    def equally_long(cls, table: NDArray[np.uint8]) -> Self:
        """The lines of a table, (n, length) uint8."""
        n, length = table.shape
        return cls(table.reshape(-1), np.arange(n + 1) * length)

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, index: int) -> bytes:
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each string in bytes, (n,)."""
        return np.diff(self.offsets)

    def tolist(self) -> list[bytes]:
        """One Python object each."""
        whole, offsets = self.data.tobytes(), self.offsets.tolist()
        return [whole[start:end] for start, end in itertools.pairwise(offsets)]

    def part(self, first: int, last: int) -> Self:
        """Strings ``first`` to ``last - 1``, without copying their bytes."""
        offsets = self.offsets[first : last + 1]
        return type(self)(self.data[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, indices: NDArray[np.integer]) -> Self:
        """The strings at ``indices`` (m,), in that order."""
        offsets = np.zeros(indices.size + 1, np.int64)
        blocks = [slice(first, first + BLOCK) for first in range(0, indices.size, BLOCK)]
        for block in blocks:
            offsets[1:][block] = self.offsets[indices[block] + 1] - self.offsets[indices[block]]
        np.cumsum(offsets, out=offsets)
        data = np.empty(offsets[-1], np.uint8)
        for block in blocks:
            starts = self.offsets[indices[block]]
            copy_pieces(
                data, offsets[:-1][block], self.data, starts, self.offsets[indices[block] + 1] - starts
            )
        return type(self)(data, offsets)

    def crc32(self) -> NDArray[np.uint32]:
        """What ``zlib.crc32`` gives for each string, (n,)."""
        crcs = np.empty(len(self), np.uint32)
        for first in range(0, len(self), BLOCK):
            strings = self.part(first, min(first + BLOCK, len(self))).tolist()
            crcs[first : first + BLOCK] = np.fromiter(map(zlib.crc32, strings), np.uint32, len(strings))
        return crcs


def ends_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where pieces of these ``lengths`` (n,) begin and end when they are laid end to end, (n + 1,)."""
    ends = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def copy_pieces(
    target: NDArray[np.uint8],
    target_starts: NDArray[np.int64],
    source: NDArray[np.uint8],
    source_starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    """Copy a piece of ``source`` to each of ``target_starts``; starts and lengths are (n,), in bytes."""
    for length, pieces in _by_length(lengths):
        # Items that overlap: NumPy copies each piece in one go, however long it is.
        _windows(target, length)[target_starts[pieces]] = _windows(source, length)[source_starts[pieces]]


def _by_length(lengths: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64] | slice]]:
    """Each length above 0, and the pieces that have it."""
    if not lengths.size:
        return
    longest = int(lengths.max())
    if longest == int(lengths.min()):
        if longest:
            yield longest, slice(None)
        return
    # Numbers of 16 bits are sorted by radix.
    order = np.argsort(lengths.astype(np.uint16) if longest < 1 << 16 else lengths, kind="stable")
    in_order = lengths[order]
    bounds = np.flatnonzero(np.diff(in_order, prepend=-1, append=-1)).tolist()
    for first, last in itertools.pairwise(bounds):
        if length := int(in_order[first]):
            yield length, order[first:last]


def _windows(data: NDArray[np.uint8], length: int) -> NDArray[np.void]:
    """Every run of ``length`` bytes of ``data``, by where it begins; a view."""
    return np.ndarray((data.size - length + 1,), np.dtype((np.void, length)), data, strides=(1,))
