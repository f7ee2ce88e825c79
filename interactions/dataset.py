"""One immutable dataset version, read from its folder when asked."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from polars.exceptions import PolarsError
from scipy.sparse import csr_matrix, load_npz

from interactions.columns import (
    CATEGORIES,
    EVENT,
    ITEM,
    ITEM_INDEX,
    TIMESTAMP,
    TITLE,
    USER,
    USER_INDEX,
    WEIGHT,
)
from interactions.features import encode_features
from interactions.id_map import IdKind, IdMap
from interactions.manifest import DatasetManifest
from interactions.training_set import TrainingSet
from topshelf.errors import CorruptDataset, DataError

INTERACTIONS_FILE: Final = "interactions.parquet"
USERS_FILE: Final = "users.parquet"
ITEMS_FILE: Final = "items.parquet"
MATRIX_FILE: Final = "matrix.npz"
CATEGORIES_FILE: Final = "categories.npz"
REJECTS_FILE: Final = "rejects.csv"
MANIFEST_FILE: Final = "manifest.json"

Content = TypeVar("Content")


class Dataset:
    """A dataset version on disk; ``Datasets.open`` gives one out.

    Every method reads its file anew, so that what it returns is the caller's own; the id maps stay in
    memory once read.

    Raises:
        CorruptDataset: by any reading method, when a file is missing or not what was written.
    """

    def __init__(self, path: Path, manifest: DatasetManifest) -> None:
        self.path = path
        self.manifest = manifest

    def __repr__(self) -> str:
        held = self.manifest
        counts = f"users={held.n_users}, items={held.n_items}, interactions={held.n_interactions}"
        return f"Dataset({self.version!r}, {counts})"

    @property
    def version(self) -> str:
        return self.manifest.version

    @cached_property
    def users(self) -> IdMap:
        return self._id_map(USERS_FILE, USER, self.manifest.user_id_type)

    @cached_property
    def items(self) -> IdMap:
        return self._id_map(ITEMS_FILE, ITEM, self.manifest.item_id_type)

    def interactions(self) -> pl.DataFrame:
        """All rows: user u32, item u32, weight f32, timestamp Datetime(us) in UTC; by user, then time.

        Rows of one user and one instant stand in ascending order of item.
        """
        return self._table(INTERACTIONS_FILE, [USER_INDEX, ITEM_INDEX, WEIGHT, TIMESTAMP])

    def rows(self) -> pl.DataFrame:
        """All rows under their external ids: user_id, item_id, timestamp, weight, event_id (null mostly)."""
        indexed = self._table(INTERACTIONS_FILE, [USER_INDEX, ITEM_INDEX, TIMESTAMP, WEIGHT, EVENT])
        users, items = self._table(USERS_FILE, [USER])[USER], self._table(ITEMS_FILE, [ITEM])[ITEM]
        return indexed.select(
            users.gather(indexed[USER_INDEX]),
            items.gather(indexed[ITEM_INDEX]),
            pl.col(TIMESTAMP),
            pl.col(WEIGHT),
            pl.col(EVENT),
        )

    def item_table(self) -> pl.DataFrame:
        """item_id, title where there is one, categories and features; rows in index order."""
        return self._table(ITEMS_FILE, None)

    def user_table(self) -> pl.DataFrame:
        """user_id and features; rows in index order."""
        return self._table(USERS_FILE, None)

    def event_ids(self) -> pl.Series:
        """Ids of the events among the interactions, in no particular order."""
        return self._table(INTERACTIONS_FILE, [EVENT])[EVENT].drop_nulls()

    def matrix(self) -> csr_matrix:
        """(n_users, n_items) float32, one entry per distinct pair.

        Implicit weights of a pair add up, of explicit ratings the highest stays. An entry may hold 0: the
        pair has interacted, with a weight of nothing.
        """
        return self._matrix(MATRIX_FILE)

    def titles(self) -> list[str]:
        """A title per item index; the id where there is none."""
        ids = self.items.external.tolist()
        columns = self._columns(ITEMS_FILE)
        if TITLE not in columns:
            return [str(item_id) for item_id in ids]
        titles = self._table(ITEMS_FILE, [TITLE])[TITLE].to_list()
        return [title or str(item_id) for title, item_id in zip(titles, ids, strict=True)]

    def item_categories(self) -> csr_matrix:
        """(n_items, n_categories) float32, 0/1; a column per name in ``manifest.category_names``."""
        return self._matrix(CATEGORIES_FILE)

    def categories_of_items(self) -> list[list[str]]:
        """The category names of each item index."""
        categories: list[list[str]] = self._table(ITEMS_FILE, [CATEGORIES])[CATEGORIES].to_list()
        return categories

    def item_features(self) -> pl.DataFrame | None:
        """Item features, rows in index order; None where the dataset has none."""
        return self._features(ITEMS_FILE, {ITEM, TITLE, CATEGORIES})

    def user_features(self) -> pl.DataFrame | None:
        """User features, rows in index order; None where the dataset has none."""
        return self._features(USERS_FILE, {USER})

    def training_set(self, matrix: csr_matrix | None = None) -> TrainingSet:
        """The dataset as a recommender sees it: all of it, or the part of the interactions in ``matrix``."""
        return TrainingSet(
            self.matrix() if matrix is None else matrix,
            self.item_categories(),
            self.manifest.category_names,
            encode_features(self.user_features(), self.manifest.n_users),
            encode_features(self.item_features(), self.manifest.n_items),
        )

    def _id_map(self, name: str, column: str, kind: IdKind) -> IdMap:
        return IdMap(kind, self._table(name, [column])[column].to_numpy())

    def _features(self, name: str, others: set[str]) -> pl.DataFrame | None:
        columns = [column for column in self._columns(name) if column not in others]
        return self._table(name, columns) if columns else None

    def _columns(self, name: str) -> list[str]:
        return self._read(name, lambda path: list(pl.read_parquet_schema(path)))

    def _table(self, name: str, columns: list[str] | None) -> pl.DataFrame:
        return self._read(name, lambda path: pl.read_parquet(path, columns=columns, glob=False))

    def _matrix(self, name: str) -> csr_matrix:
        return self._read(name, lambda path: csr_matrix(load_npz(path), dtype=np.float32))

    def _read(self, name: str, read: Callable[[Path], Content]) -> Content:
        try:
            return read(self.path / name)
        except (OSError, ValueError, KeyError, EOFError, PolarsError, DataError) as exc:
            raise CorruptDataset(f"{self.path / name} cannot be read: {exc}") from exc
