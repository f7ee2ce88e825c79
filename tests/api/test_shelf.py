from types import MappingProxyType

import pytest

from api.assortment import Assortment, Overlay
from api.shelf import NOBODY, Shelf, Taste, Wish
from api.snapshot import LiveModel, Neighbours, Popularity, Snapshot
from store.catalog import Catalog
from store.generations import Generation, Pointer
from store.keys import Keys
from store.reading import ShelfReader
from store.stock import Stock
from tests.api.shop import (
    K_STORE,
    MOST_POPULAR,
    N_ITEMS,
    USER_MAX,
    categories_of,
    item,
    neighbour_index,
    row_of,
)


def packed(indices: list[int]) -> bytes:
    return b"".join(index.to_bytes(2, "little") for index in indices)


def catalogue(shift: int = 0) -> Assortment:
    """The shop's catalogue; with ``shift`` the same items stand at other indices."""
    order = [(index + shift) % N_ITEMS for index in range(N_ITEMS)]
    catalog = Catalog(
        [item(one) for one in order], [categories_of(one) for one in order], "int64", "int64", USER_MAX
    )
    return Assortment(f"d{shift}", catalog)


def live(name: str, assortment: Assortment, lists: dict[str, list[int]] | None = None) -> LiveModel:
    generation = Generation(
        model=name,
        id="1",
        state="live",
        layout="segments" if lists else "users",
        dataset=assortment.dataset,
        artifact="a",
        knn="",
        n_users=1,
        n_items=N_ITEMS,
        n_buckets=1,
        n_chunks=1,
        buckets_per_chunk=1,
        k_store=K_STORE,
        id_width=2,
        fence=1,
        cut_off="2026-01-01T00:00:00+00:00",
        created="2026-01-01T00:00:00+00:00",
    )
    popularity = None
    if lists:
        rows = tuple(tuple(item(index) for index in indices) for indices in lists.values())
        popularity = Popularity(assortment, {label: number for number, label in enumerate(lists)}, rows)
    return LiveModel(name, Pointer("1"), generation, assortment, stock_of(generation), 0.0, popularity)


def stock_of(generation: Generation) -> Stock:
    """A stock nothing is read from."""
    reader = ShelfReader("redis://127.0.0.1:1", Keys(), timeout_seconds=1, recent_ttl_seconds=60)
    return reader.stock(generation)


ALS = live("als", catalogue())
BY_CATEGORY = {
    label: [index for index in MOST_POPULAR if not label or label in categories_of(index)]
    for label in ("", "Comedy", "Drama")
}


def snapshot(
    *, knn: bool = True, popular: bool = True, overlay: Overlay | None = None, shift: int = 0
) -> Snapshot:
    models = {"als": ALS}
    if popular:
        models["popular"] = live("popular", catalogue(shift), {"": MOST_POPULAR})
        models["popular_in_category"] = live("popular_in_category", catalogue(shift), BY_CATEGORY)
    neighbours = Neighbours("n", neighbour_index(), catalogue(shift)) if knn else None
    return Snapshot(MappingProxyType(models), neighbours, overlay or Overlay())


def test_a_full_row_is_the_list() -> None:
    served = Shelf(snapshot()).stocked(ALS, packed(row_of(1)), NOBODY, Wish(10))
    assert served.items == [item(index) for index in row_of(1)[:10]]
    assert served.source == "cache"


@pytest.mark.parametrize("knn", [True, False])
@pytest.mark.parametrize("popular", [True, False])
@pytest.mark.parametrize("row", [b"", packed([0]), packed([5, 5, 5]), packed(row_of(1))])
@pytest.mark.parametrize("category", [None, "Comedy"])
@pytest.mark.parametrize("recents", [(), ("101", "100"), ("nonsense",)])
def test_there_are_always_k_distinct_items_where_the_catalogue_has_them(
    knn: bool, popular: bool, row: bytes, category: str | None, recents: tuple[str, ...]
) -> None:
    shelf = Shelf(snapshot(knn=knn, popular=popular))
    served = shelf.stocked(ALS, row, Taste(recents), Wish(12, category))
    assert len(served.items) == len(set(served.items)) == 12
    assert not {str(one) for one in served.items} & set(recents)
    if category:
        assert all(one % 2 == 0 for one in served.items)


