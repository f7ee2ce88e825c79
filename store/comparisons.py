"""Dataset versions in which an incremental run found nobody with another history than the live base has."""

import redis

from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys


@store_errors()
def note_nobody_new(client: redis.Redis, keys: Keys, base: Generation, dataset: str) -> None:
    """Remember of a base that nobody is new in a dataset version; of each model the last one is kept."""
    client.set(keys.compared(base.model), _compared(base, dataset))


@store_errors()
def is_nobody_new(client: redis.Redis, keys: Keys, base: Generation, dataset: str) -> bool:
    """Whether nobody was found new in a dataset version; False where it was not looked at."""
    return client.get(keys.compared(base.model)) == _compared(base, dataset)


def _compared(base: Generation, dataset: str) -> bytes:
    return f"{base.id}:{dataset}".encode()
