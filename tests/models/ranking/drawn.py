"""Vectors and histories to rank, and what a list must be."""

import numpy as np
from scipy.sparse import csr_matrix

from models.ranking import ItemVectors, Vectors


def drawn_vectors(
    n_users: int = 90, n_items: int = 400, *, factors: int = 16, biased: bool = False, spread: float = 0.0
) -> Vectors:
    """Normal vectors; with ``spread``, items' lengths fall off as they do in a trained model."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(n_items, factors)).astype(np.float32)
    items *= rng.permutation(np.exp(-spread * np.arange(n_items) / n_items)).astype(np.float32)[:, np.newaxis]
    biases = rng.normal(size=n_items).astype(np.float32) if biased else None
    users = rng.normal(size=(n_users, factors)).astype(np.float32)
    return Vectors(users, ItemVectors(items, biases))


def drawn_seen(n_users: int, n_items: int) -> csr_matrix:
    """A tenth of all pairs."""
    return csr_matrix((np.random.default_rng(1).random((n_users, n_items)) < 0.1).astype(np.float32))


def brute_force(vectors: Vectors, seen: csr_matrix, k: int) -> np.ndarray:
    """The k best unseen items of each user by float64 scores, (n, k), ties to the lower item."""
    scores = vectors.users.astype(np.float64) @ vectors.items.rows.astype(np.float64).T
    if vectors.items.biases is not None:
        scores += vectors.items.biases
    scores[seen.toarray() != 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]
