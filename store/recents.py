"""What a user touched of late, and what is known about a user."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from store import documents, scripts
from store.connection import store_errors
from store.keys import Keys
from store.marks import WINDOW_SECONDS, mark_of, window_at

RECENT_ITEMS = 50


class Recents:
    """Lists of at most ``limit`` items per user, gone ``ttl_seconds`` after the last touch; profiles."""

    def __init__(self, client: redis.Redis, keys: Keys, ttl_seconds: int, limit: int = RECENT_ITEMS) -> None:
        self._client = client
        self._keys = keys
        self._ttl_seconds = ttl_seconds
        self._limit = limit

    @store_errors()
    def touch(self, user_key: str | bytes, item_ids: Sequence[str]) -> None:
        """Note items a user touched, newest last; an item noted before moves to the front."""
        if item_ids:
            self._mark(self._keys.recent_marks(window_at(time.time())), user_key, WINDOW_SECONDS)
            newest_last = list(dict.fromkeys(reversed(item_ids)))[: self._limit][::-1]
            args: list[scripts.Argument] = [self._limit, self._ttl_seconds, *newest_last]
            scripts.run(self._client, "touch_items", [self._keys.recent(user_key)], args)

    @store_errors()
    def read(self, user_key: str | bytes) -> list[str]:
        """Items a user touched, newest first."""
        items = self._client.lrange(self._keys.recent(user_key), 0, -1)
        return [item.decode() for item in cast("list[bytes]", items)]

    @store_errors()
    def put_profile(self, user_key: str | bytes, profile: Mapping[str, Any]) -> None:
        """Replace what is known about a user."""
        self._mark(self._keys.profile_marks, user_key)
        self._client.set(self._keys.profile(user_key), documents.dump(dict(profile)))

    @store_errors()
    def read_profile(self, user_key: str | bytes) -> dict[str, Any] | None:
        """What is known about a user; None for nothing."""
        return decode_profile(cast("bytes | None", self._client.get(self._keys.profile(user_key))))

    def _mark(self, bitmap: str, user_key: str | bytes, window_seconds: int | None = None) -> None:
        """Set a user's bit before there is anything to find, so that no reader is ever wrongly sure."""
        key = user_key if isinstance(user_key, bytes) else user_key.encode()
        with self._client.pipeline(transaction=False) as pipe:
            pipe.setbit(bitmap, mark_of(key), 1)
            if window_seconds:
                pipe.expire(bitmap, 2 * window_seconds + self._ttl_seconds)
            pipe.execute()


def decode_profile(text: bytes | None) -> dict[str, Any] | None:
    """A profile as it stands in Redis."""
    return None if text is None else cast("dict[str, Any]", documents.load(text))
