"""What the online neighbour index is measured against; see benchmarks/knn.py."""

import nmslib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from knn.neighbours import NeighbourIndex
from models.item_knn import ItemKnnConfig
from models.linear import touched
from models.neighbour_search import row_lengths, weighted_rows

Items = NDArray[np.integer]


def dense_list(index: NeighbourIndex, session: Items, k: int) -> Items:
    """The k items nearest to a session, by an array of sums over the whole catalogue made for each call."""
    items = np.sort(session)
    near = np.maximum(index.ids[items], 0).ravel()
    sums = np.bincount(near, index.weights[items].astype(np.float64).ravel(), minlength=index.n_items)
    sums[items] = 0
    candidates = np.flatnonzero(sums > 0)
    scores = sums[candidates]
    if len(scores) > k:
        near = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates, scores = candidates[near], scores[near]
    return candidates[np.argsort(-scores, kind="stable")[:k]]


def top(scores: NDArray[np.floating], seen: Items, k: int) -> Items:
    """The k best of ``scores`` (n_items,), which is changed, without ``seen``."""
    scores[seen] = -np.inf
    best = np.argpartition(-scores, min(k, len(scores)) - 1)[:k]
    return best[np.argsort(-scores[best])]


class ExactItemKnn:
    """``item_knn`` with every similarity there is: no item's neighbours are cut off."""

    def __init__(self, matrix: csr_matrix, config: ItemKnnConfig) -> None:
        taken = touched(matrix)
        rows = weighted_rows(csr_matrix(taken.T), config.weighting, config.bm25_k1, config.bm25_b)
        items_of_user = np.maximum(np.diff(matrix.indptr), 1).astype(np.float64)
        rows = csr_matrix(rows @ diags_array(items_of_user**-config.user_exponent))
        lengths = row_lengths(rows)
        history, candidate = (
            diags_array((lengths ** (-2 * share)).astype(np.float32))
            for share in (config.asymmetry, 1 - config.asymmetry)
        )
        narrow = rows.astype(np.float32)
        similarity = csr_matrix(narrow @ narrow.T)
        similarity.setdiag(0)
        self.similarity = csr_matrix(history @ similarity @ candidate)
        self.similarity.data **= config.amplification

    def list(self, session: Items, k: int) -> Items:
        """The k items nearest to a session."""
        sums = np.zeros(self.similarity.shape[1], np.float32)
        for item in session:
            row = slice(*self.similarity.indptr[item : item + 2])
            sums[self.similarity.indices[row]] += self.similarity.data[row]
        best = top(sums, session, k)
        return best[sums[best] > 0]


class FoldIn:
    """The vector of somebody ALS was not trained on: least squares over the items given, in closed form.

    With fewer items than factors the inverse of a matrix of items by items does (Woodbury): the same vector
    in a fourth of the time.
    """

    def __init__(self, items: NDArray[np.float32], regularization: float, alpha: float) -> None:
        self.items = items
        self.alpha = alpha
        self._everybody = items.T @ items
        self._everybody[np.diag_indices_from(self._everybody)] += np.float32(regularization)
        self._inverse = np.linalg.inv(self._everybody.astype(np.float64)).astype(np.float32)

    def vector(self, session: Items) -> NDArray[np.float32]:
        """The user's vector, (n_factors,) float32."""
        taken = self.items[session]
        if len(session) >= taken.shape[1]:
            weighted = self._everybody + (self.alpha - 1) * (taken.T @ taken)
            return np.linalg.solve(weighted, self.alpha * taken.sum(axis=0))
        projected = taken @ self._inverse
        first = self.alpha * projected.sum(axis=0)
        between = projected @ taken.T
        between[np.diag_indices_from(between)] += 1 / (self.alpha - 1)
        return first - np.linalg.solve(between, taken @ first) @ projected


class Graph:
    """nmslib's HNSW over item vectors, by inner product, one query at a time."""

    def __init__(self, vectors: NDArray[np.float32], *, links: int = 16, ef_construction: int = 200) -> None:
        self._graph = nmslib.init(method="hnsw", space="negdotprod", data_type=nmslib.DataType.DENSE_VECTOR)
        self._graph.addDataPointBatch(vectors)
        self._graph.createIndex(
            {"M": links, "efConstruction": ef_construction, "indexThreadQty": 1, "post": 0}
        )

    def look(self, ef: int) -> None:
        """Keep ``ef`` nodes in sight in the searches that follow, and as many as are asked for at least."""
        self._ef = ef
        self._graph.setQueryTimeParams({"efSearch": ef})

    def list(self, vector: NDArray[np.float32], session: Items, k: int) -> Items:
        """The k items found without those of the session."""
        wanted = k + len(session)
        if wanted > self._ef:
            self._graph.setQueryTimeParams({"efSearch": wanted})
        found, _ = self._graph.knnQuery(vector, wanted)
        if wanted > self._ef:
            self._graph.setQueryTimeParams({"efSearch": self._ef})
        seen = set(session.tolist())
        return np.array([item for item in found.tolist() if item not in seen][:k], np.int64)
