"""Rows into Redis: whole buckets, pipelined over several connections."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import redis
from numpy.typing import NDArray

from store.byte_strings import ByteStrings
from store.generation import Generation
from store.keys import Keys
from store.packing import PackedRows
from store.resp import hset_commands
from store.streaming import CommandStream
from store.user_buckets import BucketBlock

PART_BYTES = 256_000
"""Bytes sent over a connection before its answers are waited for, about."""

WRITE_CONNECTIONS = 2

RowsOf = Callable[[NDArray[np.int32]], PackedRows]
"""The rows of some users, (n,) dense indices."""


class BucketWriter:
    """Writes buckets of one generation; to be used in a ``with`` block, which ends when all is answered.

    Rows are set, nothing is removed: a chunk that is written a second time, by whomever, changes nothing, and
    there is no moment at which a row is missing.

    Args:
        connections: of the client's pool; what is on its way takes 256 kB in each of them.

    Raises:
        StoreError: as for :class:`CommandStream`.
    """

    def __init__(
        self, client: redis.Redis, keys: Keys, generation: Generation, *, connections: int = WRITE_CONNECTIONS
    ) -> None:
        self._stream = CommandStream(client, connections)
        self._name = keys.bucket_pattern(generation.model, generation.id)
        self._overflow_name = keys.overflow_pattern(generation.model, generation.id)

    def __enter__(self) -> Self:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: *tuple[type[BaseException] | None, BaseException | None, Any]) -> None:
        self._stream.__exit__(*error)

    def write(self, block: BucketBlock, rows: PackedRows) -> int:
        """Send the rows of a block's users, in their order; returns how many."""
        self._set(self._name, block, rows.heads, np.arange(len(rows)))
        if rows.tails is not None:
            self._set(self._overflow_name, block, rows.tails, np.flatnonzero(rows.tails.lengths))
        return len(rows)

    def _set(self, name: bytes, block: BucketBlock, values: ByteStrings, present: NDArray[np.int64]) -> None:
        """Set the values at ``present`` (places in the block) in the hashes called ``name``."""
        fields, sizes = block.keys, block.sizes
        if present.size < len(values):
            buckets = np.repeat(np.arange(sizes.size), sizes)
            sizes = np.bincount(buckets[present], minlength=sizes.size)
            fields, values = fields.take(present), values.take(present)
        filled = np.flatnonzero(sizes)
        names = [name % number for number in (filled + block.first).tolist()]
        commands = hset_commands(names, sizes[filled], fields, values)
        for first, last in _parts(commands.offsets):
            begin, end = commands.offsets[[first, last]]
            self._stream.send(commands.data[begin:end].data, last - first)


def write_blocks(
    writer: BucketWriter,
    blocks: Iterable[BucketBlock],
    rows_of: RowsOf,
    before_each: Callable[[], None] = lambda: None,
) -> int:
    """Write block by block; while one is put together and sent, the rows of the next are worked out.

    ``before_each`` is called before a block is written and may raise to stop. Returns the users written.

    Raises:
        StoreError: as for :meth:`BucketWriter.write`.
    """
    written = 0
    with writer, ThreadPoolExecutor(1, "write rows") as thread:
        writing: Future[int] | None = None
        for block in blocks:
            rows = rows_of(block.users)
            if writing:
                written += writing.result()
            before_each()
            writing = thread.submit(writer.write, block, rows)
        if writing:
            written += writing.result()
    return written


def _parts(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last command, exclusive, of parts of about ``PART_BYTES``."""
    first = 0
    while first < offsets.size - 1:
        enough = int(np.searchsorted(offsets, offsets[first] + PART_BYTES, side="right")) - 1
        last = max(enough, first + 1)
        yield first, last
        first = last
