"""Clients, and the boundary at which redis-py's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    ChildDeadlockedError,
    IncorrectPolicyType,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from topshelf.errors import NotEnoughRoom, StoreError, StoreUnavailable, UnsuitableServer

OLDEST_SERVER = (6, 2)
KEEPING_POLICY = "noeviction"
OUT_OF_MEMORY = "command not allowed when used memory > 'maxmemory'"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every error of redis-py into one of ours; also a decorator for plain functions.

    Raises:
        StoreUnavailable: the server cannot be reached, is loading, or did not answer in time.
        NotEnoughRoom: it is at its ``maxmemory`` and takes no more.
        StoreError: it answered with another error.
    """
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except RedisError as error:
        # Out of a script, an older server's refusal comes as another class, with the same words in it.
        if OUT_OF_MEMORY in str(error):
            raise NotEnoughRoom(f"Redis takes no more, it is at its maxmemory: {error}") from error
        raise StoreError(f"Redis refused: {error}") from error
    except (RedisClusterException, ChildDeadlockedError, IncorrectPolicyType) as error:
        raise StoreError(f"Redis refused: {error}") from error


def connect(url: str, *, timeout_seconds: float = 5, retries: int = 3) -> redis.Redis:
    """A blocking client for ``url``, which tries again ``retries`` times; nothing is sent until it is used.

    Raises:
        StoreError: the URL cannot be read.
    """
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=False,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=retries),
            health_check_interval=30,
        )
    except ValueError:  # its text may hold a piece of the password
        raise StoreError("not a Redis URL, or one that cannot be read") from None


@store_errors()
def check_serving_server(client: redis.Redis) -> None:
    """Refuse a server that would punch holes in a generation.

    Raises:
        UnsuitableServer: ``maxmemory-policy`` evicts, or the server is older than 6.2.
    """
    version = str(client.info("server")["redis_version"])
    if server_version(version) < OLDEST_SERVER:
        raise UnsuitableServer(f"Redis {version} is too old; 6.2 or later is wanted")
    policy = str(client.info("memory")["maxmemory_policy"])
    if policy != KEEPING_POLICY:
        raise UnsuitableServer(
            f"maxmemory-policy is {policy}, which may drop users' rows; set it to {KEEPING_POLICY}"
        )


def server_version(text: str) -> tuple[int, int]:
    """Major and minor number of a version such as ``7.0.15``."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


@dataclass(frozen=True)
class Memory:
    """What a server uses of what it may, in bytes; ``limit`` 0 is no limit."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """Share of the limit that is used; 0 without a limit."""
        return self.used / self.limit if self.limit else 0.0


@store_errors()
def allocator_of(client: redis.Redis) -> str:
    """The server's allocator as INFO has it, such as ``jemalloc-5.3.0`` or ``libc``."""
    return str(client.info("memory").get("mem_allocator", "jemalloc"))


@store_errors()
def memory_of(client: redis.Redis) -> Memory:
    """``used_memory`` and ``maxmemory`` of a server."""
    memory = client.info("memory")
    return Memory(int(memory["used_memory"]), int(memory["maxmemory"]))


def check_room(client: redis.Redis, bytes_needed: int, *, high_water: float = 1.0) -> None:
    """Refuse to begin what would not fit below the share ``high_water`` of ``maxmemory``.

    Raises:
        NotEnoughRoom: ``maxmemory`` is set and ``bytes_needed`` more would pass it.
    """
    memory = memory_of(client)
    allowed = int(memory.limit * high_water)
    if memory.limit and memory.used + bytes_needed > allowed:
        raise NotEnoughRoom(
            f"a new generation takes about {bytes_needed:,} bytes; {max(0, allowed - memory.used):,} of "
            f"{allowed:,} are free; raise maxmemory, or lower TOPSHELF_K_STORE"
        )
