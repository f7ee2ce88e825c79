"""A small catalogue and generations of it, written through the store as a worker does."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import redis

from knn.neighbours import IDS_FILE, WEIGHTS_FILE, NeighbourIndex
from store.blobs import Blobs
from store.buckets import bucket_count, chunk_ranges
from store.catalog import write_catalog
from store.generations import Generation, Generations
from store.keys import Keys
from store.recents import Recents
from tests.store.stocking import pack, write_lists

N_ITEMS = 30
K_STORE = 12
FIRST_ITEM = 100
USERS = range(1, 51)
USER_MAX = 1_000
NEIGHBOURS = 6

Id = int | str


def item(index: int) -> int:
    """External id of an item index."""
    return FIRST_ITEM + index


def categories_of(index: int) -> list[str]:
    """Even items are comedies, odd ones dramas, every tenth is rare, too."""
    return ["Comedy" if index % 2 == 0 else "Drama", *(["Rare"] if index % 10 == 0 else [])]


def row_of(user: int, shift: int = 0) -> list[int]:
    """Item indices of a user's row."""
    return [(user + shift + position) % N_ITEMS for position in range(K_STORE)]


def list_of(user: int, shift: int = 0) -> list[int]:
    """Items of a user's row."""
    return [item(index) for index in row_of(user, shift)]


MOST_POPULAR = list(range(N_ITEMS))[::-1]
"""Everybody's list, as item indices."""


class Shop:
    """Publishes generations into one Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self.generations = Generations(client, keys)

    def write_catalog(self, dataset: str = "d1", *, strings: bool = False) -> None:
        """The catalogue of a dataset, with ids that are numbers or strings."""
        write_catalog(
            self.client,
            self.keys,
            dataset,
            item_ids=[f"item/{index}" if strings else item(index) for index in range(N_ITEMS)],
            user_id_type="string" if strings else "int64",
            item_id_type="string" if strings else "int64",
            user_id_max=None if strings else USER_MAX,
            categories=[categories_of(index) for index in range(N_ITEMS)],
        )

    def publish_lists(
        self,
        model: str = "als",
        rows: Mapping[Id, Sequence[int]] | None = None,
        *,
        shift: int = 0,
        dataset: str = "d1",
        knn: str = "",
        score_width: int = 0,
        base: str = "",
    ) -> Generation:
        """A generation with one list a user, live; a delta where it names its base."""
        lists: Mapping[Id, Sequence[int]] = (
            rows if rows is not None else {user: row_of(user, shift) for user in USERS}
        )
        generation = self._create(model, "users", len(lists), dataset, knn, score_width, base)
        self._write(generation, lists)
        return self._publish(generation)

    def publish_delta(self, base: Generation, users: Sequence[int], *, shift: int) -> Generation:
        """Newer lists of some users, live over ``base``."""
        rows: dict[Id, Sequence[int]] = {user: row_of(user, shift) for user in users}
        return self.publish_lists(base.model, rows, dataset=base.dataset, base=base.id)

    def publish_popular(self, *, dataset: str = "d1") -> Generation:
        """The list of everybody, live as ``popular``."""
        generation = self._create("popular", "segments", 0, dataset)
        self._write_segments(generation, {"": MOST_POPULAR})
        return self._publish(generation)

    def publish_popular_in_category(
        self, segment_of_user: Mapping[Id, int] | None = None, *, dataset: str = "d1"
    ) -> Generation:
        """Lists per category, live; by default user 1 is of segment 1 (Comedy), user 2 of 2 (Drama)."""
        segments = segment_of_user if segment_of_user is not None else {1: 1, 2: 2, 3: 0}
        generation = self._create("popular_in_category", "segments", len(segments), dataset)
        rows = {
            label: [index for index in MOST_POPULAR if not label or label in categories_of(index)]
            for label in ("", "Comedy", "Drama")
        }
        self._write_segments(generation, rows)
        self._write(generation, {user: [segment] for user, segment in segments.items()})
        return self._publish(generation)

    def publish_item_knn(self, *, dataset: str = "d1", neighbours: int = NEIGHBOURS) -> Generation:
        """``item_knn`` with its neighbour index: an item's neighbours are those after it."""
        index = neighbour_index(neighbours)
        files = {IDS_FILE: _npy(index.ids), WEIGHTS_FILE: _npy(index.weights)}
        artifact = f"item_knn-{dataset}"
        Blobs(self.client).put(lambda part: self.keys.knn(artifact, part), files)
        return self.publish_lists("item_knn", dataset=dataset, knn=artifact)

    def publish_all(self) -> None:
        """Everything of one dataset, live."""
        self.write_catalog()
        self.publish_popular()
        self.publish_popular_in_category()
        self.publish_item_knn()
        self.publish_lists()

    def touch(self, user: Id, *items: str) -> None:
        """A user touches items, newest last."""
        Recents(self.client, self.keys, 60).touch(str(user), items)

    def put_profile(self, user: Id, *categories: str) -> None:
        """A user is known to like categories, favourite first."""
        Recents(self.client, self.keys, 60).put_profile(str(user), {"categories": list(categories)})

    def begin(self, model: str) -> Generation:
        """A generation that is being built."""
        return self._create(model, "users", 8, "d1")

    def _create(
        self,
        model: str,
        layout: str,
        n_users: int,
        dataset: str,
        knn: str = "",
        score_width: int = 0,
        base: str = "",
    ) -> Generation:
        return self.generations.create(
            model,
            fence=self.generations.next_fence(model),
            layout="users" if layout == "users" else "segments",
            dataset=dataset,
            artifact=f"{model}-{dataset}",
            knn=knn,
            n_users=n_users,
            n_items=N_ITEMS,
            n_buckets=bucket_count(n_users, 8),
            buckets_per_chunk=4,
            k_store=K_STORE,
            cut_off="2026-01-01T00:00:00+00:00",
            score_width=score_width,
            base=base,
            newer="d2" if base else "",
        )

    def _write(self, generation: Generation, lists: Mapping[Id, Sequence[int]]) -> None:
        of_text = {str(user): items for user, items in lists.items()}
        model, name = generation.model, generation.id
        for chunk, numbers in enumerate(chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)):
            self.generations.chunks.claim(model, name, chunk, lease_seconds=60)
            written = write_lists(self.client, self.keys, generation, of_text, numbers)
            self.generations.chunks.finish(model, name, chunk, written)

    def _write_segments(self, generation: Generation, rows: Mapping[str, Sequence[int]]) -> None:
        packed = [pack(row, generation.id_width) for row in rows.values()]
        self.generations.write_segments(generation.model, generation.id, packed, list(rows))

    def _publish(self, generation: Generation) -> Generation:
        self.generations.verify(generation.model, generation.id)
        self.generations.publish(generation.model, generation.id, generation.fence)
        return self.generations.get(generation.model, generation.id)


def neighbour_index(neighbours: int = NEIGHBOURS) -> NeighbourIndex:
    """Item i is nearest to i + 1, then i + 2, and so on around the catalogue."""
    ids = (np.arange(N_ITEMS)[:, np.newaxis] + np.arange(1, neighbours + 1)) % N_ITEMS
    weights = np.tile(1 / np.arange(1, neighbours + 1, dtype=np.float32), (N_ITEMS, 1))
    return NeighbourIndex(ids.astype(np.int32), weights.astype(np.float32))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
