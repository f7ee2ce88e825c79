"""Durable records of work in stages: a hash each, an index of them by time; every transition is one script.

A transition checks the state it starts from, so that several processes may try it, and each of them twice.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar, cast

import redis

from store import scripts
from store.connection import store_errors
from topshelf.errors import StoreError, TopshelfError

LISTED_AT_ONCE = 100
SECONDS_A_DAY = 86_400


class Record(Protocol):
    """What every record says of itself."""

    @property
    def over(self) -> bool:
        """Whether it is in a state it cannot leave."""

    @property
    def updated_epoch(self) -> float:
        """Epoch seconds of the last change."""

    @property
    def lease_until(self) -> float:
        """Epoch seconds up to which somebody works on its stage; 0 for nobody."""


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class RecordKind(Generic[R]):
    """What is particular to one kind of records.

    Attributes:
        name: what one is called in messages.
        index: key of the sorted set of their ids by the time of their making.
        key: the key of a record, by its id.
        read: a record from its Redis hash.
        encoded: names and values in turn, as the hash holds them.
        end_states: states that are not left.
        updatable: fields that may be set; the others belong to the transitions.
        missing: the error for an id without a record.
    """

    name: str
    index: str
    key: Callable[[str], str]
    read: Callable[[Mapping[Any, Any]], R]
    encoded: Callable[[Mapping[str, Any]], list[str | bytes]]
    end_states: frozenset[str]
    updatable: frozenset[str]
    missing: type[TopshelfError]


class Records(Generic[R]):
    """All records of one kind in one durable Redis.

    Those that are over are dropped after ``retention_days``; one that waits longer than ``lease_seconds``
    counts as stalled.
    """

    def __init__(
        self, client: redis.Redis, kind: RecordKind[R], retention_days: float, lease_seconds: float
    ) -> None:
        self._client = client
        self._kind = kind
        self._retention_seconds = retention_days * SECONDS_A_DAY
        self._lease_seconds = lease_seconds

    @store_errors()
    def get(self, record_id: str) -> R:
        """One record.

        Raises:
            TopshelfError: the kind's ``missing``: there is none with this id, or it was dropped.
        """
        raw = self._client.hgetall(self._kind.key(record_id))
        if not raw:
            raise self._missing(record_id)
        return self._kind.read(raw)

    @store_errors()
    def exists(self, record_id: str) -> bool:
        """Whether there is a record with this id."""
        return bool(self._client.exists(self._kind.key(record_id)))

    def is_stalled(self, record: R) -> bool:
        """Whether nobody works on one that is not over."""
        return time.time() > max(record.lease_until, record.updated_epoch + self._lease_seconds)

    @store_errors()
    def begin_stage(self, record_id: str, stage: str, lease_seconds: float) -> bool:
        """Take a stage to work on; False unless it is the present one and nobody works on it."""
        return bool(self._run("begin_stage", record_id, [stage, lease_seconds, now_text()]))

    @store_errors()
    def renew_stage(self, record_id: str, lease_seconds: float) -> bool:
        """Keep the present stage for ``lease_seconds`` from now; False when there is no lease to keep."""
        return bool(self._run("renew_stage", record_id, [lease_seconds]))

    @store_errors()
    def advance(self, record_id: str, from_stage: str, to_stage: str) -> bool:
        """Move what is running on and free its lease; False when somebody did so before."""
        return bool(self._run("advance_stage", record_id, [from_stage, to_stage, now_text()]))

    @store_errors()
    def update(self, record_id: str, **changes: Any) -> bool:
        """Change what is known; False when it is over, for what is over stays as it is.

        Raises:
            TopshelfError: the kind's ``missing``: there is no such record.
            StoreError: a field that does not exist, or that only a transition may change.
        """
        if unknown := changes.keys() - self._kind.updatable:
            raise StoreError(f"a {self._kind.name}'s {', '.join(sorted(unknown))} cannot be updated")
        return self._changed("update_record", record_id, [now_text(), *self._kind.encoded(changes)])

    def _create(self, record_id: str, fields: Sequence[str | bytes]) -> bool:
        """Write a record down; False where there is one with this id."""
        self._drop_old()
        # Indexed first: a crash in between leaves an id without a record, which every reader skips.
        self._enter(record_id)
        return bool(self._run("create_record", record_id, fields))

    def _finish(self, record_id: str, state: str, changes: Mapping[str, Any]) -> bool:
        moment = now_text()
        ending: list[scripts.Argument] = ["state", state, "lease_until", 0, "finished", moment]
        return self._changed("update_record", record_id, [moment, *ending, *self._kind.encoded(changes)])

    def _first(self, limit: int, wanted: Callable[[R], bool]) -> list[R]:
        """At most ``limit`` of those that are wanted, newest first."""
        found: list[R] = []
        for record in self._newest_first():
            if len(found) >= limit:
                break
            if wanted(record):
                found.append(record)
        return found

    def _newest_first(self) -> Iterator[R]:
        first, listed = 0, LISTED_AT_ONCE
        while listed == LISTED_AT_ONCE:
            listed, page = self._page(first)
            yield from page
            first += listed

    @store_errors()
    def _page(self, first: int) -> tuple[int, Sequence[R]]:
        ids = self._client.zrange(self._kind.index, first, first + LISTED_AT_ONCE - 1, desc=True)
        return len(ids), self._of(cast("Sequence[bytes]", ids))

    def _of(self, ids: Sequence[bytes]) -> Sequence[R]:
        """The records behind some ids, without those that are gone."""
        with self._client.pipeline(transaction=False) as pipe:
            for record_id in ids:
                pipe.hgetall(self._kind.key(record_id.decode()))
            return [self._kind.read(raw) for raw in pipe.execute() if raw]

    def _drop_old(self) -> None:
        before = time.time() - self._retention_seconds
        old = self._client.zrange(
            self._kind.index, "-inf", before, byscore=True, offset=0, num=LISTED_AT_ONCE
        )
        for raw in cast("Sequence[bytes]", old):
            record_id = raw.decode()
            state = cast("bytes | None", self._client.hget(self._kind.key(record_id), "state"))
            if state is None or state.decode() in self._kind.end_states:
                self._drop(record_id)

    def _enter(self, record_id: str) -> None:
        self._client.zadd(self._kind.index, {record_id: time.time()}, nx=True)

    def _drop(self, record_id: str) -> None:
        self._client.unlink(self._kind.key(record_id))
        self._client.zrem(self._kind.index, record_id)

    def _changed(self, script: str, record_id: str, args: Sequence[scripts.Argument]) -> bool:
        answer: int = self._run(script, record_id, args)
        if answer < 0:
            raise self._missing(record_id)
        return bool(answer)

    def _run(self, script: str, record_id: str, args: Sequence[scripts.Argument]) -> Any:
        return scripts.run(self._client, script, [self._kind.key(record_id)], args)

    def _missing(self, record_id: str) -> TopshelfError:
        return self._kind.missing(f"there is no {self._kind.name} {record_id!r}")


def now_text() -> str:
    """The present moment as records hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
