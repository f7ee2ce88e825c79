"""Trained layers as numpy arrays: torch models rank without torch, by float64 sums."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.stored import take_finite

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight (after, before) and bias (after,)."""


def root_mean_weights(history: csr_matrix) -> csr_matrix:
    """1 / √count for every entry of a row, (n, n_items) float32, so that a row's length is 1."""
    counts = np.diff(history.indptr)
    weights = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    # The order of a sum decides its last bits, and a list must not depend on it.
    return csr_matrix((weights, history.indices, history.indptr), shape=history.shape).sorted_indices()


def take_layer(arrays: Mapping[str, NDArray[np.generic]], name: str, shape: tuple[int, int]) -> Layer:
    """The arrays "NAME_weight" of this shape and "NAME_bias" of its first side.

    Raises:
        CorruptArtifact: one is missing or different.
    """
    return take_finite(arrays, f"{name}_weight", shape), take_finite(arrays, f"{name}_bias", shape[:1])
