"""What is ranked: vectors of a trained model with the histories they are of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, load_npz

from interactions.columns import ITEM, USER
from interactions.synthetic import SyntheticShape, generate
from interactions.training_set import TrainingSet
from models.als import Als, AlsConfig
from models.ranking import ItemVectors, Vectors

ALPHA = 10.0


@dataclass(frozen=True, eq=False)
class Work:
    """Users' and items' vectors, and what each user has touched (n_users, n_items)."""

    name: str
    vectors: Vectors
    seen: csr_matrix

    def of_users(self, rows: NDArray[np.integer]) -> "Work":
        """Some of the users."""
        return Work(self.name, self.vectors[rows], self.seen[rows])

    @property
    def size(self) -> str:
        """Users x items x factors."""
        n_users, n_items = self.seen.shape
        return f"{n_users:,} x {n_items:,} x {self.vectors.users.shape[1]}"


def from_file(path: Path, *, factors: int, threads: int) -> Work:
    """ALS vectors of the pairs in a scipy CSR file."""
    return trained(path.parent.name, csr_matrix(load_npz(path), dtype=np.float32), factors, 10, threads)


def synthetic(shape: SyntheticShape, *, factors: int, iterations: int, threads: int) -> Work:
    """ALS vectors of made-up interactions."""
    pairs = generate(shape).interactions
    users, items = (
        np.unique(pairs[name].to_numpy(), return_inverse=True)[1].astype(np.int32) for name in (USER, ITEM)
    )
    matrix = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=(shape.users, shape.items))
    return trained("synthetic", matrix, factors, iterations, threads)


def trained(name: str, matrix: csr_matrix, factors: int, iterations: int, threads: int) -> Work:
    """ALS vectors of a matrix."""
    model = Als(AlsConfig(factors=factors, iterations=iterations, alpha=ALPHA), threads=threads)
    arrays = model.fit(TrainingSet.of(matrix)).arrays()
    users, items = (np.asarray(arrays[side], np.float32) for side in ("user_factors", "item_factors"))
    return Work(name, Vectors(users, ItemVectors(items)), matrix)
