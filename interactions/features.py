"""Columns of user or item features as one matrix of ones and zeros."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, hstack

from topshelf.errors import DataError

MAX_VALUES: Final = 500
"""Most values of a column that get a feature each; of more, the most frequent."""

MAX_NUMBERS: Final = 20
"""Most distinct numbers taken one by one; of more, quantiles."""

QUANTILES: Final = 10


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Which of some features each user, or each item, has.

    ``matrix`` (n, n_features) float32 is 0/1, a column per name; a name is "column=value".

    Raises:
        DataError: when the shapes do not fit together.
    """

    matrix: csr_matrix
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.matrix.shape[1] != len(self.names):
            raise DataError(f"{self.matrix.shape[1]} features have {len(self.names)} names")

    @classmethod
    def none(cls, n: int) -> "FeatureMatrix":
        """No features for ``n`` users or items."""
        return cls(csr_matrix(np.zeros((n, 0), np.float32)))

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def joined(self, other: "FeatureMatrix") -> "FeatureMatrix":
        """These features and others of the same users or items."""
        both = csr_matrix(hstack([self.matrix, other.matrix]), dtype=np.float32)
        return FeatureMatrix(both, self.names + other.names)

    def columns(self) -> dict[str, list[int]]:
        """The places of the features that each original column became."""
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.names):
            found.setdefault(name.partition("=")[0], []).append(place)
        return found


def encode_features(table: pl.DataFrame | None, n: int) -> FeatureMatrix:
    """One-hot features of a table of ``n`` rows, in index order; what is missing has none.

    Text and true/false become a feature per value, lists one per value they hold, numbers one per value or,
    where there are more than 20, one per tenth of the rows. A value that only one row has says nothing that
    holds for another, and a column of more than 500 values keeps the most frequent.
    """
    parts = [] if table is None else [_encoded(table[column]) for column in sorted(table.columns)]
    known = [part for part in parts if part.names]
    if not known:
        return FeatureMatrix.none(n)
    matrix = csr_matrix(hstack([part.matrix for part in known]), dtype=np.float32)
    matrix.sort_indices()
    return FeatureMatrix(matrix, tuple(name for part in known for name in part.names))


def _encoded(column: pl.Series) -> FeatureMatrix:
    if isinstance(column.dtype, pl.List):
        values = column.cast(pl.List(pl.String))
    elif column.dtype.is_numeric() and column.n_unique() > MAX_NUMBERS:
        values = _tenths(column)
    else:
        values = column.cast(pl.String)
    held = pl.DataFrame({"value": values}).with_row_index("row")
    if isinstance(values.dtype, pl.List):
        held = held.explode("value")
    pairs = held.drop_nulls().unique()
    frequent = (
        pairs.group_by("value")
        .len()
        .filter(pl.col("len") > 1)
        .sort("len", "value", descending=[True, False])
        .head(MAX_VALUES)["value"]
        .sort()
    )
    places = pl.DataFrame({"value": frequent}).with_row_index("place")
    found = pairs.join(places, on="value")
    ones = np.ones(found.height, np.float32)
    matrix = csr_matrix(
        (ones, (found["row"].to_numpy(), found["place"].to_numpy())), shape=(len(column), len(frequent))
    )
    return FeatureMatrix(matrix, tuple(f"{column.name}={value}" for value in frequent))


def _tenths(column: pl.Series) -> pl.Series:
    """The tenth of the rows a number belongs to, "low..high"; null where it is no finite number."""
    numbers = column.cast(pl.Float64)
    numbers = numbers.set(~numbers.is_finite(), None)
    known = numbers.drop_nulls()
    if not len(known):
        return numbers.cast(pl.String)
    edges = np.unique(np.quantile(known.to_numpy(), np.linspace(0, 1, QUANTILES + 1)))
    place = np.searchsorted(edges[1:-1], numbers.fill_null(0).to_numpy(), side="right")
    labels = [f"{low:g}..{high:g}" for low, high in pairwise(edges)] or ["any"]
    named = pl.Series(column.name, np.array(labels)[np.minimum(place, len(labels) - 1)])
    return named.set(numbers.is_null(), None)
