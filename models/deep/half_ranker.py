"""Exact top-k by products in half precision, on a GPU: what their rounding leaves open is ranked again.

A product of rounded vectors is off by no more than a bound known beforehand. The best few by it are scored in
float64; a list whose k-th item stays clear of all that was left behind is certain, any other is ranked by
:class:`models.ranking.ExactRanker`. So the lists are those of full precision.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.deep.devices import torch_device, torch_threads
from models.ranking import ExactRanker, ItemVectors, Ranking, VectorRanker, Vectors

SPARE_CANDIDATES = 54
"""Candidates beyond k that are scored in float64; more leave fewer lists open and take longer."""
TILE_BYTES = 2**30
"""Memory of the device that the scores and candidates of a tile of users may take."""
TILE_USERS = 16_384


class HalfPrecisionRanker(VectorRanker):
    """Lists equal to the exact ranker's.

    Args:
        device: "cuda", "cuda:1" or, slow and for tests, "cpu".
        threads: of the CPU, for the lists that half precision leaves open.

    Raises:
        InvalidConfig: torch does not see the device.
    """

    def __init__(self, device: str, *, threads: int = 1, tile_bytes: int = TILE_BYTES) -> None:
        self.left_open = 0
        """Users of the last call whose lists half precision could not settle."""
        self._device = torch_device(device)
        self._dtype = torch.bfloat16 if self._device.type == "cpu" else torch.float16
        self._threads = threads
        self._tile_bytes = tile_bytes
        self._exact = ExactRanker(threads=threads)
        self._held: tuple[ItemVectors, _Catalog] | None = None

    def rank(self, vectors: Vectors, k: int, *, seen: csr_matrix | None = None) -> Ranking:
        """See :class:`models.ranking.VectorRanker`."""
        n = len(vectors.users)
        ranking = Ranking.empty(n, k)
        self.left_open = 0
        catalog = self._catalog(vectors.items)
        if not n or not len(catalog.items):
            return ranking
        spare = (k + SPARE_CANDIDATES) * catalog.wide.shape[1] * catalog.wide.itemsize
        bytes_per_user = self._dtype.itemsize * len(catalog.items) + spare
        size = max(1, min(TILE_USERS, self._tile_bytes // bytes_per_user))
        under_way: deque[tuple[slice, _Found]] = deque()
        with torch.inference_mode(), torch_threads(self._threads), _full_sums():
            for start in range(0, n, size):
                tile = slice(start, min(start + size, n))
                part = None if seen is None else seen[tile]
                under_way.append((tile, self._search(catalog, vectors[tile].queries(), part, k)))
                # The next tile is on its way to the device before the last one's lists are waited for.
                if len(under_way) > 1:
                    self._take(vectors, seen, ranking, *under_way.popleft())
            while under_way:
                self._take(vectors, seen, ranking, *under_way.popleft())
        return ranking

    def _catalog(self, items: ItemVectors) -> "_Catalog":
        if self._held is None or self._held[0] is not items:
            self._held = (items, _Catalog.of(items, self._device, self._dtype))
        return self._held[1]

    def _search(
        self, catalog: "_Catalog", queries: NDArray[np.float32], seen: csr_matrix | None, k: int
    ) -> "_Found":
        asked = self._sent(torch.from_numpy(np.ascontiguousarray(queries))).double()
        length = asked.norm(dim=1, keepdim=True)
        unit = asked / torch.where(length > 0, length, 1.0)
        scores = unit.to(self._dtype) @ catalog.halves
        if seen is not None:
            rows = np.repeat(np.arange(len(queries)), np.diff(seen.indptr))
            places = catalog.place[seen.indices]
            kept = places < len(catalog.items)
            pair = (self._sent(torch.from_numpy(rows[kept])), self._sent(torch.from_numpy(places[kept])))
            scores[pair] = -torch.inf
        rough, place = scores.topk(min(k + SPARE_CANDIDATES, scores.shape[1]), dim=1, sorted=False)
        place = place.sort(dim=1).values
        exact = torch.bmm(catalog.wide[place], unit.unsqueeze(2)).squeeze(2)
        exact.masked_fill_(scores.gather(1, place) == -torch.inf, -torch.inf)
        best, order = exact.sort(dim=1, descending=True, stable=True)
        best, place = best[:, :k], place.gather(1, order[:, :k])
        lowest = rough.min(dim=1).values.double()
        certain = (lowest == -torch.inf) | (best[:, -1] > lowest + catalog.rounding)
        if rough.shape[1] == scores.shape[1]:
            certain = torch.ones_like(certain)
        items = torch.where(best > -torch.inf, catalog.ids[place], -1)
        listed, scores_of_listed, settled = map(
            self._brought, (items, (best * length * catalog.longest).float(), certain)
        )
        return _Found(listed, scores_of_listed, settled, self._mark())

    def _take(
        self, vectors: Vectors, seen: csr_matrix | None, ranking: Ranking, tile: slice, found: "_Found"
    ) -> None:
        if found.done is not None:
            found.done.synchronize()
        ranking.put(tile, found.items.numpy(), found.scores.numpy())
        rows = tile.start + np.flatnonzero(~found.certain.numpy())
        self.left_open += len(rows)
        if len(rows):
            part = self._exact.rank(
                vectors[rows], ranking.items.shape[1], seen=None if seen is None else seen[rows]
            )
            ranking.put(rows, part.items, part.scores)

    def _sent(self, array: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cpu":
            return array
        return array.pin_memory().to(self._device, non_blocking=True)

    def _brought(self, array: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cpu":
            return array
        here = torch.empty(array.shape, dtype=array.dtype, pin_memory=True)
        return here.copy_(array, non_blocking=True)

    def _mark(self) -> torch.cuda.Event | None:
        if self._device.type == "cpu":
            return None
        mark = torch.cuda.Event()  # type: ignore[no-untyped-call]
        mark.record(torch.cuda.current_stream(self._device))
        return mark


@dataclass(frozen=True, eq=False)
class _Found:
    """A tile's lists on their way: items (n, k) int32, scores (n, k) float32, certain (n,) bool."""

    items: torch.Tensor
    scores: torch.Tensor
    certain: torch.Tensor
    done: torch.cuda.Event | None


