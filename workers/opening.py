"""Opening a generation: room for it is looked for, its users are spread over buckets and chunks."""

import math
from typing import Any

from store.buckets import bucket_count
from store.connection import check_room
from store.generations import Generation
from store.rows import id_width
from workers.runtime import Runtime

BYTES_PER_ROW = 24
"""What a user costs in a listpack bucket besides the row itself: id, lengths, a share of the key."""


def open_generation(
    runtime: Runtime, model: str, *, n_users: int, n_items: int, k_store: int, **described: Any
) -> Generation:
    """A new generation under a new fence; ``described`` is what else ``Generations.create`` takes.

    Raises:
        NotEnoughRoom: Redis could not hold it.
    """
    settings = runtime.settings
    check_room(runtime.serving, n_users * (k_store * id_width(n_items) + BYTES_PER_ROW))
    return runtime.generations.create(
        model,
        fence=runtime.generations.next_fence(model),
        n_users=n_users,
        n_items=n_items,
        n_buckets=bucket_count(n_users, settings.users_per_bucket),
        buckets_per_chunk=max(1, math.ceil(settings.chunk_users / settings.users_per_bucket)),
        k_store=k_store,
        **described,
    )
