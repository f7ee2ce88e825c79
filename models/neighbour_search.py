"""The nearest rows of a sparse matrix, and what an entry weighs in the search, which is implicit's."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

Weighting = Literal["cosine", "tfidf", "bm25"]


def weighted_rows(matrix: csr_matrix, weighting: Weighting, bm25_k1: float, bm25_b: float) -> csr_matrix:
    """What each row's entries are worth as terms of a document: 1, TF-IDF or BM25.

    Args:
        matrix: (n, m), 1 for every entry.
        bm25_k1, bm25_b: saturation and length normalisation, for "bm25" only.

    Returns:
        (n, m) float64, zeros where a weight is not a number: of one row, or one column, nothing can be said.
    """
    if weighting == "cosine":
        return csr_matrix(matrix, dtype=np.float64)
    from implicit.nearest_neighbours import bm25_weight, tfidf_weight  # noqa: PLC0415 -- ranking needs none

    with np.errstate(divide="ignore", invalid="ignore"):
        found = tfidf_weight(matrix) if weighting == "tfidf" else bm25_weight(matrix, bm25_k1, bm25_b)
    weighted = csr_matrix(found, dtype=np.float64)
    weighted.data[~np.isfinite(weighted.data)] = 0
    return weighted


def row_lengths(matrix: csr_matrix) -> NDArray[np.float64]:
    """The Euclidean length of each row (n,), 1 for a row of zeros."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())
    lengths[lengths == 0] = 1
    return lengths


def scaled_rows(matrix: csr_matrix, exponent: float) -> csr_matrix:
    """Each row divided by its length to the power of ``exponent``: 1 makes products cosines."""
    return csr_matrix(diags_array(row_lengths(matrix) ** -exponent) @ matrix)


def nearest_rows(rows: csr_matrix, k: int, threads: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The k other rows with the largest dot product, for each row.

    Args:
        rows: (n, m) float64.

    Returns:
        ids (n, k) int32, nearest first, ties to the lower id, padded with -1; products (n, k) float64, above
        0, padded with 0.
    """
    from implicit.nearest_neighbours import all_pairs_knn  # noqa: PLC0415 -- ranking needs none

    # The nearest of a row is mostly itself, which is dropped.
    similarity = all_pairs_knn(csr_matrix(rows.T), k + 1, num_threads=threads, show_progress=False).tocoo()
    kept = (similarity.row != similarity.col) & (similarity.data > 0)
    row, column, value = similarity.row[kept], similarity.col[kept], similarity.data[kept]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    ids = np.full((rows.shape[0], k), -1, np.int32)
    products = np.zeros((rows.shape[0], k))
    ids[row[kept], place[kept]] = column[kept]
    products[row[kept], place[kept]] = value[kept]
    return ids, products
