"""Everything a route works with, and how a list comes about."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from fastapi import Request

from api.assortment import ItemId
from api.circuit import Circuit
from api.dispatching import Dispatcher
from api.live import Live
from api.loading import Loader
from api.metrics import Metrics
from api.shelf import Served, Shelf, Taste, Wish
from api.snapshot import LiveModel
from store.connection import connect
from store.events import EventLog
from store.generations import Generations
from store.items import ItemOverlay
from store.jobs import Jobs
from store.keys import Keys
from store.reading import ShelfReader
from store.recents import Recents
from store.stock import UserRow
from topshelf.errors import ModelNotFound, StoreUnavailable
from topshelf.reports import Reports
from topshelf.settings import Settings

READ_SECONDS = 0.25
"""How long one request waits for Redis before it is answered from memory."""
STORE_SECONDS = 2.0
"""How long a route that writes waits for Redis."""
USERS_IN_A_ROW = 25
"""Lists made before other requests get their turn."""


@dataclass(frozen=True)
class Answer:
    """One list; ``stale`` when it was made without Redis, or of what Redis has lost."""

    served: Served
    stale: bool = False


class Reader:
    """One reader process: its connections, what it holds in memory, and how it recommends."""

    def __init__(self, settings: Settings) -> None:
        keys = Keys(settings.key_prefix)
        serving_url = settings.serving_url.get_secret_value()
        self.settings = settings
        self.metrics = Metrics()
        self.reports = Reports(settings, "reader")
        self.circuit = Circuit(self.metrics)
        self.serving = _impatient(serving_url)
        self.durable = _impatient(settings.durable_url.get_secret_value())
        self.shelves = ShelfReader(
            serving_url,
            keys,
            timeout_seconds=READ_SECONDS,
            recent_ttl_seconds=settings.recent_ttl_seconds,
            cache_bytes=settings.cache_mb * 1_000_000 // settings.api_processes,
        )
        self.items = ItemOverlay(self.serving, keys)
        self.recents = Recents(self.serving, keys, settings.recent_ttl_seconds)
        self.generations = Generations(self.serving, keys)
        self.events = EventLog(self.durable, keys, settings.events_limit)
        self.jobs = Jobs(self.durable, keys, settings.job_retention_days)
        loader = Loader(self.serving, self.shelves, keys, settings.cache_dir)
        self.dispatcher = Dispatcher(settings)
        self.live = Live(self.shelves, loader, self.items, self.circuit)

    async def start(self) -> None:
        """Load what is live and follow it."""
        self._loop = asyncio.get_running_loop()
        await self.live.start()

    async def stop(self) -> None:
        """Let go of every connection."""
        await self.live.stop()
        await self.shelves.close()
        await asyncio.to_thread(self.reports.close)
        self.serving.close()
        self.durable.close()

    def model(self, name: str) -> LiveModel:
        """A live model.

        Raises:
            ModelNotFound: nothing is live under this name.
            StoreUnavailable: nothing could be loaded since the reader started.
        """
        models = self.live.snapshot.models
        if name in models:
            return models[name]
        if not self.live.started:
            raise StoreUnavailable("nothing is loaded yet")
        live = ", ".join(sorted(models)) or "none yet"
        raise ModelNotFound(f"no generation of {name[:64]!r} is live; live models: {live}")

    async def recommend(self, model: LiveModel, user: ItemId, wish: Wish) -> Answer:
        """The list of one user: out of memory, or in one round trip to Redis."""
        row, stale = await self.row(model, str(user).encode())
        return self.answer(model, row, wish, stale=stale)

    async def row(self, model: LiveModel, user_key: bytes) -> tuple[UserRow, bool]:
        """What the store has about a user; and whether that is stale: out of memory, for want of Redis."""
        held = model.stock.held_row(user_key)
        if held is not None:
            return UserRow(held), False
        try:
            return await model.stock.read(user_key), model.stock.lost
        except StoreUnavailable:
            self.circuit.open()
            return UserRow(model.stock.remembered_row(user_key)), True

    async def scores(self, model: LiveModel, user: ItemId, items: Sequence[ItemId]) -> list[float | None]:
        """The stored score of each of ``items``; None for what is not of the user's row."""
        try:
            of_index = await model.stock.read_scores(str(user).encode())
        except StoreUnavailable:
            self.circuit.open()
            of_index = {}
        of_item = dict(zip(model.assortment.items(of_index), of_index.values(), strict=True))
        return [of_item.get(item) for item in items]

    def served(self, model: LiveModel, row: UserRow, wish: Wish) -> Served:
        """The list for what the store has about a user."""
        shelf = Shelf(self.live.snapshot)
        taste = Taste(row.recents, favourites(row.profile))
        return shelf.stocked(model, row.row, taste, wish) if row.row else shelf.newcomer(model, taste, wish)

    def answer(self, model: LiveModel, row: UserRow, wish: Wish, *, stale: bool = False) -> Answer:
        """The same list, counted."""
        served = self.served(model, row, wish)
        self.metrics.handed_out(model.name, served.source, stale=stale)
        return Answer(served, stale)

    async def recommend_many(self, model: LiveModel, users: Sequence[ItemId], wish: Wish) -> list[Answer]:
        """The lists of many users, their rows in one round trip."""
        keys = [str(user).encode() for user in users]
        stale = model.stock.lost
        try:
            rows = await model.stock.read_many(keys)
        except StoreUnavailable:
            self.circuit.open()
            rows = [UserRow(model.stock.remembered_row(key)) for key in keys]
            stale = True
        answers = []
        for turn, row in enumerate(rows):
            if turn % USERS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            answers.append(self.answer(model, row, wish, stale=stale))
        return answers

    def touched(self, users: Iterable[str]) -> None:
        """Note, from any thread, that users did something: their next answer here takes it into account."""
        for user in users:
            self._loop.call_soon_threadsafe(self.shelves.touched, user.encode())

    async def change_item(
        self,
        item: str,
        *,
        hidden: bool,
        categories: Sequence[str] | None = None,
        features: Mapping[str, object] | None = None,
    ) -> None:
        """Change an item for everybody; this process's next answer has it.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        await asyncio.to_thread(self._write_item, item, hidden, categories, features)
        await self.live.refresh_items()

    def ages_seconds(self) -> dict[str, float]:
        """Seconds since each live generation was published."""
        now = time.time()
        return {name: model.age_seconds(now) for name, model in self.live.snapshot.models.items()}

    def _write_item(
        self,
        item: str,
        hidden: bool,
        categories: Sequence[str] | None,
        features: Mapping[str, object] | None,
    ) -> None:
        if categories is not None:
            self.items.put_categories(item, list(categories))
        if features is not None:
            self.items.put_features(item, dict(features))
        if hidden:
            self.items.hide(item)
        else:
            self.items.unhide(item)


def reader_of(request: Request) -> Reader:
    """The reader of the app a request came to."""
    return cast("Reader", request.app.state.reader)


def favourites(profile: Mapping[str, object] | None) -> tuple[str, ...]:
    """Favourite categories in a user's profile."""
    named = (profile or {}).get("categories")
    return tuple(str(label) for label in named) if isinstance(named, list) else ()


def _impatient(url: str) -> redis.Redis:
    """A client that tries once: a person waits for the answer, and may ask again."""
    return connect(url, timeout_seconds=STORE_SECONDS, retries=0)
