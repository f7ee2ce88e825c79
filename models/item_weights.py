"""Item-to-item weights of linear autoencoders, in closed form, with a diagonal of zeros.

Of ``P = (XᵀX + diag(penalty))⁻¹`` the weights are ``-P[i, j] / P[j, j]``: H. Steck, "Embarrassingly Shallow
Autoencoders for Sparse Data", WWW 2019. The inverse is taken on the smaller side of X; where users are the
fewer, ``P`` follows from the inverse of ``X diag(1/penalty) Xᵀ + 1`` (the Woodbury identity), so that 30,000
users x 41,000 items take 3.6 GB and not 6.7.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, diags_array

from models.fit_run import FitRun
from topshelf.errors import TrainingFailed

_EXACT_SIDE = 8192
_BLOCK_ITEMS = 512


def solve_item_weights(
    matrix: csr_matrix, penalty: NDArray[np.floating], *, kept: int, memory_gb: float, run: FitRun, name: str
) -> csr_matrix:
    """The weights, the ``kept`` largest of each target item by size.

    Args:
        matrix: X, (n_users, n_items).
        penalty: (n_items,) positive; what is added to the diagonal of XᵀX.
        memory_gb: the most the dense inverse may take, in units of 10⁹ bytes.
        name: of the model, for messages.

    Returns:
        (n_items, n_items) float32: row is an item of the history, column the target.

    Raises:
        TrainingFailed: the inverse would take more memory, or the penalty is too small to invert.
    """
    n_users, n_items = matrix.shape
    side = min(n_users, n_items)
    dtype = np.float64 if side <= _EXACT_SIDE else np.float32
    needed = side**2 * np.dtype(dtype).itemsize / 1e9
    if needed > memory_gb:
        raise TrainingFailed(
            f"{name} needs {needed:.1f} GB for its inverse of {side} x {side} numbers and may take "
            f"{memory_gb:g}; raise memory_gb, or drop rare items from the data"
        )
    wide = csr_matrix(matrix, dtype=dtype)
    blocks = _by_items if n_items <= n_users else _by_users
    found = []
    for start, precision in blocks(wide, penalty.astype(dtype), run, name):
        found.append(_strongest(precision, start, kept))
        run.report(0.6 + 0.4 * (start + len(precision)) / n_items, f"{name}: weights of {start} items kept")
    rows, columns, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    weights = csr_matrix((values, (rows, columns)), shape=(n_items, n_items), dtype=np.float32)
    weights.sort_indices()
    return weights


def _by_items(
    matrix: csr_matrix, penalty: NDArray[np.floating], run: FitRun, name: str
) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """Blocks of rows of P, (start, (rows, n_items)), from the inverse over items."""
    gram = _dense(csr_matrix(matrix.T @ matrix))
    gram[np.diag_indices_from(gram)] += penalty
    inverse = _invert(gram, run, name)
    for start in range(0, len(inverse), _BLOCK_ITEMS):
        yield start, inverse[start : start + _BLOCK_ITEMS]


def _by_users(
    matrix: csr_matrix, penalty: NDArray[np.floating], run: FitRun, name: str
) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """The same from the inverse over users."""
    root = 1 / np.sqrt(penalty)
    scaled = csr_matrix(matrix @ diags_array(root), dtype=matrix.dtype)
    gram = _dense(csr_matrix(scaled @ scaled.T))
    gram[np.diag_indices_from(gram)] += 1
    inverse = _invert(gram, run, name)
    by_item = csr_matrix(scaled.T)
    for start in range(0, matrix.shape[1], _BLOCK_ITEMS):
        targets = by_item[start : start + _BLOCK_ITEMS]
        block = -(by_item @ np.ascontiguousarray((targets @ inverse).T)).T
        place = np.arange(len(block))
        block[place, start + place] += 1
        block *= root[start : start + _BLOCK_ITEMS, np.newaxis]
        block *= root
        yield start, block


def _dense(gram: csr_matrix) -> NDArray[np.floating]:
    dense: NDArray[np.floating] = gram.toarray(order="F")
    return dense


def _invert(gram: NDArray[np.floating], run: FitRun, name: str) -> NDArray[np.floating]:
    """The inverse of a symmetric positive definite matrix, in its own memory."""
    exact = gram.dtype == np.float64
    factor, invert = (lapack.dpotrf, lapack.dpotri) if exact else (lapack.spotrf, lapack.spotri)
    run.report(0.05, f"{name}: factoring {len(gram)} x {len(gram)} numbers")
    gram, fault = factor(gram, lower=1, overwrite_a=1, clean=0)
    if fault == 0:
        run.report(0.2, f"{name}: inverting {len(gram)} x {len(gram)} numbers")
        gram, fault = invert(gram, lower=1, overwrite_c=1)
    if fault != 0:
        raise TrainingFailed(f"{name} cannot be inverted: raise regularization")
    for start in range(0, len(gram), _BLOCK_ITEMS):
        end = min(start + _BLOCK_ITEMS, len(gram))
        lower = np.tril(gram[start:end, start:end])
        gram[start:end, start:end] = lower + np.tril(lower, -1).T
        gram[start:end, end:] = gram[end:, start:end].T
    # Symmetric either way; scipy copies what is not in C order.
    return gram.T


def _strongest(
    precision: NDArray[np.floating], start: int, kept: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """History items, target items and weights kept of a block of targets."""
    place = np.arange(len(precision))
    weights = -precision / precision[place, start + place][:, np.newaxis]
    weights[place, start + place] = 0
    kept = min(kept, weights.shape[1])
    history = np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept]
    values = np.take_along_axis(weights, history, axis=1).ravel()
    targets = np.repeat(start + place, kept)
    real = values != 0
    return (
        history.ravel()[real].astype(np.int32),
        targets[real].astype(np.int32),
        values[real].astype(np.float32),
    )
