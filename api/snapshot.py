"""What a reader serves at one moment; never changed, replaced whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from api.assortment import Assortment, ItemId, Overlay
from api.list_headers import ListHeaders
from store.generations import Generation, Pointer
from store.rows import row_reader
from store.stock import Stock

if TYPE_CHECKING:
    from knn.neighbours import NeighbourIndex

DEFAULT_K = 10
POPULAR = "popular"
POPULAR_IN_CATEGORY = "popular_in_category"
NEIGHBOURS = "item_knn"


@dataclass(frozen=True, eq=False)
class Popularity:
    """The lists of a generation of the layout ``segments``; segment 0 is everybody's."""

    assortment: Assortment
    segment_of_label: Mapping[str, int]
    rows: tuple[tuple[ItemId, ...], ...]

    def row(self, segment: int) -> tuple[ItemId, ...]:
        """The list of a segment, best first; everybody's where there is no such segment."""
        if not self.rows:
            return ()
        return self.rows[segment if segment < len(self.rows) else 0]


@dataclass(frozen=True, eq=False)
class LiveModel:
    """One model's live generation with its catalogue.

    A delta over it shows in the pointer and in the stock alone: its rows are of the same width and catalogue.
    """

    name: str
    pointer: Pointer
    generation: Generation
    """The base."""
    assortment: Assortment
    stock: Stock
    published_at: float
    """Epoch seconds, of the base: no list of the model is older."""
    popularity: Popularity | None = None
    """There where the layout is ``segments``."""
    _headers: dict[tuple[str, bool], ListHeaders] = field(default_factory=dict, init=False, repr=False)

    @property
    def k(self) -> int:
        """Items of a list where nobody says how many."""
        return min(DEFAULT_K, self.generation.k_store)

    @cached_property
    def first_items(self) -> Callable[[bytes], Sequence[int]]:
        """Reads the first ``k`` item indices of a row; none of a row that is shorter."""
        return row_reader(self.generation.id_width, self.k)

    def headers(self, source: str, stale: bool = False) -> ListHeaders:
        """The headers of this generation's lists."""
        headers = self._headers.get((source, stale))
        if headers is None:
            headers = self._headers[source, stale] = ListHeaders(source, str(self.pointer), stale=stale)
        return headers

    def age_seconds(self, now: float) -> float:
        """Seconds since the base was published, whether or not a delta has renewed some of its lists."""
        return max(0.0, now - self.published_at)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The online kNN: an index over the items of its own dataset."""

    artifact: str
    index: "NeighbourIndex"
    assortment: Assortment


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All live models, the online kNN, and what was changed about items."""

    models: Mapping[str, LiveModel] = field(default_factory=lambda: MappingProxyType({}))
    neighbours: Neighbours | None = None
    overlay: Overlay = field(default_factory=Overlay)

    def with_overlay(self, overlay: Overlay) -> Self:
        """The same with other changes to items."""
        return replace(self, overlay=overlay)

    @property
    def popular(self) -> Popularity | None:
        """Where everybody's list comes from: ``popular``, else any model with segments."""
        return next(self._popularities(POPULAR, POPULAR_IN_CATEGORY), None)

    @property
    def popular_in_category(self) -> Popularity | None:
        """Where the lists per category come from."""
        lists = self._popularities(POPULAR_IN_CATEGORY)
        return next((one for one in lists if len(one.rows) > 1), None)

    @property
    def assortment(self) -> Assortment | None:
        """The catalogue of the newest generation: it decides the type of ids where no model is named."""
        newest = max(self.models.values(), key=lambda model: model.published_at, default=None)
        return newest.assortment if newest else None

    def _popularities(self, *preferred: str) -> Iterator[Popularity]:
        names = [*preferred, *(name for name in self.models if name not in preferred)]
        for name in names:
            model = self.models.get(name)
            if model and model.popularity:
                yield model.popularity


def published_at(generation: Generation) -> float:
    """When a generation was published, or created where it never was, in epoch seconds."""
    moment = datetime.fromisoformat(generation.published or generation.created)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
