"""Follows what is live: one poll a tenth of a second, one snapshot replaced whole."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from api.assortment import Overlay
from api.circuit import Circuit
from api.loading import Loader
from api.snapshot import LiveModel, Neighbours, Snapshot
from store.generations import Pointer
from store.items import ItemOverlay
from store.reading import ShelfReader
from topshelf.errors import StoreUnavailable, TopshelfError

POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0
"""How long a generation that could not be loaded is left alone."""
FIRST_LOAD_SECONDS = 10.0
"""How long a reader that starts waits for what is live before it answers anyway."""

logger = logging.getLogger(__name__)


class Live:
    """Holds the snapshot requests are answered from, and keeps it up to date.

    When Redis is away the last snapshot stays, and the circuit says so.
    """

    def __init__(self, shelves: ShelfReader, loader: Loader, items: ItemOverlay, circuit: Circuit) -> None:
        self.snapshot = Snapshot()
        self.started = False
        """Whether everything that is live was loaded once."""
        self._shelves = shelves
        self._loader = loader
        self._items = items
        self._circuit = circuit
        self._overlay_turn = asyncio.Lock()
        self._models_turn = asyncio.Lock()
        self._models_loaded = asyncio.Event()
        self._retry_at: dict[str, float] = {}
        self._stopping = False
        self._following: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what is live, then follow it; a Redis that is away does not keep the reader from starting.

        Returns as soon as lists can be handed out; the online kNN follows a moment later.
        """
        self._loading = asyncio.create_task(self._load_first(), name="load what is live")
        loaded = asyncio.create_task(self._models_loaded.wait())
        await asyncio.wait(
            {self._loading, loaded}, timeout=FIRST_LOAD_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        loaded.cancel()
        self._following = asyncio.create_task(self._follow(), name="follow what is live")

    async def stop(self) -> None:
        """Stop following."""
        # Not by cancelling alone: a client in the middle of a read may swallow a cancellation.
        self._stopping = True
        tasks = [task for task in (self._following, self._loading) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def following(self) -> bool:
        """Whether what is live is still being followed; a reader that does not should be restarted."""
        return self._following is not None and not self._following.done()

    @property
    def lost(self) -> frozenset[str]:
        """Models served from memory because the serving Redis no longer knows them: it came back empty."""
        return frozenset(name for name, model in self.snapshot.models.items() if model.stock.lost)

    async def refresh(self) -> None:
        """Bring everything up to date now.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        await self.refresh_items()
        await self._load()
        await self._shelves.load_marks()
        self._circuit.close()

    async def refresh_items(self) -> None:
        """Read hidden items and changed categories now.

        One read at a time: a later read never sees less than an earlier one, so nothing is reverted.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        async with self._overlay_turn:
            version, hidden, meta = await asyncio.to_thread(self._items.snapshot)
            overlay = Overlay(version, frozenset(hidden), MappingProxyType(meta))
            self.snapshot = self.snapshot.with_overlay(overlay)

    async def _follow(self) -> None:
        while not self._stopping:
            try:
                await self._poll()
            except StoreUnavailable:
                self._circuit.open()
            except (TopshelfError, ValueError, OSError) as error:
                logger.warning("what is live could not be read: %s", error)
            await asyncio.sleep(POLL_SECONDS)

    async def _poll(self) -> None:
        poll = await self._shelves.poll()
        self._circuit.close()
        await self._shelves.load_marks()
        self._note_lost(poll.pointers)
        # What was hidden stays so while the server knows nothing of it.
        if poll.items_version != self.snapshot.overlay.version and (poll.items_version or not self.lost):
            await self.refresh_items()
        if not self.started or self._wanted(poll.pointers):
            self._load_beside()

    def _note_lost(self, pointers: Mapping[str, Pointer]) -> None:
        before, models = self.lost, _marked(self.snapshot.models, pointers)
        if any(model is not self.snapshot.models[name] for name, model in models.items()):
            self.snapshot = replace(self.snapshot, models=models)
        if self.lost - before:
            names = ", ".join(sorted(self.lost))
            logger.warning("the serving Redis has lost %s; lists come from memory until it is stocked", names)

    def _load_beside(self) -> None:
        """Load in a task of its own: a large catalogue must not hold up hidden items."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load_quietly(), name="load what is live")

    async def _load_first(self) -> None:
        try:
            await self.refresh()
        except TopshelfError as error:
            logger.warning("nothing could be loaded yet: %s", error)

    async def _load_quietly(self) -> None:
        try:
            await self._load()
        except TopshelfError as error:
            logger.warning("what is live could not be loaded: %s", error)

    def _wanted(self, pointers: Mapping[str, Pointer]) -> bool:
        models, now = self.snapshot.models, time.monotonic()
        return any(
            (name not in models or models[name].pointer != pointer) and self._retry_at.get(name, 0) <= now
            for name, pointer in pointers.items()
        )

    async def _load(self) -> None:
        async with self._models_turn:
            # Asked for anew: what was polled before the turn came may be out of date.
            pointers = (await self._shelves.poll()).pointers
            # What is live is replaced, never taken away: a server that knows nothing of it lost it.
            models = {name: model for name, model in self.snapshot.models.items() if name not in pointers}
            for name, pointer in sorted(pointers.items()):
                model = await self._model(name, pointer)
                if model:
                    models[name] = model
            self.snapshot = replace(self.snapshot, models=_marked(models, pointers))
            self._models_loaded.set()
            self.snapshot = replace(self.snapshot, neighbours=await self._neighbours(models))
            self._loader.forget(models.values())
            self.started = True

    async def _model(self, name: str, pointer: Pointer) -> LiveModel | None:
        """The model as loaded before, or loaded now; the one before where that fails."""
        held = self.snapshot.models.get(name)
        if held and held.pointer == pointer:
            return held
        try:
            model = await self._loader.model(name, pointer)
        except StoreUnavailable:
            raise
        except TopshelfError as error:
            logger.warning("generation %s of %s cannot be served: %s", pointer, name, error)
            self._retry_at[name] = time.monotonic() + RETRY_SECONDS
            return held
        self._retry_at.pop(name, None)
        return model

    async def _neighbours(self, models: Mapping[str, LiveModel]) -> Neighbours | None:
        try:
            return await self._loader.neighbours(models)
        except StoreUnavailable:
            raise
        except TopshelfError as error:
            logger.warning("the neighbour index cannot be served: %s", error)
            return self.snapshot.neighbours


def _marked(models: Mapping[str, LiveModel], pointers: Mapping[str, Pointer]) -> Mapping[str, LiveModel]:
    """The models, those lost marked as such: they are until what the server says is live has been loaded."""

    def marked(name: str, model: LiveModel) -> LiveModel:
        pointer = pointers.get(name)
        stock = model.stock.as_lost(pointer is None or (model.stock.lost and pointer != model.pointer))
        return model if stock is model.stock else replace(model, stock=stock)

    return MappingProxyType({name: marked(name, model) for name, model in models.items()})
