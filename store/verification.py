"""Is a generation whole? Counted in Redis, not believed."""

import redis

from store import documents
from store.blobs import Blobs
from store.buckets import count_users
from store.compactness import check_encoding
from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys
from store.sweeping import blobs_of
from topshelf.errors import GenerationIncomplete

SAMPLED_BUCKETS = 20


@store_errors()
def verify_content(client: redis.Redis, keys: Keys, generation: Generation) -> str:
    """Compare what stands in Redis with what the generation's record announces.

    Returns a warning where rows are not kept compactly, else an empty string.

    Raises:
        GenerationIncomplete: chunks, users or segments are missing; says which and how many.
    """
    model, name = generation.model, generation.id
    finished = client.bitcount(keys.chunks(model, name))
    _expect(generation, "chunks finished", finished, generation.n_chunks)
    if generation.layout == "segments":
        _verify_segments(client, keys, generation)
    if not generation.n_buckets:
        return ""
    _expect(generation, "users reported by its chunks", generation.users_written, generation.n_users)
    counted = count_users(client, keys, model, name, range(generation.n_buckets))
    _expect(generation, "users in its buckets", counted, generation.n_users)
    step = max(1, generation.n_buckets // SAMPLED_BUCKETS)
    return check_encoding(client, keys, model, name, range(0, generation.n_buckets, step))


@store_errors()
def missing_beside_rows(client: redis.Redis, keys: Keys, generation: Generation) -> list[str]:
    """Keys of what readers need beside users' rows and what is not all there.

    That is the catalogue, the neighbour artifact where one is named, the segments where the layout has them.
    A killed server may have lost them after their job went on.
    """
    blobs = Blobs(client)
    missing = [name for name, part in blobs_of(keys, [generation]).items() if not blobs.is_whole(part)]
    segments = keys.segments(generation.model, generation.id)
    if generation.layout == "segments" and not client.exists(segments):
        missing.append(segments)
    return missing


def _verify_segments(client: redis.Redis, keys: Keys, generation: Generation) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.hlen(keys.segments(generation.model, generation.id))
        pipe.hget(keys.segments(generation.model, generation.id), "labels")
        fields, labels = pipe.execute()
    if labels is None:
        raise GenerationIncomplete(f"{_name(generation)} has no segments")
    _expect(generation, "segments", fields - 1, len(documents.load(labels)))


def _expect(generation: Generation, what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise GenerationIncomplete(f"{_name(generation)}: {what} are {found:,}, {wanted:,} were announced")


def _name(generation: Generation) -> str:
    return f"generation {generation.id} of {generation.model}"
