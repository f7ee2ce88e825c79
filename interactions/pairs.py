"""Interactions folded into one matrix entry per (user, item) pair."""

import numpy as np
from scipy.sparse import csr_matrix

from interactions.manifest import Feedback


def pair_matrix(
    users: np.ndarray, items: np.ndarray, weights: np.ndarray, shape: tuple[int, int], feedback: Feedback
) -> csr_matrix:
    """Fold rows into a canonical float32 CSR of ``shape`` with one entry per distinct pair.

    ``users``, ``items`` and ``weights`` are (n_rows,). Implicit weights of a pair add up; of explicit
    ratings the highest stays. A weight of 0 keeps its entry: the pair has interacted.
    """
    pair = users.astype(np.int64) * shape[1] + items.astype(np.int64)
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    fold = np.add if feedback == "implicit" else np.maximum
    data = fold.reduceat(weights[order], first) if len(first) else weights[:0]
    distinct = pair[first]
    rows, columns = np.divmod(distinct, max(shape[1], 1))
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    matrix = csr_matrix((data.astype(np.float32), columns.astype(np.int32), indptr), shape=shape)
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


def category_matrix(categories: list[list[str]], names: tuple[str, ...]) -> csr_matrix:
    """Categories per item as a 0/1 float32 CSR of (n_items, n_categories)."""
    column = {name: place for place, name in enumerate(names)}
    rows = [sorted({column[name] for name in of_item}) for of_item in categories]
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    indices = np.array([place for row in rows for place in row], dtype=np.int32)
    return csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), len(names)))
