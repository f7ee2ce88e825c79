"""Who gets which items: the row of a user, then neighbours, then what is popular.

Everything here works on a snapshot in memory; nothing waits.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from api.assortment import Assortment, ItemId
from api.schemas import Source
from api.snapshot import LiveModel, Neighbours, Popularity, Snapshot
from store.rows import unpack_row, unpack_segment

CANDIDATES_PER_ITEM = 4
"""Neighbours ranked at first for each item wished for; most lists need no more once filtered."""

Course = tuple[Source, Assortment, Iterable[ItemId]]
"""One source of items, and the catalogue that knows their categories."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: ``k`` items, of one category where given, without ``exclude`` (ids as text)."""

    k: int
    category: str | None = None
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Served:
    """Distinct items, best first, and where the first of them came from."""

    items: list[ItemId]
    source: Source


@dataclass(frozen=True)
class Taste:
    """What is known about somebody: items touched (ids as text, newest first), favourite categories."""

    recents: Sequence[str] = ()
    categories: Sequence[str] = ()


NOBODY = Taste()


class Shelf:
    """Recommends from one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._overlay = snapshot.overlay

    def stocked(self, model: LiveModel, row: bytes, taste: Taste, wish: Wish) -> Served:
        """The list of a user who has a row, topped up where filtering left too few."""
        if model.popularity:
            return self._segment(model.popularity, unpack_segment(row), model.assortment, taste, wish)
        assortment = model.assortment
        own = list(assortment.items(unpack_row(row, model.generation.id_width)))
        seeds = taste.recents or [str(item) for item in own]
        row_first: list[Course] = [("cache", assortment, own)]
        return self._serve(
            chain(row_first, self._near(seeds, wish), self._popular(assortment, taste, wish)), taste, wish
        )

    def newcomer(self, model: LiveModel, taste: Taste, wish: Wish) -> Served:
        """The list of somebody without a row: neighbours of recent items, then what is popular."""
        assortment = model.assortment
        if model.popularity:
            segment = self._favourite_segment(model.popularity, assortment, taste)
            return self._segment(model.popularity, segment, assortment, taste, wish)
        return self._serve(
            chain(self._near(taste.recents, wish), self._popular(assortment, taste, wish)), taste, wish
        )

    def session(self, assortment: Assortment, taste: Taste, wish: Wish) -> Served:
        """The list for items looked at by somebody without an account."""
        return self._serve(
            chain(self._near(taste.recents, wish), self._popular(assortment, taste, wish)), taste, wish
        )

    def similar(self, item: int, k: int) -> list[tuple[ItemId, float]]:
        """Neighbours of an item (index in the neighbours' catalogue), nearest first, with similarities."""
        neighbours = self._snapshot.neighbours
        if neighbours is None:
            return []
        ids, scores = neighbours.index.similar(item, neighbours.index.width)
        found = zip(neighbours.assortment.items(ids.tolist()), scores.tolist(), strict=True)
        return [(near, score) for near, score in found if str(near) not in self._overlay.hidden][:k]

    def is_quick(self, n_session_items: int) -> bool:
        """Whether the list for a session of so many items may be made on an event loop."""
        neighbours = self._snapshot.neighbours
        return neighbours is None or neighbours.index.is_quick(n_session_items)

    def labels(self, assortment: Assortment) -> set[str]:
        """Every category an item or a list of popular items has."""
        by_category = self._snapshot.popular_in_category
        labels = {*assortment.labels, *self._overlay.labels()}
        return labels | set(by_category.segment_of_label) if by_category else labels

    def knows_category(self, assortment: Assortment, label: str) -> bool:
        """Whether some item has, or had, this category."""
        return label in assortment.labels or label in self.labels(assortment)

    def _segment(
        self, popularity: Popularity, segment: int, assortment: Assortment, taste: Taste, wish: Wish
    ) -> Served:
        if wish.category is not None:
            segment = popularity.segment_of_label.get(wish.category, segment)
        own: list[Course] = [(_source(segment), popularity.assortment, popularity.row(segment))]
        return self._serve(chain(own, self._popular(assortment, taste, wish)), taste, wish)

    def _near(self, seeds: Sequence[str], wish: Wish) -> Iterator[Course]:
        neighbours = self._snapshot.neighbours
        if neighbours is not None and seeds:
            yield "knn", neighbours.assortment, _neighbours_of(neighbours, seeds, wish)

    def _popular(self, assortment: Assortment, taste: Taste, wish: Wish) -> Iterator[Course]:
        """The last courses: popular in the category, popular, and whatever the catalogue has."""
        by_category = self._snapshot.popular_in_category
        if by_category:
            if wish.category is not None:
                segment = by_category.segment_of_label.get(wish.category, 0)
            else:
                segment = self._favourite_segment(by_category, assortment, taste)
            if segment:
                yield "popular_in_category", by_category.assortment, by_category.row(segment)
        popular = self._snapshot.popular
        if popular:
            yield "popular", popular.assortment, popular.row(0)
        yield "popular", assortment, self._rest(assortment, wish)

    def _rest(self, assortment: Assortment, wish: Wish) -> Iterator[ItemId]:
        if wish.category is None:
            yield from assortment.item_ids
            return
        yield from assortment.in_category(wish.category)
        moved = assortment.indices_of(self._overlay.in_category(wish.category))
        yield from assortment.items(moved)

    def _favourite_segment(self, popularity: Popularity, assortment: Assortment, taste: Taste) -> int:
        """Segment of the first favourite category that has one, else of the category touched most."""
        seen = Counter(
            label
            for text, index in ((text, assortment.index_of(text)) for text in taste.recents)
            if index is not None
            for label in self._categories_of(assortment, assortment.item_ids[index], text)
        )
        for label in (*taste.categories, *(label for label, _ in seen.most_common())):
            if label in popularity.segment_of_label:
                return popularity.segment_of_label[label]
        return 0

    def _categories_of(self, assortment: Assortment, item: ItemId, text: str) -> Collection[str]:
        changed = self._overlay.categories_of(text)
        return assortment.categories_of(item) if changed is None else changed

    def _serve(self, courses: Iterable[Course], taste: Taste, wish: Wish) -> Served:
        """The first ``k`` items that may be shown, each once, and the source of the first."""
        hidden, taken = self._overlay.hidden, {*taste.recents, *wish.exclude}
        items: list[ItemId] = []
        first: Source = "popular"
        for source, assortment, candidates in courses:
            for item in candidates:
                text = str(item)
                if text in hidden or text in taken:
                    continue
                if wish.category and wish.category not in self._categories_of(assortment, item, text):
                    continue
                first = first if items else source
                taken.add(text)
                items.append(item)
                if len(items) == wish.k:
                    return Served(items, first)
        return Served(items, first)


def _neighbours_of(neighbours: Neighbours, seeds: Sequence[str], wish: Wish) -> Iterator[ItemId]:
    """All that is near to ``seeds``, nearest first; what comes after the first few is ranked if asked for."""
    index, session = neighbours.index, neighbours.assortment.indices_of(seeds)
    if not session:
        return
    first = CANDIDATES_PER_ITEM * wish.k + len(wish.exclude)
    ids, _ = index.recommend(session, first)
    yield from neighbours.assortment.items(ids.tolist())
    if len(ids) == first:
        ids, _ = index.recommend(session, index.n_items)
        yield from neighbours.assortment.items(ids[first:].tolist())


def _source(segment: int) -> Source:
    return "popular_in_category" if segment else "popular"
