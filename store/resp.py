"""HSET commands of many buckets as the bytes that go over the wire, put together without a loop over users.

Source: the Redis serialization protocol, https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.byte_strings import ByteStrings, copy_pieces, ends_of

LINE_END = b"\r\n"


def hset_commands(
    names: Sequence[bytes], n_fields: NDArray[np.int64], fields: ByteStrings, values: ByteStrings
) -> ByteStrings:
    """One ``HSET name field value …`` for each hash.

    Args:
        names: of the hashes.
        n_fields: (len(names),) fields of each hash, at least one.
        fields: of all hashes, one hash after the other.
        values: of the fields.
    """
    heads = ByteStrings.of(
        [
            b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n" % (2 + 2 * count, len(name), name)
            for name, count in zip(names, n_fields.tolist(), strict=True)
        ]
    )
    before_fields, before_values = _announced(fields.lengths, b""), _announced(values.lengths, LINE_END)
    pieces = (before_fields, fields, before_values, values)
    pair_ends = ends_of(sum((piece.lengths for piece in pieces), np.full(len(fields), len(LINE_END))))
    first_fields = ends_of(n_fields)
    offsets = heads.offsets + pair_ends[first_fields]
    commands = np.empty(offsets[-1], np.uint8)
    copy_pieces(commands, offsets[:-1], heads.data, heads.offsets[:-1], heads.lengths)
    places = pair_ends[:-1] + np.repeat(heads.offsets[1:], n_fields)
    for piece in pieces:
        copy_pieces(commands, places, piece.data, piece.offsets[:-1], piece.lengths)
        places = places + piece.lengths
    commands[places] = LINE_END[0]
    commands[places + 1] = LINE_END[1]
    return ByteStrings(commands, offsets)


def _announced(lengths: NDArray[np.int64], before: bytes) -> ByteStrings:
    """The line that announces a string of each length (n,), with ``before`` in front."""
    present = np.bincount(lengths)
    lines = ByteStrings.of(
        [b"%b$%d\r\n" % (before, n) if some else b"" for n, some in enumerate(present.tolist())]
    )
    return lines.take(lengths)
