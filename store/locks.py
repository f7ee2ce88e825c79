"""The lock that keeps two runs from filling the same model at once."""

from typing import cast

import redis

from store import scripts
from store.connection import store_errors
from store.keys import Keys
from topshelf.errors import LockHeld


class ModelLock:
    """One lock per model, held by an owner's name for a time; the fence guards against who outlived it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @store_errors()
    def acquire(self, model: str, owner: str, ttl_seconds: float) -> None:
        """Take the lock, or keep it where ``owner`` holds it.

        Raises:
            LockHeld: somebody else holds it; the message names them.
        """
        holder = scripts.run_text(
            self._client, "acquire_lock", [self._keys.lock(model)], [owner, _milliseconds(ttl_seconds)]
        )
        if holder != owner:
            raise LockHeld(f"{model} is being worked on by job {holder}; wait for it or cancel it")

    @store_errors()
    def renew(self, model: str, owner: str, ttl_seconds: float) -> bool:
        """Keep the lock for ``ttl_seconds`` from now; False when ``owner`` does not hold it."""
        args: list[scripts.Argument] = [owner, _milliseconds(ttl_seconds)]
        return bool(scripts.run(self._client, "renew_lock", [self._keys.lock(model)], args))

    @store_errors()
    def release(self, model: str, owner: str) -> bool:
        """Give the lock back; False when ``owner`` does not hold it."""
        return bool(scripts.run(self._client, "release_lock", [self._keys.lock(model)], [owner]))

    @store_errors()
    def owner(self, model: str) -> str | None:
        """Who holds the lock; None for nobody."""
        holder = cast("bytes | None", self._client.get(self._keys.lock(model)))
        return holder.decode() if holder else None


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