@dataclass(frozen=True, eq=False)
class _Catalog:
    """The m candidates of a catalogue on a device, over the length of the longest.

    ids: (m,) int32; place: (n_items,) int64, m for none; halves: (n_factors [+ 1], m);
    wide: (m, n_factors [+ 1]) float64; rounding: what a product in half precision may be off.
    """

    items: NDArray[np.int32]
    place: NDArray[np.int64]
    ids: torch.Tensor
    halves: torch.Tensor
    wide: torch.Tensor
    longest: float
    rounding: float

    @classmethod
    def of(cls, vectors: ItemVectors, device: torch.device, dtype: torch.dtype) -> "_Catalog":
        items = vectors.candidates
        place = np.full(len(vectors), len(items), np.int64)
        place[items] = np.arange(len(items))
        wide = torch.from_numpy(vectors.with_biases(items)).to(device).double()
        longest = float(wide.norm(dim=1).max()) if len(items) else 0.0
        wide /= longest or 1.0
        d = wide.shape[1]
        kind = torch.finfo(dtype)
        # Both vectors and the score are rounded, sums are taken in float32 (N. Higham, "Accuracy and
        # Stability of Numerical Algorithms", 2002, section 3.1); small components lose a subnormal each.
        unit = kind.eps / 2
        rounding = 3 * unit + 3 * unit**2 + (d + 2) * 2.0**-24 + 4 * d**0.5 * kind.smallest_normal * unit
        halves = wide.to(dtype).T.contiguous()
        return cls(items, place, torch.from_numpy(items).to(device), halves, wide, longest, rounding)


@contextmanager
def _full_sums() -> Iterator[None]:
    """Within this context a GPU adds products of half precision up in float32."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_fp16_reduced_precision_reduction
    matmul.allow_fp16_reduced_precision_reduction = False
    try:
        yield
    finally:
        matmul.allow_fp16_reduced_precision_reduction = before
