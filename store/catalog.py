"""The catalogue of a dataset version: external id and categories by item index, the type of user ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import orjson
import redis

from store.blobs import Blobs
from store.keys import Keys
from topshelf.errors import BlobNotFound, InvalidId

FILE = "catalog.json"
INT64_MAX = 2**63 - 1

ItemId = int | str


@dataclass(frozen=True)
class Catalog:
    """One dataset's items, by index, and the declared type of its ids.

    Attributes:
        item_ids: external id of each item index.
        categories: categories of each item index.
        user_id_max: largest user id that may exist, None where any may.
    """

    item_ids: Sequence[ItemId]
    categories: Sequence[Sequence[str]]
    user_id_type: str
    item_id_type: str
    user_id_max: int | None

    @cached_property
    def _index(self) -> Mapping[ItemId, int]:
        return {item: index for index, item in enumerate(self.item_ids)}

    def index_of(self, item_id: ItemId) -> int | None:
        """Index of an item; None for one that is not in the catalogue."""
        return self._index.get(item_id)

    def parse_user(self, text: str) -> int | str:
        """A user id out of a path.

        Raises:
            InvalidId: it is not of the declared type, or out of range.
        """
        if self.user_id_type == "string":
            return text
        user = _parse_int(text)
        if user is None or user < 0 or user > (INT64_MAX if self.user_id_max is None else self.user_id_max):
            limit = "" if self.user_id_max is None else f" up to {self.user_id_max}"
            raise InvalidId(f"{text[:64]!r} is not a user id: they are whole numbers from 0{limit}")
        return user


def write_catalog(
    client: redis.Redis,
    keys: Keys,
    dataset: str,
    *,
    item_ids: Sequence[ItemId],
    user_id_type: str,
    item_id_type: str,
    user_id_max: int | None,
    categories: Sequence[Sequence[str]],
) -> None:
    """Put a dataset's catalogue into the store; one that is there is left as it is."""
    content = orjson.dumps(
        {
            "item_ids": list(item_ids),
            "categories": [list(labels) for labels in categories],
            "user_id_type": user_id_type,
            "item_id_type": item_id_type,
            "user_id_max": user_id_max,
        }
    )
    Blobs(client).put(lambda part: keys.catalog(dataset, part), {FILE: content})


def load_catalog(client: redis.Redis, keys: Keys, dataset: str, cache_dir: Path) -> Catalog:
    """A dataset's catalogue, fetched into ``cache_dir`` at first use on this host.

    Raises:
        BlobNotFound: it is not in the store, or cannot be read.
    """
    folder = Blobs(client).fetch(lambda part: keys.catalog(dataset, part), cache_dir / "catalog" / dataset)
    try:
        content = orjson.loads((folder / FILE).read_bytes())
        # What a later version adds is none of ours.
        return Catalog(**{field.name: content[field.name] for field in fields(Catalog)})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BlobNotFound(f"the catalogue in {folder} cannot be read; remove the folder: {error}") from error


def _parse_int(text: str) -> int | None:
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 20:
        return None
    return int(text)
