"""Keys as Redis itself writes them down, for a backup: DUMP and RESTORE, with the time each has left."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, cast

import redis
from redis.exceptions import ResponseError

from store.connection import store_errors
from store.keys import KeyRole, Keys
from topshelf.errors import UnsuitableServer

SCANNED_AT_ONCE = 1_000
MOVED_AT_ONCE = 100


class DumpedKey(NamedTuple):
    """One key.

    Attributes:
        ttl_ms: time it has left; 0 for one that stays.
        content: as DUMP has it, with a checksum that RESTORE looks at.
    """

    role: KeyRole
    key: bytes
    ttl_ms: int
    content: bytes


def dump_keys(client: redis.Redis, keys: Keys) -> Iterator[DumpedKey]:
    """Every key of ours that is worth keeping: all but shelves and locks; the server goes on working."""
    kept = (key for key in _ours(client, keys) if keys.role_of(key) in {"durable", "serving"})
    while names := list(islice(kept, MOVED_AT_ONCE)):
        for key, ttl_ms, content in zip(names, *_read(client, names), strict=True):
            if content is not None:  # gone since it was found
                yield DumpedKey(keys.role_of(key), key, max(0, ttl_ms), content)


@store_errors()
def restore_keys(client: redis.Redis, dumped: Iterable[DumpedKey]) -> int:
    """Write keys back, over those of the same name; returns how many.

    Raises:
        UnsuitableServer: it is older than the server they come from, and cannot read them.
    """
    restored, rest = 0, iter(dumped)
    while batch := list(islice(rest, MOVED_AT_ONCE)):
        with client.pipeline(transaction=False) as pipe:
            for one in batch:
                pipe.restore(one.key, one.ttl_ms, one.content, replace=True)
            try:
                pipe.execute()
            except ResponseError as error:
                if "DUMP payload" in str(error):
                    raise UnsuitableServer(
                        "this Redis is older than the one the backup was made of and cannot read it; "
                        "start the same or a later version"
                    ) from error
                raise
        restored += len(batch)
    return restored


def holds_keys(client: redis.Redis, keys: Keys) -> bool:
    """Whether a server holds any key of ours."""
    return next(_ours(client, keys), None) is not None


@store_errors()
def remove_keys(client: redis.Redis, keys: Keys) -> int:
    """Remove every key of ours; returns how many."""
    removed, found = 0, _ours(client, keys)
    while names := list(islice(found, MOVED_AT_ONCE)):
        removed += client.unlink(*names)
    return removed


@store_errors()
def _read(client: redis.Redis, names: list[bytes]) -> tuple[list[int], list[bytes | None]]:
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.pttl(name)
        for name in names:
            pipe.dump(name)
        answers = pipe.execute()
    return answers[: len(names)], answers[len(names) :]


def _ours(client: redis.Redis, keys: Keys) -> Iterator[bytes]:
    """Our keys; one that is there all the while comes at least once."""
    cursor = 0
    while True:
        cursor, names = _scan(client, cursor, keys.pattern)
        yield from names
        if cursor == 0:
            return


@store_errors()
def _scan(client: redis.Redis, cursor: int, pattern: str) -> tuple[int, list[bytes]]:
    answer = client.scan(cursor, match=pattern, count=SCANNED_AT_ONCE)
    return cast("tuple[int, list[bytes]]", answer)
