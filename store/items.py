"""What was changed about items since the catalogue was written; every reader follows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import redis

from store import documents
from store.connection import store_errors
from store.keys import Keys

ItemMeta = dict[str, dict[str, Any]]
"""External id -> ``categories`` (list) and ``features`` (object), each only where it was put."""

CATEGORIES, FEATURES = "c:", "f:"


class ItemOverlay:
    """Hidden items, categories and features; a version counter is raised after each change."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @store_errors()
    def hide(self, item_id: str) -> None:
        """Keep an item off every list."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.sadd(self._keys.items_hidden, item_id)
            pipe.incr(self._keys.items_version)
            pipe.execute()

    @store_errors()
    def unhide(self, item_id: str) -> None:
        """Let an item onto lists again."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.srem(self._keys.items_hidden, item_id)
            pipe.incr(self._keys.items_version)
            pipe.execute()

    def put_categories(self, item_id: str, categories: Sequence[str]) -> None:
        """Replace an item's categories."""
        self._put(CATEGORIES + item_id, list(categories))

    def put_features(self, item_id: str, features: Mapping[str, Any]) -> None:
        """Replace an item's features."""
        self._put(FEATURES + item_id, dict(features))

    @store_errors()
    def snapshot(self) -> tuple[int, set[str], ItemMeta]:
        """Version, hidden items' ids, and what is known about items.

        The version is read first: the rest is never older than it.
        """
        with self._client.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.items_version)
            pipe.smembers(self._keys.items_hidden)
            pipe.hgetall(self._keys.items_meta)
            version, hidden, meta = pipe.execute()
        return int(version or 0), {item.decode() for item in hidden}, _decode(meta)

    @store_errors()
    def _put(self, field: str, value: Any) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(self._keys.items_meta, field, documents.dump(value))
            pipe.incr(self._keys.items_version)
            pipe.execute()


def _decode(raw: Mapping[bytes, bytes]) -> ItemMeta:
    meta: ItemMeta = {}
    names = {CATEGORIES: "categories", FEATURES: "features"}
    for field, text in raw.items():
        item_id = field.decode()
        meta.setdefault(item_id[2:], {})[names[item_id[:2]]] = documents.load(text)
    return meta
