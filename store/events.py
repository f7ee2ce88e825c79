"""Feedback on its way into the data: appended by readers, drained by one consumer group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import redis
from redis.exceptions import ResponseError

from store import documents, scripts
from store.connection import store_errors
from store.keys import Keys
from topshelf.errors import EventsFull

GROUP = "drain"
CONSUMER = "drain"


@dataclass(frozen=True)
class Event:
    """One thing a user did with an item."""

    event_id: str
    user_id: int | str
    item_id: int | str
    timestamp: str
    """ISO, UTC."""
    weight: float = 1.0


class EventLog:
    """The stream of events; it holds ``limit`` at most and never drops one that was not drained."""

    def __init__(self, client: redis.Redis, keys: Keys, limit: int) -> None:
        self._client = client
        self._keys = keys
        self._limit = limit

    @store_errors()
    def append(self, events: Sequence[Event]) -> list[str]:
        """Take all the events or none; returns their stream ids.

        Raises:
            EventsFull: there is no room for all of them.
        """
        if not events:
            return []
        texts = [documents.dump(astuple(event)) for event in events]
        ids: list[bytes] = scripts.run(
            self._client, "append_events", [self._keys.events], [self._limit, *texts]
        )
        if not ids:
            raise EventsFull(f"{self._limit:,} events wait to be drained; nothing was taken, try again later")
        return [stream_id.decode() for stream_id in ids]

    @store_errors()
    def read_batch(self, count: int, after: str = "0") -> list[tuple[str, Event]]:
        """At most ``count`` events with their stream ids: read before but not acknowledged, then new ones.

        ``after`` leaves out those read before up to this stream id.
        """
        batch = list(self._read(count, after))
        if len(batch) < count:
            batch += self._read(count - len(batch), ">")
        return batch

    @store_errors()
    def acknowledge(self, stream_ids: Sequence[str]) -> None:
        """Drop events that are safe elsewhere."""
        if not stream_ids:
            return
        with self._client.pipeline(transaction=True) as pipe:
            pipe.xack(self._keys.events, GROUP, *stream_ids)
            pipe.xdel(self._keys.events, *stream_ids)
            pipe.execute()

    @store_errors()
    def pending(self) -> int:
        """Events read and not acknowledged."""
        self._create_group()
        return int(self._client.xpending(self._keys.events, GROUP)["pending"])

    @store_errors()
    def length(self) -> int:
        """Events in the stream, read or not."""
        return self._client.xlen(self._keys.events)

    def _read(self, count: int, after: str) -> Iterator[tuple[str, Event]]:
        for stream_id, content in self._entries(count, after):
            if content:
                yield stream_id.decode(), _event(documents.load(content[b"e"]))
            else:
                # Deleted by hand while it was pending: nothing is left to drain.
                self._client.xack(self._keys.events, GROUP, stream_id)

    def _entries(self, count: int, after: str) -> list[tuple[bytes, Mapping[bytes, bytes] | None]]:
        try:
            answer: Any = self._client.xreadgroup(GROUP, CONSUMER, {self._keys.events: after}, count=count)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self._create_group()
            return self._entries(count, after)
        if isinstance(answer, dict):  # RESP3: each stream has a list of lists
            return [entry for batches in answer.values() for batch in batches for entry in batch]
        return [entry for _, batch in answer for entry in batch]

    def _create_group(self) -> None:
        try:
            self._client.xgroup_create(self._keys.events, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def _event(values: Sequence[Any]) -> Event:
    """An event as it stands in the stream; values that a later version appends are left out."""
    return Event(*values[: len(fields(Event))])
