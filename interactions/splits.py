"""Interactions held out for testing."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from interactions.columns import ITEM_INDEX, TIMESTAMP, USER_INDEX, WEIGHT
from interactions.dataset import Dataset
from interactions.pairs import pair_matrix
from interactions.training_set import TrainingSet
from topshelf.errors import DataError, EmptyData

TIE = "tie"


@dataclass(frozen=True, eq=False)
class Split:
    """What to train on and what to test with.

    ``test`` (n_users, n_items) float32 is 1 where a pair was held out; no pair of it is in ``train``.
    ``cut_off`` is the ISO instant (UTC) the test starts at, None where each user has one of their own.
    """

    name: str
    train: TrainingSet
    test: csr_matrix
    cut_off: str | None


def split_by_user_time(dataset: Dataset, test_share: float = 0.2, *, validation: bool = False) -> Split:
    """Hold out the last ``floor(test_share * n)`` of each user's n rows, at least one where n >= 2.

    With ``validation`` the rows held out are put aside, and the same share of the others is held out: what
    hyper-parameters are chosen on, so that the test part tells nothing of them.

    Rows of the same instant fall in a fixed order that favours no item. Held-out pairs that the user also
    has in training are dropped.

    Raises:
        DataError: when the share is not between 0 and 1.
        EmptyData: when nothing is held out.
    """
    if not 0 < test_share < 1:
        raise DataError(f"the test share is {test_share}; it must lie between 0 and 1")
    rows = dataset.interactions()
    tie = _scattered(rows[USER_INDEX].to_numpy(), rows[ITEM_INDEX].to_numpy())
    rows = rows.with_columns(pl.Series(TIE, tie)).sort(USER_INDEX, TIMESTAMP, TIE)
    name = f"last {test_share:g} of each user"
    if validation:
        rows = rows.filter(~_last(rows[USER_INDEX].to_numpy(), test_share))
        name += ", before the test"
    return _split(name, dataset, rows, _last(rows[USER_INDEX].to_numpy(), test_share), None)


def split_by_time(dataset: Dataset, cut_off: str | datetime) -> Split:
    """Hold out every row from ``cut_off`` (ISO or datetime, naive in UTC) on.

    Held-out pairs that the user also has in training are dropped; so users without training rows remain.

    Raises:
        DataError: when the cut-off is not a time.
        EmptyData: when no row is on one of its sides.
    """
    try:
        moment = datetime.fromisoformat(cut_off) if isinstance(cut_off, str) else cut_off
    except ValueError as exc:
        raise DataError(f"{cut_off!r} is not an ISO date or time") from exc
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    rows = dataset.interactions()
    held_out = (rows[TIMESTAMP] >= moment).to_numpy()
    iso = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
    return _split(f"from {iso} on", dataset, rows, held_out, iso)


def hold_out_at_random(matrix: csr_matrix, share: float, seed: int) -> tuple[csr_matrix, csr_matrix]:
    """Part a matrix's entries into two: kept, and ``floor(share * n)`` of each row's n entries held out.

    What a model is tuned and stopped early on, where rows carry no time.
    """
    rng = np.random.default_rng(seed)
    counts = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), counts)
    order = np.lexsort((rng.random(matrix.nnz), rows))
    rank = np.empty(matrix.nnz, np.int64)
    rank[order] = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
    held = rank < np.floor(share * counts + 1e-9)[rows]
    parts = [
        csr_matrix((matrix.data[part], (rows[part], matrix.indices[part])), shape=matrix.shape)
        for part in (~held, held)
    ]
    return parts[0], parts[1]


def split_given(train: csr_matrix, test: csr_matrix, *, name: str = "given") -> Split:
    """A published split, (n_users, n_items) each; pairs are taken as they stand, without categories.

    Raises:
        DataError: when the shapes differ.
        EmptyData: when a side has no pairs.
    """
    if train.shape != test.shape:
        raise DataError(f"train has the shape {train.shape}, test {test.shape}")
    if not train.nnz or not test.nnz:
        raise EmptyData("a split needs pairs on both sides")
    return Split(name, TrainingSet.of(train), csr_matrix(test, dtype=np.float32), None)


def _last(users: np.ndarray, share: float) -> np.ndarray:
    """Which rows are the last ``floor(share * n)`` of a user's n, at least one where n >= 2.

    ``users`` (n_rows,) ascends.
    """
    counts = np.bincount(users)
    held_out = np.where(counts >= 2, np.maximum(np.floor(share * counts + 1e-9).astype(np.int64), 1), 0)
    rank_from_end = np.cumsum(counts)[users] - np.arange(len(users))
    last: np.ndarray = rank_from_end <= held_out[users]
    return last


def _scattered(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """A fixed number per pair, as good as random; uint64, the finaliser of MurmurHash3."""
    mixed = (users.astype(np.uint64) << np.uint64(32)) | items.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _split(
    name: str, dataset: Dataset, rows: pl.DataFrame, held_out: np.ndarray, cut_off: str | None
) -> Split:
    train = _matrix(dataset, rows.filter(~held_out))
    test = _matrix(dataset, rows.filter(held_out).with_columns(pl.lit(1.0, pl.Float32).alias(WEIGHT)))
    test = without_pairs_of(test, train)
    if not train.nnz or not test.nnz:
        raise EmptyData("a split needs pairs on both sides")
    return Split(name, dataset.training_set(train), test, cut_off)


def _matrix(dataset: Dataset, rows: pl.DataFrame) -> csr_matrix:
    return pair_matrix(
        rows[USER_INDEX].to_numpy(),
        rows[ITEM_INDEX].to_numpy(),
        rows[WEIGHT].to_numpy(),
        (dataset.manifest.n_users, dataset.manifest.n_items),
        dataset.manifest.feedback,
    )


def without_pairs_of(test: csr_matrix, train: csr_matrix) -> csr_matrix:
    """The entries of ``test``, each 1, whose pair has no entry in ``train`` (whatever its value)."""
    left, right = _ones(test), _ones(train)
    rest = csr_matrix(left - left.multiply(right), dtype=np.float32)
    rest.eliminate_zeros()
    rest.sort_indices()
    return rest


def _ones(matrix: csr_matrix) -> csr_matrix:
    ones = np.ones(len(matrix.data), dtype=np.float32)
    return csr_matrix((ones, matrix.indices, matrix.indptr), shape=matrix.shape)
