"""The neighbour index: each item's most similar items, read by every reader through a memory map."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topshelf.errors import CorruptArtifact

IDS_FILE = "ids.npy"
WEIGHTS_FILE = "weights.npy"

Found = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class NeighbourIndex:
    """The K nearest items of every item.

    ids: (n_items, K) int32, nearest first, padded with -1 at the end.
    weights: (n_items, K) float32, above 0, padded with 0.

    Raises:
        CorruptArtifact: the arrays do not have this form.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        ids, weights = self.ids, self.weights
        if ids.ndim != 2 or ids.shape != weights.shape:
            raise CorruptArtifact(
                f"neighbour ids {ids.shape} and weights {weights.shape} do not fit together"
            )
        if ids.dtype != np.int32 or weights.dtype != np.float32:
            raise CorruptArtifact(f"neighbour ids and weights are {ids.dtype} and {weights.dtype}")
        if ids.size and (ids.min() < -1 or ids.max() >= len(ids)):
            raise CorruptArtifact("a neighbour id is out of range")
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise CorruptArtifact("a neighbour weight is negative or not finite")
        if weights[ids < 0].any():
            raise CorruptArtifact("a missing neighbour has a weight")

    @property
    def n_items(self) -> int:
        """Items in the index."""
        return len(self.ids)

    def save(self, folder: Path) -> None:
        """Write the two files into ``folder``, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / IDS_FILE, self.ids, allow_pickle=False)
        np.save(folder / WEIGHTS_FILE, self.weights, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map the two files of ``folder`` and check them once.

        Raises:
            CorruptArtifact: a file is missing, cut short or not of the right form.
        """
        return cls(_map(folder / IDS_FILE), _map(folder / WEIGHTS_FILE))

    def recommend(
        self,
        items: ArrayLike,
        k: int,
        *,
        exclude: Iterable[int] = (),
        weights: ArrayLike | None = None,
        drop_items: bool = True,
    ) -> Found:
        """The k items nearest to a session, by the summed similarity to its items.

        The order of ``items`` does not matter: the same set gives the same list to the last bit.

        Args:
            items: (n,) item indices; unknown ones (below 0 or past the catalogue) count for nothing.
            exclude: item indices left out.
            weights: (n,) importance of each of ``items``, say by recency; all 1 by default.
            drop_items: leave out ``items`` themselves as well.

        Returns:
            ids (<= k,) int32, best first, ties to the lower index, and their scores float32, above 0.
        """
        session = np.asarray(items, np.int64).ravel()
        importance = None if weights is None else np.asarray(weights, np.float64).ravel()
        order = np.argsort(session, kind="stable")
        order = order[(session[order] >= 0) & (session[order] < self.n_items)]
        session = session[order]
        scores = self._summed(session, None if importance is None else importance[order])
        if drop_items:
            scores[session] = 0
        left_out = np.fromiter(exclude, np.int64)
        scores[left_out[(left_out >= 0) & (left_out < self.n_items)]] = 0
        candidates = np.flatnonzero(scores > 0)
        return _best(candidates, scores[candidates], k)

    def similar(self, item: int, k: int) -> Found:
        """The k nearest items of one item, nearest first, and their weights."""
        if not 0 <= item < self.n_items:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        found = self.ids[item] >= 0
        return np.array(self.ids[item][found][:k]), np.array(self.weights[item][found][:k])

    def _summed(
        self, session: NDArray[np.int64], session_weights: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        ids, weights = self.ids[session], self.weights[session].astype(np.float64)
        if session_weights is not None:
            weights *= session_weights[:, np.newaxis]
        # Padding points at item 0 with weight 0.
        ids = np.maximum(ids, 0).ravel()
        return np.asarray(np.bincount(ids, weights.ravel(), minlength=self.n_items), np.float64)


def _best(candidates: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> Found:
    if len(candidates) > k:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        near = scores >= threshold
        candidates, scores = candidates[near], scores[near]
    order = np.argsort(-scores, kind="stable")[:k]
    return candidates[order].astype(np.int32), scores[order].astype(np.float32)


def _map(file: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as exc:
        raise CorruptArtifact(f"{file} is not a readable neighbour file: {exc}") from exc
