"""What users have seen, where a search through a sorted catalogue meets it."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.vectors import Float32s, ItemsByLength


class SeenPlaces:
    """Seen items by their places in a catalogue that is searched in tiles, and by the users' order.

    seen: (n, n_items); order: (n,), the user at each position.
    """

    def __init__(
        self, seen: csr_matrix, catalog: ItemsByLength, order: NDArray[np.integer], tile_items: int
    ) -> None:
        n = seen.shape[0]
        position = np.empty(n, np.int64)
        position[order] = np.arange(n)
        place = catalog.place[seen.indices].astype(np.int64)
        candidate = place < len(catalog.items)
        tile, within = np.divmod(place[candidate], tile_items)
        positions = np.repeat(position, np.diff(seen.indptr))[candidate]
        keys = (tile * n + positions) * tile_items + within
        keys.sort()
        self._tile_and_position, self._within = np.divmod(keys, tile_items)
        self._n = n

    def drop(self, scores: Float32s, tile: int, first: int) -> None:
        """Set the scores (m, width) that users at positions from ``first`` on have seen to -inf."""
        start = tile * self._n + first
        begin, end = np.searchsorted(self._tile_and_position, (start, start + len(scores)))
        scores[self._tile_and_position[begin:end] - start, self._within[begin:end]] = -np.inf
