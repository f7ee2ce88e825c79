"""How many bytes a generation takes in Redis, by arithmetic; nothing here asks a server."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from store.allocation import FieldBytes, Server, table_bytes, text_entry
from store.blobs import PART_BYTES
from store.keys import Keys
from store.rows import RowShape

RECORD_BYTES = 1_500
"""The record of a generation, a hash of some thirty fields, and its key."""
CATALOG_ITEM_BYTES = 40
"""An item in the catalogue: its id, and one or two categories."""
NEIGHBOUR_BYTES = 8
"""A neighbour of an item: int32 and float32, in a file each."""


@dataclass(frozen=True)
class GenerationBytes:
    """Bytes of one generation by what they are for."""

    rows: int
    """The listpacks: user ids, item indices."""
    overflow: int
    """The overflow hashes: ends of long rows, scores."""
    keys: int
    """Names and entries of all hashes, and their share of the main table."""
    catalog: int
    """The catalogue; two generations of one dataset share it."""
    neighbours: int
    """The neighbour artifact of the online kNN, where the model has one."""
    bookkeeping: int
    """Bitmap of chunks, leases, record."""

    @property
    def total(self) -> int:
        """All together."""
        return sum(getattr(self, field.name) for field in fields(self))


def generation_bytes(
    n_users: int,
    n_buckets: int,
    n_chunks: int,
    field: FieldBytes,
    row: RowShape,
    *,
    catalog_bytes: int = 0,
    neighbour_bytes: int = 0,
    server: Server | None = None,
) -> GenerationBytes:
    """What a generation adds to ``used_memory``.

    Args:
        field: the users' ids.
        row: a full row of a user.
        catalog_bytes: length of the catalogue.
        neighbour_bytes: length of the two files of the neighbour artifact together.
        server: jemalloc and the usual limits where left out.
    """
    server = server or Server()
    catalog, neighbours = _blob(catalog_bytes, server), 2 * _blob(neighbour_bytes // 2, server)
    if not n_buckets:
        return GenerationBytes(0, 0, 0, catalog, neighbours, RECORD_BYTES)
    name = len(Keys().bucket("model", "100", n_buckets))
    hashes = n_buckets * (2 if row.tail_bytes else 1)
    attempts = len(f"{n_chunks}:attempts")
    return GenerationBytes(
        rows=_hashes(n_users, n_buckets, field, row.head_bytes, server),
        overflow=_hashes(n_users, n_buckets, field, row.tail_bytes, server) if row.tail_bytes else 0,
        keys=hashes * server.key(name) + table_bytes(hashes),
        catalog=catalog,
        neighbours=neighbours,
        bookkeeping=RECORD_BYTES
        + server.string(-(-n_chunks // 8))
        + server.hash(n_chunks, FieldBytes(attempts, text_entry(attempts)), 1),
    )


def _blob(size: int, server: Server) -> int:
    parts, rest = divmod(size, PART_BYTES)
    return parts * server.string(PART_BYTES) + (server.string(rest) if rest else 0)


def _hashes(n_users: int, n_buckets: int, field: FieldBytes, value_length: int, server: Server) -> int:
    sizes = bucket_sizes(n_users, n_buckets)
    return round(sum(count * server.hash(size, field, value_length) for size, count in sizes))


def bucket_sizes(n_users: int, n_buckets: int) -> Iterator[tuple[int, float]]:
    """How many users share a bucket, and how many buckets have so many: Poisson, as crc32 spreads them."""
    mean = n_users / n_buckets
    spread = 8 * math.sqrt(mean) + 8
    for size in range(max(1, int(mean - spread)), int(mean + spread) + 1):
        yield size, n_buckets * math.exp(size * math.log(mean) - mean - math.lgamma(size + 1))