def test_a_catalogue_that_runs_out_gives_what_it_has() -> None:
    exclude = frozenset(str(item(index)) for index in range(27))
    served = Shelf(snapshot()).stocked(ALS, packed(row_of(1)), NOBODY, Wish(10, None, exclude))
    assert sorted(served.items) == [127, 128, 129]


def test_a_topped_up_list_keeps_the_source_of_its_first_item() -> None:
    served = Shelf(snapshot()).stocked(ALS, packed([3]), NOBODY, Wish(10))
    assert served.items[:4] == [103, 104, 105, 106]
    assert served.source == "cache"


def test_top_up_prefers_neighbours_of_what_was_touched_last() -> None:
    served = Shelf(snapshot()).stocked(ALS, packed([3]), Taste(("120",)), Wish(3))
    assert served.items == [103, 121, 122]


def test_lists_of_another_dataset_are_matched_by_the_items_ids() -> None:
    there = snapshot(shift=7)
    served = Shelf(there).newcomer(ALS, Taste(("105",)), Wish(3))
    assert served.source == "knn"
    assert served.items == [106, 107, 108]


def test_neighbours_come_in_the_category_asked_for() -> None:
    served = Shelf(snapshot()).newcomer(ALS, Taste(("105",)), Wish(3, "Comedy"))
    assert (served.items, served.source) == ([106, 108, 110], "knn")


@pytest.mark.parametrize("k", range(1, 6))
def test_a_list_goes_on_through_all_neighbours_where_the_nearest_are_hidden(k: int) -> None:
    index, session = neighbour_index(), [3, 4, 5, 9, 20]
    nearest = index.recommend(session, N_ITEMS)[0].tolist()
    hidden = nearest[:-5]
    assert len(hidden) > 4
    overlay = Overlay(1, frozenset(str(item(one)) for one in hidden))
    taste = Taste(tuple(str(item(one)) for one in session))
    served = Shelf(snapshot(overlay=overlay)).newcomer(ALS, taste, Wish(k))
    assert served.items == [item(one) for one in nearest[-5:][:k]]
    assert served.source == "knn"


def test_a_long_session_is_not_quick() -> None:
    assert Shelf(snapshot()).is_quick(50)
    assert not Shelf(snapshot()).is_quick(5_000)
    assert Shelf(snapshot(knn=False)).is_quick(5_000)


def test_a_favourite_category_without_a_list_of_its_own_is_passed_over() -> None:
    shelf = Shelf(snapshot())
    assert shelf.newcomer(ALS, Taste((), ("Rare", "Drama")), Wish(3)).source == "popular_in_category"
    assert shelf.newcomer(ALS, Taste((), ("Rare",)), Wish(3)).source == "popular"


def test_hidden_items_are_left_out_of_every_course() -> None:
    overlay = Overlay(1, frozenset(str(item(index)) for index in range(0, N_ITEMS, 3)))
    shelf = Shelf(snapshot(overlay=overlay))
    hidden = {item(index) for index in range(0, N_ITEMS, 3)}
    everything = Wish(N_ITEMS)
    for served in (
        shelf.stocked(ALS, packed(row_of(1)), NOBODY, everything),
        shelf.newcomer(ALS, Taste(("101",)), everything),
        shelf.newcomer(ALS, NOBODY, everything),
        shelf.session(ALS.assortment, Taste(("101",)), everything),
    ):
        assert served.items
        assert not hidden & set(served.items)
    assert not hidden & {near for near, _ in shelf.similar(1, 10)}


def test_an_item_moved_into_a_category_is_in_its_lists() -> None:
    overlay = Overlay(1, frozenset(), {"101": {"categories": ["Comedy", "New"]}, "100": {"categories": []}})
    shelf = Shelf(snapshot(overlay=overlay))
    comedies = shelf.newcomer(ALS, NOBODY, Wish(N_ITEMS, "Comedy")).items
    assert 101 in comedies
    assert 100 not in comedies
    assert shelf.newcomer(ALS, NOBODY, Wish(5, "New")).items == [101]
    assert shelf.knows_category(ALS.assortment, "New")
    assert not shelf.knows_category(ALS.assortment, "Old")
