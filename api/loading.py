"""Fetches what a live generation needs beside its rows: catalogue, segments, neighbour index."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from api.assortment import Assortment
from api.snapshot import NEIGHBOURS, LiveModel, Neighbours, Popularity, published_at
from store.blobs import Blobs
from store.catalog import load_catalog
from store.generations import Generation, Pointer
from store.keys import Keys
from store.reading import ShelfReader

KEPT = 4
"""Catalogues and indices kept in memory beyond those in use, so that a rollback needs no download."""

if TYPE_CHECKING:
    from knn.neighbours import NeighbourIndex

logger = logging.getLogger(__name__)


class Loader:
    """Loads live models; catalogues and indices are shared between those that need the same one."""

    def __init__(self, client: redis.Redis, shelves: ShelfReader, keys: Keys, cache_dir: Path) -> None:
        self._client = client
        self._shelves = shelves
        self._keys = keys
        self._cache_dir = cache_dir
        self._assortments: dict[str, Assortment] = {}
        self._neighbours: dict[str, Neighbours] = {}

    async def model(self, name: str, pointer: Pointer) -> LiveModel:
        """One model's live generation, and the delta over it.

        Raises:
            GenerationNotFound, BlobNotFound: a part of it is not there.
            LaterVersion: a later version wrote it.
            StoreUnavailable: Redis did not answer.
        """
        generation = await self._generation(name, pointer.base)
        delta = await self._generation(name, pointer.delta) if pointer.delta else None
        assortment = await self._assortment(generation.dataset)
        popularity = None
        if generation.layout == "segments":
            labels, rows = await self._shelves.segments(name, generation.id)
            popularity = Popularity(
                assortment,
                {label: number for number, label in enumerate(labels)},
                tuple(tuple(assortment.items(row)) for row in rows),
            )
        return LiveModel(
            name,
            pointer,
            generation,
            assortment,
            self._shelves.stock(generation, delta),
            published_at(generation),
            popularity,
        )

    async def neighbours(self, models: Mapping[str, LiveModel]) -> Neighbours | None:
        """The online kNN of the live ``item_knn``, else of another model that brings one.

        Raises:
            BlobNotFound, StoreUnavailable: as for :meth:`model`.
        """
        names = [NEIGHBOURS, *models] if NEIGHBOURS in models else [*models]
        generation = next((models[name].generation for name in names if models[name].generation.knn), None)
        if generation is None:
            return None
        if generation.knn not in self._neighbours:
            assortment = await self._assortment(generation.dataset)
            index = await asyncio.to_thread(self._open_index, generation)
            self._neighbours[generation.knn] = Neighbours(generation.knn, index, assortment)
        return self._neighbours[generation.knn]

    def forget(self, models: Iterable[LiveModel]) -> None:
        """Let go of the oldest catalogues and indices that no live model uses."""
        live = list(models)
        _trim(self._assortments, {model.generation.dataset for model in live})
        _trim(self._neighbours, {model.generation.knn for model in live})

    async def _generation(self, name: str, generation_id: str) -> Generation:
        generation = await self._shelves.generation(name, generation_id)
        generation.check_format()
        return generation

    async def _assortment(self, dataset: str) -> Assortment:
        if dataset not in self._assortments:
            self._assortments[dataset] = await asyncio.to_thread(self._load_assortment, dataset)
        return self._assortments[dataset]

    def _load_assortment(self, dataset: str) -> Assortment:
        catalog = load_catalog(self._client, self._keys, dataset, self._cache_dir)
        return Assortment(dataset, catalog)

    def _open_index(self, generation: Generation) -> "NeighbourIndex":
        # NumPy is half of what the reader would import before its first answer.
        from knn.neighbours import NeighbourIndex  # noqa: PLC0415

        folder = Blobs(self._client).fetch(
            lambda part: self._keys.knn(generation.knn, part), self._cache_dir / "knn" / generation.knn
        )
        return NeighbourIndex.open(folder)


def _trim(kept: dict[str, Assortment] | dict[str, Neighbours], used: set[str]) -> None:
    for name in [name for name in kept if name not in used][:-KEPT]:
        del kept[name]
