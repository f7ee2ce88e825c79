"""From a range of buckets to rows: the model's lists, packed for Redis."""

from collections.abc import Callable

import numpy as np

from models.base import Recommender
from models.ranking import Ranking
from store.generations import Generation
from store.packing import PackedRows, pack_rows, pack_scored_rows, pack_segments
from store.user_buckets import UserBuckets
from store.writing import BucketWriter, RowsOf, write_blocks
from workers.loading import Shelf
from workers.runtime import Runtime

BLOCK_USERS = 4_096


def score_users(shelf: Shelf, users: np.ndarray, k: int) -> Ranking:
    """The ``k`` best items of each user that the rules allow, without those in the user's history."""
    model, history, rules = shelf.model, shelf.matrix[users], shelf.rules
    if shelf.known_as is None:
        return model.recommend(users, history, k, rules=rules)
    return model.recommend_for(history, k, known_as=shelf.known_as[users], rules=rules)


def has_user_rows(model: Recommender) -> bool:
    """Whether each user has a row of their own: not where one list serves everybody."""
    return model.layout == "users" or len(model.segments(1).labels) > 1


def write_chunk(
    runtime: Runtime,
    generation: Generation,
    shelf: Shelf,
    buckets: UserBuckets,
    chunk: range,
    report: Callable[[], None],
) -> int:
    """Score and write whole buckets; returns the number of users written.

    Some thousand users at a time: the next ones are scored while these are written. ``report`` is called
    before each of these blocks is written, and may raise to stop.
    """
    writer = BucketWriter(
        runtime.serving, runtime.keys, generation, connections=runtime.settings.write_connections
    )
    blocks, metrics = buckets.blocks(chunk, BLOCK_USERS), runtime.metrics
    make_rows = _rows_of(generation, shelf)

    def rows_of(users: np.ndarray) -> PackedRows:
        rows = make_rows(users)
        metrics.scored(generation.model, len(users))
        return rows

    written = write_blocks(writer, blocks, rows_of, report)
    metrics.written(generation.model, written)
    return written


def _rows_of(generation: Generation, shelf: Shelf) -> RowsOf:
    if generation.layout == "segments":
        segment_of_user = shelf.model.segments(1).segment_of_user
        return lambda users: PackedRows.of(pack_segments(segment_of_user[users]))

    def rows_of(users: np.ndarray) -> PackedRows:
        ranking = score_users(shelf, users, generation.k_store)
        if generation.score_width:
            return pack_scored_rows(ranking.items, ranking.scores, generation.id_width)
        return PackedRows.of(pack_rows(ranking.items, generation.id_width))

    return rows_of
