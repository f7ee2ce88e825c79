"""What users touched lately, and what is known about them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
import redis

from store import scripts
from store.connection import store_errors
from store.keys import Keys

RECENT_ITEMS = 50


class Recents:
    """Recent items and profiles of all users in one serving Redis."""

    def __init__(self, client: redis.Redis, keys: Keys, ttl_seconds: int, limit: int = RECENT_ITEMS) -> None:
        self._client = client
        self._keys = keys
        self._ttl_seconds = ttl_seconds
        self._limit = limit

    @store_errors()
    def touch(self, user_key: str | bytes, item_ids: Sequence[str]) -> None:
        """Put items at the head of a user's list, the last one first; doing it twice is harmless."""
        if item_ids:
            arguments: list[scripts.Argument] = [self._limit, self._ttl_seconds, *item_ids]
            scripts.run(self._client, "touch_items", [self._keys.recent(user_key)], arguments)

    @store_errors()
    def read(self, user_key: str | bytes) -> list[str]:
        """A user's recent items, newest first."""
        items = cast("list[bytes]", self._client.lrange(self._keys.recent(user_key), 0, -1))
        return [item.decode() for item in items]

    @store_errors()
    def put_profile(self, user_key: str | bytes, profile: Mapping[str, Any]) -> None:
        """Replace what is known about a user."""
        self._client.set(self._keys.profile(user_key), orjson.dumps(dict(profile)))

    @store_errors()
    def read_profile(self, user_key: str | bytes) -> dict[str, Any] | None:
        """What is known about a user; None where nothing is."""
        text = cast("bytes | None", self._client.get(self._keys.profile(user_key)))
        return cast("dict[str, Any]", orjson.loads(text)) if text else None
