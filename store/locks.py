"""One run a model: a lock that its owner renews, and that runs out when the owner is gone.

It keeps work from being done twice; what keeps a late run from publishing is the fence.
"""

from typing import cast

import redis

from store import scripts
from store.connection import store_errors
from store.keys import Keys
from topshelf.errors import LockHeld


class ModelLock:
    """The locks of all models in one serving Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @store_errors()
    def acquire(self, model: str, owner: str, ttl_seconds: float) -> None:
        """Take a model's lock, or renew one's own.

        Raises:
            LockHeld: somebody else holds it; the message names who.
        """
        arguments: list[scripts.Argument] = [owner, int(ttl_seconds * 1000)]
        holder = scripts.run_text(self._client, "acquire_lock", [self._keys.lock(model)], arguments)
        if holder != owner:
            raise LockHeld(f"{model} is being worked on by job {holder}; wait for it or cancel it")

    @store_errors()
    def renew(self, model: str, owner: str, ttl_seconds: float) -> bool:
        """Keep one's lock for ``ttl_seconds`` from now; False when it is somebody else's or nobody's."""
        arguments: list[scripts.Argument] = [owner, int(ttl_seconds * 1000)]
        return bool(scripts.run(self._client, "renew_lock", [self._keys.lock(model)], arguments))

    @store_errors()
    def release(self, model: str, owner: str) -> bool:
        """Give one's lock back; False when one did not hold it."""
        return bool(scripts.run(self._client, "release_lock", [self._keys.lock(model)], [owner]))

    @store_errors()
    def owner(self, model: str) -> str | None:
        """Who holds a model's lock."""
        held = cast("bytes | None", self._client.get(self._keys.lock(model)))
        return held.decode() if held else None
