"""From a range of buckets to rows: the model's lists, packed for Redis."""

from collections.abc import Callable, Iterable

import numpy as np

from models.base import Recommender
from models.ranking import Ranking
from store.buckets import write_buckets
from store.generations import Generation
from store.packing import pack_rows
from store.rows import pack_segment
from workers.loading import Shelf, UserBuckets
from workers.runtime import Runtime

BLOCK_USERS = 4_096


def score_users(shelf: Shelf, users: np.ndarray, k: int) -> Ranking:
    """The ``k`` best items of each user, without those in the user's history."""
    if shelf.known_as is None:
        return shelf.model.recommend(users, shelf.matrix[users], k)
    return shelf.model.recommend_for(shelf.matrix[users], k, known_as=shelf.known_as[users])


def has_user_rows(model: Recommender) -> bool:
    """Whether each user has a row of their own: not where one list serves everybody."""
    return model.layout == "users" or len(model.segments(1).labels) > 1


def write_chunk(
    runtime: Runtime,
    generation: Generation,
    shelf: Shelf,
    buckets: UserBuckets,
    chunk: Iterable[int],
    report: Callable[[], None],
) -> int:
    """Score and write whole buckets, some thousand users at a time; returns the number of users written."""
    written = 0
    for group in _groups(buckets, chunk):
        users = np.concatenate([buckets.users_of(bucket) for bucket in group])
        rows = iter(_rows(generation, shelf, users))
        content = {
            bucket: [(buckets.keys[user], next(rows)) for user in buckets.users_of(bucket)]
            for bucket in group
        }
        write_buckets(runtime.serving, runtime.keys, generation.model, generation.id, content)
        written += users.size
        report()
    return written


def _rows(generation: Generation, shelf: Shelf, users: np.ndarray) -> list[bytes]:
    if not users.size:
        return []
    if generation.layout == "segments":
        return [pack_segment(number) for number in shelf.model.segments(1).segment_of_user[users].tolist()]
    return pack_rows(score_users(shelf, users, generation.k_store).items, generation.id_width)


def _groups(buckets: UserBuckets, chunk: Iterable[int]) -> Iterable[list[int]]:
    group: list[int] = []
    users = 0
    for bucket in chunk:
        group.append(bucket)
        users += int(buckets.starts[bucket + 1] - buckets.starts[bucket])
        if users >= BLOCK_USERS:
            yield group
            group, users = [], 0
    if group:
        yield group
