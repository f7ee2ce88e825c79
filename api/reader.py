"""Everything a route works with, and how a list comes about."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from fastapi import Request
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.assortment import ItemId
from api.circuit import READ_SECONDS, Circuit
from api.dispatching import Dispatcher
from api.live import Live
from api.loading import Loader
from api.metrics import Metrics
from api.row_reads import RowReads
from api.shelf import NOBODY, Served, Shelf, Taste, Wish
from api.snapshot import LiveModel, Snapshot
from store.connection import connect, connect_async
from store.events import EventLog
from store.generations import Generations
from store.items import ItemOverlay
from store.jobs import Jobs
from store.keys import Keys
from store.reading import ShelfReader
from store.recents import Recents
from topshelf.errors import ModelNotFound, StoreUnavailable
from topshelf.settings import Settings

STORE_SECONDS = 2.0
"""How long a route that writes waits for Redis."""
USERS_IN_A_ROW = 25
"""Lists made before other requests get their turn."""


@dataclass(frozen=True)
class Answer:
    """One list; ``stale`` when it was made without Redis."""

    served: Served
    stale: bool = False


class Reader:
    """One reader process: its connections, what it holds in memory, and how it recommends."""

    def __init__(self, settings: Settings) -> None:
        keys = Keys(settings.key_prefix)
        serving_url = settings.serving_url.get_secret_value()
        self.settings = settings
        self.metrics = Metrics()
        self.circuit = Circuit(self.metrics)
        self.serving = _impatient(serving_url)
        self.durable = _impatient(settings.durable_url.get_secret_value())
        self._reading = connect_async(serving_url, timeout_seconds=STORE_SECONDS)
        self.shelves = ShelfReader(self._reading, keys)
        self._rows = RowReads(self.shelves, timeout_seconds=READ_SECONDS)
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
        await self.live.start()

    async def stop(self) -> None:
        """Let go of every connection."""
        await self.live.stop()
        await self._reading.aclose()
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
        """The list of one user, in one round trip to Redis where the user has a row."""
        snapshot = self.live.snapshot
        key = str(user).encode()
        try:
            async with self.circuit.reading():
                row, recents = await self._rows.row(model.generation, key)
                taste = Taste(recents)
                if not row:
                    taste = Taste(recents, favourites(await self.shelves.profile(key)))
        except StoreUnavailable:
            return self._counted(model, Answer(Shelf(snapshot).newcomer(model, NOBODY, wish), stale=True))
        return self._counted(model, Answer(_list(snapshot, model, row, taste, wish)))

    async def recommend_many(self, model: LiveModel, users: Sequence[ItemId], wish: Wish) -> list[Answer]:
        """The lists of many users, their rows in one round trip."""
        snapshot = self.live.snapshot
        try:
            async with self.circuit.reading():
                rows = await self.shelves.rows(
                    model.name, model.generation, [str(user).encode() for user in users]
                )
        except StoreUnavailable:
            served = Shelf(snapshot).newcomer(model, NOBODY, wish)
            return [self._counted(model, Answer(served, stale=True)) for _ in users]
        answers = []
        for turn, (row, recents) in enumerate(rows):
            if turn % USERS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            answers.append(self._counted(model, Answer(_list(snapshot, model, row, Taste(recents), wish))))
        return answers

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

    def _counted(self, model: LiveModel, answer: Answer) -> Answer:
        self.metrics.handed_out(model.name, answer.served.source, stale=answer.stale)
        return answer


def reader_of(request: Request) -> Reader:
    """The reader of the app a request came to."""
    return cast("Reader", request.app.state.reader)


def favourites(profile: dict[str, object] | None) -> tuple[str, ...]:
    """Favourite categories in a user's profile."""
    named = (profile or {}).get("categories")
    return tuple(str(label) for label in named) if isinstance(named, list) else ()


def _impatient(url: str) -> redis.Redis:
    """A client that tries once: a person waits for the answer, and may ask again."""
    client = connect(url, timeout_seconds=STORE_SECONDS)
    client.set_retry(Retry(NoBackoff(), 0))
    return client


def _list(snapshot: Snapshot, model: LiveModel, row: bytes | None, taste: Taste, wish: Wish) -> Served:
    shelf = Shelf(snapshot)
    return shelf.newcomer(model, taste, wish) if not row else shelf.stocked(model, row, taste, wish)
