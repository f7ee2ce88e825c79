"""The neighbour index: each item's most similar items, read by every reader through a memory map."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topshelf.errors import CorruptArtifact

IDS_FILE = "ids.npy"
WEIGHTS_FILE = "weights.npy"

QUICK_ENTRIES = 10_000
"""Neighbours of a session (its items times K) that an event loop may add up: about 0.1 ms."""

ITEMS_PER_SPARSE_ENTRY = 6
"""A scan of so many items costs what one neighbour looked at by itself does."""

SUMMED_ENTRIES = 4_096
"""Neighbours added up at a time in a long session: larger arrays get pages from the kernel at every call."""

CHECKED_ENTRIES = 65_536
"""Neighbours checked at a time when an index is opened."""

Indices = NDArray[np.int64]
Sums = tuple[NDArray[np.int64], NDArray[np.float64]]
Importance = NDArray[np.float64] | None
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
        for rows in _blocks(len(ids), ids.shape[1], CHECKED_ENTRIES):
            _check(ids[rows], weights[rows], len(ids))

    @property
    def n_items(self) -> int:
        """Items in the index."""
        return len(self.ids)

    @property
    def width(self) -> int:
        """K, the neighbours an item has at most."""
        return int(self.ids.shape[1])

    def is_quick(self, n_session_items: int) -> bool:
        """Whether so long a session may be scored on an event loop: a longer one belongs in a thread."""
        return n_session_items * self.width <= QUICK_ENTRIES

    def save(self, folder: Path) -> None:
        """Write the two files into ``folder``, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / IDS_FILE, self.ids, allow_pickle=False)
        np.save(folder / WEIGHTS_FILE, self.weights, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map the two files of ``folder`` and check them once, a block at a time: nothing is kept of them.

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

        The order of ``items`` does not matter: the same set gives the same list to the last bit. May be
        called from several threads at once. What it costs goes by the neighbours of ``items``, not by the
        catalogue.

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
        session = session[order]
        known = slice(*np.searchsorted(session, (0, self.n_items)))
        session = session[known]
        left_out = session if drop_items else session[:0]
        if excluded := list(exclude):
            given = np.asarray(excluded, np.int64)
            left_out = np.concatenate((left_out, given[(given >= 0) & (given < self.n_items)]))
        importance = None if importance is None else importance[order[known]]
        few = len(session) * self.width * ITEMS_PER_SPARSE_ENTRY <= self.n_items
        summed = self._summed_sparse if few else self._summed_dense
        return _best(*summed(session, importance, left_out), k)

    def similar(self, item: int, k: int) -> Found:
        """The k nearest items of one item, nearest first, and their weights."""
        if not 0 <= item < self.n_items:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        found = self.ids[item] >= 0
        return np.array(self.ids[item][found][:k]), np.array(self.weights[item][found][:k])

    def _summed_sparse(self, session: Indices, importance: Importance, left_out: Indices) -> Sums:
        """The items near a session, in no order, and their sums above 0; both looked at entry by entry."""
        near, entries = self._entries(session, importance)
        # A place for every item, of which only those named are ever written to or read.
        places = np.empty(self.n_items)
        places[near] = 0
        np.add.at(places, near, entries)
        places[left_out] = 0
        sums = places[near]
        turns = np.arange(len(near), dtype=np.float64)
        places[near] = turns
        found = np.flatnonzero((places[near] == turns) & (sums > 0))
        return near[found], sums[found]

    def _summed_dense(self, session: Indices, importance: Importance, left_out: Indices) -> Sums:
        """The same by a scan of the whole catalogue, in little memory however long the session is."""
        sums = np.zeros(self.n_items)
        for rows in _blocks(len(session), self.width, SUMMED_ENTRIES):
            np.add.at(sums, *self._entries(session[rows], None if importance is None else importance[rows]))
        sums[left_out] = 0
        found = np.flatnonzero(sums > 0)
        return found, sums[found]

    def _entries(self, session: Indices, importance: Importance) -> Sums:
        """The neighbours of a session's items, one after the other, and what each of them adds."""
        weights = self.weights[session].astype(np.float64)
        if importance is not None:
            weights *= importance[:, np.newaxis]
        # Padding points at item 0 with weight 0.
        near = np.maximum(self.ids[session], 0).astype(np.int64)
        return near.ravel(), weights.ravel()


def _best(candidates: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> Found:
    if len(candidates) > k > 0:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        near = np.flatnonzero(scores >= threshold)
        candidates, scores = candidates[near], scores[near]
    order = np.lexsort((candidates, -scores))[:k]
    return candidates[order].astype(np.int32), scores[order].astype(np.float32)


def _blocks(n_rows: int, width: int, entries: int) -> Iterator[slice]:
    """Slices that cover ``n_rows`` rows of ``width``, about so many ``entries`` at a time."""
    step = max(1, entries // max(1, width))
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _check(ids: NDArray[np.int32], weights: NDArray[np.float32], n_items: int) -> None:
    if not ids.size:
        return
    if ids.min() < -1 or ids.max() >= n_items:
        raise CorruptArtifact("a neighbour id is out of range")
    # The smallest of numbers with a NaN among them is NaN.
    if not (weights.min() >= 0 and weights.max() < np.inf):
        raise CorruptArtifact("a neighbour weight is negative or not finite")
    if weights[ids < 0].any():
        raise CorruptArtifact("a missing neighbour has a weight")


def _map(file: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as exc:
        raise CorruptArtifact(f"{file} is not a readable neighbour file: {exc}") from exc
