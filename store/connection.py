"""Clients, and the boundary at which redis-py's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    ChildDeadlockedError,
    IncorrectPolicyType,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from topshelf.errors import NotEnoughRoom, StoreError, StoreUnavailable, UnsuitableServer

OLDEST_SERVER = (6, 2)
KEEPING_POLICY = "noeviction"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every error of redis-py into one of ours; also a decorator for plain functions.

    Raises:
        StoreUnavailable: the server cannot be reached, is loading, or did not answer in time.
        NotEnoughRoom: the server has reached ``maxmemory``.
        StoreError: it answered with another error.
    """
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except OutOfMemoryError as error:
        raise NotEnoughRoom(
            f"Redis has reached its maxmemory; raise it, or retire a generation: {error}"
        ) from error
    except (RedisError, RedisClusterException, ChildDeadlockedError, IncorrectPolicyType) as error:
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
    except ValueError as error:
        raise StoreError(f"not a Redis URL: {error}") from error


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


@store_errors()
def allocator_of(client: redis.Redis) -> str:
    """The server's allocator as INFO has it, such as ``jemalloc-5.3.0`` or ``libc``."""
    return str(client.info("memory").get("mem_allocator", "jemalloc"))


@store_errors()
def check_room(client: redis.Redis, bytes_needed: int) -> None:
    """Refuse to begin what would not fit.

    Raises:
        NotEnoughRoom: ``maxmemory`` is set and ``bytes_needed`` more would pass it.
    """
    memory = client.info("memory")
    limit, used = int(memory["maxmemory"]), int(memory["used_memory"])
    if limit and used + bytes_needed > limit:
        raise NotEnoughRoom(
            f"a new generation takes about {bytes_needed:,} bytes; "
            f"{max(0, limit - used):,} of {limit:,} are free"
        )
