"""What may be handed out: a dataset's catalogue, and what was changed about its items since."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

from store.catalog import Catalog
from topshelf.errors import InvalidId

ItemId = int | str

REMEMBERED = 16_384
"""Items whose index by text is remembered: recent items are popular ones, again and again."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Hidden items, and categories and features set over HTTP; items go by the text of their id."""

    version: int = -1
    hidden: frozenset[str] = frozenset()
    meta: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))

    def categories_of(self, item: str) -> Collection[str] | None:
        """The categories that were set for an item; None where none were."""
        known = self.meta.get(item)
        return None if known is None else known.get("categories")

    def in_category(self, label: str) -> Iterator[str]:
        """Items that were put into a category."""
        return (item for item, known in self.meta.items() if label in (known.get("categories") or ()))

    def labels(self) -> set[str]:
        """Categories that some item was put into."""
        return {label for known in self.meta.values() for label in known.get("categories") or ()}


class Assortment:
    """A dataset's catalogue with its items by category; shared by every generation of that dataset."""

    def __init__(self, dataset: str, catalog: Catalog) -> None:
        self.dataset = dataset
        self.catalog = catalog
        self.item_ids = catalog.item_ids
        # Formatted anew: orjson hands out bytes in blocks of a kilobyte, which would stay.
        self.encoded = [b"%b" % orjson.dumps(item) for item in catalog.item_ids]
        """External ids as JSON has them, by index."""
        self._hidden: tuple[Overlay, Set[int]] = (Overlay(), frozenset())
        self.index_of = lru_cache(REMEMBERED)(self._find)
        """Index of an item by the text of its id; None where the catalogue lacks it."""
        self._by_category: dict[str, list[int]] = {}
        for index, labels in enumerate(catalog.categories):
            for label in labels:
                self._by_category.setdefault(label, []).append(index)

    @property
    def labels(self) -> Collection[str]:
        """Categories that some item has."""
        return self._by_category.keys()

    def hidden(self, overlay: Overlay) -> Set[int]:
        """Indices of the items an overlay hides; the last overlay's are remembered."""
        known, indices = self._hidden
        if known is not overlay:
            indices = frozenset(self.indices_of(overlay.hidden))
            self._hidden = (overlay, indices)
        return indices

    def items(self, indices: Iterable[int]) -> Iterator[ItemId]:
        """External ids of item indices."""
        return (self.item_ids[index] for index in indices)

    def parse_item(self, text: str) -> ItemId:
        """An item's id as the dataset types it, from a path or a query.

        Raises:
            InvalidId: the dataset's ids are integers and this is none.
        """
        return parse_id(text, self.catalog.item_id_type)

    def indices_of(self, texts: Iterable[str]) -> list[int]:
        """Indices of those items that are in the catalogue, in the order given."""
        found = (self.index_of(text) for text in texts)
        return [index for index in found if index is not None]

    def _find(self, text: str) -> int | None:
        try:
            return self.catalog.index_of(self.parse_item(text))
        except InvalidId:
            return None

    def categories_of(self, item: ItemId) -> Collection[str]:
        """Categories the dataset gives an item."""
        index = self.catalog.index_of(item)
        return () if index is None else self.catalog.categories[index]

    def in_category(self, label: str) -> Iterator[ItemId]:
        """Items of a category, in the catalogue's order."""
        return self.items(self._by_category.get(label, ()))


def parse_id(text: str, id_type: str) -> ItemId:
    """An external id from its text: ``007`` is 7 where ids are integers.

    Raises:
        InvalidId: the ids are integers and this is none, or it is empty.
    """
    if not text:
        raise InvalidId("an id must not be empty")
    if id_type != "int64":
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise InvalidId(f"{text[:64]!r} is not an integer, as the ids of this dataset are")
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise InvalidId(f"{text} is beyond 64 bits")
    return value
