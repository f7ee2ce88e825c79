"""What is new in a later dataset version, in the item indices of an earlier one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.dataset import Dataset
from topshelf.errors import DataError


@dataclass(frozen=True, eq=False)
class Changes:
    """The users of a later version whose histories an earlier one does not have as they are.

    Attributes:
        users: (m,) int64 dense indices into the later version, ascending.
        matrix: (n_users, n_items) of the later version's users and the earlier version's items.
        known_as: (n_users,) int64 index of each user in the earlier version, -1 where it has none.
    """

    users: NDArray[np.int64]
    matrix: csr_matrix
    known_as: NDArray[np.int64]


def changes_since(earlier: Dataset, later: Dataset) -> Changes:
    """Compare two versions of one catalogue; the same two give the same answer anywhere.

    Items that only the later version has are left out: a user who touched nothing but those has not changed,
    and neither has one who is gone.

    Raises:
        DataError: the versions' ids are of different types.
    """
    for what, one, other in (
        ("user", earlier.users.kind, later.users.kind),
        ("item", earlier.items.kind, later.items.kind),
    ):
        if one != other:
            raise DataError(
                f"the {what} ids of {earlier.version} are {one}, those of {later.version} are {other}"
            )
    known_as = earlier.users.indices_of(later.users.external)
    items = earlier.items.indices_of(later.items.external)
    matrix = _with_columns(later.matrix(), items, len(earlier.items))
    return Changes(_changed_rows(earlier.matrix(), matrix, known_as), matrix, known_as)


def _with_columns(matrix: csr_matrix, columns: NDArray[np.int64], n_columns: int) -> csr_matrix:
    """The matrix with column j moved to ``columns[j]`` or, where that is -1, left out; indices sorted."""
    moved = columns[matrix.indices]
    kept = moved >= 0
    starts = np.concatenate(([0], np.cumsum(kept)))[matrix.indptr]
    found = csr_matrix((matrix.data[kept], moved[kept], starts), shape=(matrix.shape[0], n_columns))
    found.sort_indices()
    return found


def _changed_rows(earlier: csr_matrix, later: csr_matrix, known_as: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of ``later`` that hold something, and not what row ``known_as`` of ``earlier`` does."""
    earlier.sort_indices()
    length = np.diff(later.indptr)
    before = np.where(known_as >= 0, np.diff(earlier.indptr)[known_as], 0)
    changed = length != before
    alike = np.flatnonzero(~changed & (length > 0))
    new, old = later[alike], earlier[known_as[alike]]
    differs = (new.indices != old.indices) | (new.data != old.data)
    changed[alike[np.repeat(np.arange(len(alike)), np.diff(new.indptr))[differs]]] = True
    return np.flatnonzero(changed & (length > 0))
