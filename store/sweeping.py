"""Removal of generations that nobody can be reading any more."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

import redis

from store import scripts
from store.blobs import Blobs, PartKey
from store.connection import store_errors
from store.generation import Generation, Pointer
from store.keys import Keys

UNLINK_KEYS = 500
"""Keys unlinked in one go; listpack hashes are freed on the spot, so that more of them stall the server."""


@store_errors()
def sweep_model(
    client: redis.Redis,
    keys: Keys,
    generations: list[Generation],
    pointer: Pointer | None,
    *,
    retire_after_seconds: float,
    zombie_after_seconds: float,
) -> tuple[int, list[Generation]]:
    """Unlink failed and retired generations that are due.

    Returns the keys unlinked, and the generations of which only the record is left to :func:`remove`.
    The content goes ``retire_after_seconds`` after retirement, and once more after ``zombie_after_seconds``,
    when no task that could still write there can be alive.
    """
    now = client.time()[0]
    named = _named(generations, pointer)
    unlinked = 0
    due: list[Generation] = []
    for generation in generations:
        if generation.state not in ("failed", "retired") or generation.id in named:
            continue
        age_seconds = now - generation.retired_at
        record = keys.generation(generation.model, generation.id)
        if not generation.swept and age_seconds >= retire_after_seconds:
            unlinked += _unlink(client, _content(keys, generation))
            scripts.run(client, "mark_swept", [record])
        elif generation.swept and age_seconds >= zombie_after_seconds:
            unlinked += _unlink(client, _content(keys, generation))
            due.append(generation)
    return unlinked, due


@store_errors()
def remove(
    client: redis.Redis,
    keys: Keys,
    due: Iterable[Generation],
    kept: Iterable[Generation],
    *,
    unused_after_seconds: float,
) -> int:
    """Remove records, after the catalogues and neighbour artifacts that they alone named.

    What was put less than ``unused_after_seconds`` ago stays, for a run may be about to name it, and the
    record stays with it until a later sweep. Returns the keys unlinked.
    """
    needed = blobs_of(keys, kept)
    now, _ = client.time()
    blobs = Blobs(client)
    unlinked = 0
    for generation in due:
        unused = [part for name, part in blobs_of(keys, [generation]).items() if name not in needed]
        put_at = [blobs.stored_at(part) or 0 for part in unused]
        if any(now - moment < unused_after_seconds for moment in put_at):
            continue
        unlinked += sum(blobs.drop(part) for part in unused)
        client.zrem(keys.generations(generation.model), generation.id)
        unlinked += client.unlink(keys.generation(generation.model, generation.id))
    return unlinked


def blobs_of(keys: Keys, generations: Iterable[Generation]) -> dict[str, PartKey]:
    """Catalogues and neighbour artifacts that generations name, by the key of their index."""
    part_keys: list[PartKey] = []
    for generation in generations:
        part_keys.append(partial(keys.catalog, generation.dataset))
        if generation.knn:
            part_keys.append(partial(keys.knn, generation.knn))
    return {part_key(0): part_key for part_key in part_keys}


def _named(generations: list[Generation], pointer: Pointer | None) -> set[str]:
    """Generations that the pointer or the rollback slot names."""
    if pointer is None:
        return set()
    slots = {generation.replaces for generation in generations if generation.id == pointer.base}
    rollback = {g.id for g in generations if g.id in slots and g.state == "previous"}
    return rollback | {pointer.base, pointer.delta or pointer.base}


def _content(keys: Keys, generation: Generation) -> Iterator[tuple[str, ...]]:
    """Keys of a generation's content, those of one slot together."""
    model, name = generation.model, generation.id
    yield keys.segments(model, name), keys.chunks(model, name), keys.leases(model, name)
    for bucket in range(generation.n_buckets):
        yield keys.bucket(model, name, bucket), keys.overflow(model, name, bucket)


def _unlink(client: redis.Redis, groups: Iterator[tuple[str, ...]]) -> int:
    unlinked = 0
    while batch := list(islice(groups, UNLINK_KEYS // 2)):
        with client.pipeline(transaction=False) as pipe:
            for names in batch:
                pipe.unlink(*names)
            unlinked += sum(pipe.execute())
    return unlinked
