"""The stream of feedback between the reader that takes it and the worker that drains it to disk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import orjson
import redis
from redis.exceptions import ResponseError

from store import scripts
from store.connection import store_errors
from store.keys import Keys
from topshelf.errors import EventsFull

GROUP, CONSUMER = "drain", "drain"


@dataclass(frozen=True)
class Event:
    """One piece of feedback; ``timestamp`` is ISO 8601 in UTC."""

    event_id: str
    user_id: int | str
    item_id: int | str
    timestamp: str
    weight: float = 1.0


class EventLog:
    """The stream in one durable Redis; never trimmed before it was read."""

    def __init__(self, client: redis.Redis, keys: Keys, limit: int) -> None:
        self._client = client
        self._keys = keys
        self._limit = limit

    @store_errors()
    def append(self, events: Sequence[Event]) -> list[str]:
        """Take events, all or none; returns their places in the stream.

        Raises:
            EventsFull: so many are not drained yet that these do not fit.
        """
        if not events:
            return []
        texts = [orjson.dumps(asdict(event)) for event in events]
        ids: list[bytes] = scripts.run(
            self._client, "append_events", [self._keys.events], [self._limit, *texts]
        )
        if not ids:
            raise EventsFull(f"{self._limit:,} events wait to be drained; try again later")
        return [place.decode() for place in ids]

    @store_errors()
    def read_batch(self, count: int) -> list[tuple[str, Event]]:
        """The oldest events with their places: first what was read and not acknowledged, then new ones."""
        self._ensure_group()
        for start in ("0", ">"):
            answer = self._client.xreadgroup(GROUP, CONSUMER, {self._keys.events: start}, count=count)
            found = _entries(answer)
            if found:
                return found
        return []

    @store_errors()
    def acknowledge(self, places: Sequence[str]) -> None:
        """Take events that are safe on disk off the stream."""
        if not places:
            return
        with self._client.pipeline(transaction=True) as pipe:
            pipe.xack(self._keys.events, GROUP, *places)
            pipe.xdel(self._keys.events, *places)
            pipe.execute()

    @store_errors()
    def length(self) -> int:
        """Events in the stream."""
        return int(self._client.xlen(self._keys.events))

    def _ensure_group(self) -> None:
        try:
            self._client.xgroup_create(self._keys.events, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def _entries(answer: Any) -> list[tuple[str, Event]]:
    """Entries of one stream, whichever protocol version answered; those deleted meanwhile are skipped."""
    streams = list(answer.values()) if isinstance(answer, dict) else [entries for _, entries in answer or ()]
    found = []
    for entries in streams:
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        for place, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", flat):
            if fields:
                found.append((place.decode(), Event(**orjson.loads(fields[b"e"]))))
    return found
