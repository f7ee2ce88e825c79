"""The reader's side of the store: asyncio, over one connection, one round trip a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from store import documents
from store.bucket_cache import BucketCache
from store.generation import Generation, Pointer
from store.generation_rows import GenerationRows
from store.keys import Keys
from store.marks import UserMarks, bitmap_names
from store.multiplexed import Command, MultiplexedConnection
from store.rows import unpack_row
from store.stock import Stock
from topshelf.errors import GenerationNotFound, StoreError


@dataclass(frozen=True)
class Poll:
    """What is live at one moment."""

    pointers: Mapping[str, Pointer]
    holds: frozenset[str]
    """Models that a rollback holds."""
    items_version: int


class ShelfReader:
    """Reads shelves over one connection; for any number of tasks of one event loop.

    Args:
        url: of the serving Redis.
        timeout_seconds: how long an answer may take.
        recent_ttl_seconds: how long recent items are kept.
        cache_bytes: memory for buckets; with 0 none is kept.

    Raises:
        StoreError: the URL cannot be read.
    """

    def __init__(
        self, url: str, keys: Keys, *, timeout_seconds: float, recent_ttl_seconds: int, cache_bytes: int = 0
    ) -> None:
        self._keys = keys
        self._recent_ttl_seconds = recent_ttl_seconds
        self._known: tuple[str, ...] = ()
        self._marks = UserMarks()
        self._cache = BucketCache(cache_bytes)
        self._connection = MultiplexedConnection(
            url,
            timeout_seconds=timeout_seconds,
            followed_prefixes=(keys.recents_stem, keys.profiles_stem),
            on_change=self._changed,
            on_lost=self._marks.forget,
        )

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def stock(self, base: Generation, delta: Generation | None = None) -> Stock:
        """The rows of a generation and, over them, those of its delta."""
        over = None if delta is None else self._rows(delta)
        return Stock(self._rows(base), over, self._keys, self._connection, self._marks)

    def touched(self, user_key: bytes) -> None:
        """Note that a user was touched here; the next answer knows, before Redis reports it."""
        self._marks.mark(user_key)

    async def load_marks(self) -> None:
        """Become sure of who has no recent items; does nothing where that is so, or about to be.

        One at a time: bitmaps read earlier must not take the place of what was marked since.
        """
        if not self._connection.follows or self._marks.sure or self._marks.loading:
            return
        self._marks.begin()
        names = bitmap_names(self._keys, self._recent_ttl_seconds)
        connections = self._connection.connections
        try:
            bitmaps = await self._connection.ask([("GET", name) for name in names])
        except StoreError:
            self._marks.forget()
            raise
        if connections == self._connection.connections and self._connection.follows:
            self._marks.load(bitmaps)

    async def models(self) -> list[str]:
        """Models that ever had a generation, sorted."""
        [models] = await self._connection.ask([("SMEMBERS", self._keys.models)])
        return sorted(model.decode() for model in models)

    async def poll(self, models: Sequence[str] | None = None) -> Poll:
        """Pointers and holds of ``models``, all by default, and the version of what was changed about items.

        One round trip, and a second when a model is there for the first time.
        """
        asked = self._known if models is None else tuple(models)
        found, version, *answers = await self._connection.ask(
            [
                ("SMEMBERS", self._keys.models),
                ("GET", self._keys.items_version),
                *self._pointer_commands(asked),
            ]
        )
        if models is None:
            self._known = tuple(sorted(model.decode() for model in found))
            if new := tuple(model for model in self._known if model not in asked):
                asked += new
                answers += await self._connection.ask(self._pointer_commands(new))
        lives = dict(zip(asked, answers[::2], strict=True))
        holds = dict(zip(asked, answers[1::2], strict=True))
        return Poll(
            MappingProxyType({model: Pointer.parse(text.decode()) for model, text in lives.items() if text}),
            frozenset(model for model, held in holds.items() if held),
            int(version or 0),
        )

    async def generation(self, model: str, generation: str) -> Generation:
        """What is known about a generation.

        Raises:
            GenerationNotFound: there is none with this id, or it was swept away.
        """
        [raw] = await self._connection.ask([("HGETALL", self._keys.generation(model, generation))])
        if not raw:
            raise GenerationNotFound(f"{model} has no generation {generation}")
        return Generation.from_fields(raw)

    async def segments(self, model: str, generation: str) -> tuple[list[str], list[list[int]]]:
        """Labels of the segments, and the item indices of each, best first.

        Raises:
            GenerationNotFound: the generation has no segments, or not all of them.
        """
        record, raw = await self._connection.ask(
            [
                ("HGETALL", self._keys.generation(model, generation)),
                ("HGETALL", self._keys.segments(model, generation)),
            ]
        )
        if not record or b"labels" not in raw:
            raise GenerationNotFound(f"{model} has no segments of generation {generation}")
        labels: list[str] = documents.load(raw[b"labels"])
        if len(raw) != len(labels) + 1:
            raise GenerationNotFound(f"segments of {model}, generation {generation}, are missing")
        width = Generation.from_fields(record).id_width
        return labels, [unpack_row(raw[b"%d" % number], width) for number in range(len(labels))]

    def _rows(self, generation: Generation) -> GenerationRows:
        return GenerationRows(generation, self._keys, self._connection, self._cache)

    def _pointer_commands(self, models: Sequence[str]) -> list[Command]:
        return [("GET", key(model)) for model in models for key in (self._keys.live, self._keys.hold)]

    def _changed(self, key: bytes | None) -> None:
        if key is None:
            self._marks.forget()
        else:
            self._marks.mark(self._keys.user_of(key))
