"""What changes about items between trainings: hidden ones, categories, features.

The version is raised after each change, so a reader that sees it raised also sees the change.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
import redis

from store.connection import store_errors
from store.keys import Keys

CATEGORIES, FEATURES = b"c:", b"f:"


class ItemOverlay:
    """Hidden items and changed categories, over every catalogue of one serving Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @store_errors()
    def hide(self, item_id: str) -> None:
        """Keep an item off every list."""
        self._client.sadd(self._keys.items_hidden, item_id)
        self._client.incr(self._keys.items_version)

    @store_errors()
    def unhide(self, item_id: str) -> None:
        """Let an item back onto the lists."""
        if self._client.srem(self._keys.items_hidden, item_id):
            self._client.incr(self._keys.items_version)

    @store_errors()
    def put_categories(self, item_id: str, categories: Sequence[str]) -> None:
        """Replace an item's categories."""
        self._put(CATEGORIES, item_id, list(categories))

    @store_errors()
    def put_features(self, item_id: str, features: Mapping[str, Any]) -> None:
        """Replace an item's features."""
        self._put(FEATURES, item_id, dict(features))

    @store_errors()
    def snapshot(self) -> tuple[int, set[str], dict[str, dict[str, Any]]]:
        """The version, the hidden items, and ``{item: {"categories": …, "features": …}}`` of changed ones."""
        with self._client.pipeline(transaction=False) as pipe:
            # The version first: a change in between is seen again at the next version, never missed.
            pipe.get(self._keys.items_version)
            pipe.smembers(self._keys.items_hidden)
            pipe.hgetall(self._keys.items_meta)
            version, hidden, meta = pipe.execute()
        known: dict[str, dict[str, Any]] = {}
        for field, text in cast("dict[bytes, bytes]", meta).items():
            what = "categories" if field.startswith(CATEGORIES) else "features"
            known.setdefault(field[2:].decode(), {})[what] = orjson.loads(text)
        return int(version or 0), {item.decode() for item in hidden}, known

    def _put(self, what: bytes, item_id: str, value: Any) -> None:
        field = (what + item_id.encode()).decode()
        self._client.hset(self._keys.items_meta, field, orjson.dumps(value).decode())
        self._client.incr(self._keys.items_version)
